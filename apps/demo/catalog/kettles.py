"""6:40, the kettle goes on."""

from apps.demo.art.gallery import Pose
from apps.demo.catalog.form import Choice, Item

ITEMS = (
    Item(
        "GSN",
        "first-light-gooseneck",
        "First Light Gooseneck",
        8900,
        980,
        """A pouring kettle with a spout as thin as a pencil, so the water lands where you look.
        The handle stays cool; the rest of you may take its time.

        Works on gas, induction and the patience of one person.""",
        (
            "Enamelled steel, walnut grip, brass lid knob",
            "0.9 l",
            "Hand wash; it dries in a minute",
        ),
        Pose("gooseneck_kettle", {"colour": "pine"}),
        "31 cm",
        "24 cm",
        {
            "Colour": (
                Choice("Pine"),
                Choice("Milk", {"colour": "milk", "grip": "walnut"}),
                Choice("Copper", {"colour": "copper"}, 2400),
            )
        },
        scarce={"Copper": 2},
        featured=True,
    ),
    Item(
        "REV",
        "reveille-whistling-kettle",
        "Reveille Whistling Kettle",
        6400,
        1240,
        """Whistles in a minor third, which is as gently as a kettle can say “now”. Holds enough
        for a family, or for one person and a hot-water bottle.""",
        ("Enamelled steel, beech grip", "2.1 l", "All hobs, including induction"),
        Pose("whistling_kettle", {"colour": "tomato"}),
        "25 cm",
        "23 cm",
        {
            "Colour": (
                Choice("Tomato"),
                Choice("Butter", {"colour": "butter"}),
                Choice("Dusk", {"colour": "dusk"}),
            )
        },
        scarce={"Butter": 0},
        was=7800,
        featured=True,
    ),
    Item(
        "EVT",
        "everyday-teapot",
        "Everyday Teapot",
        4800,
        760,
        """Round, because corners do not brew. The lid has a lock, so the last cup comes without
        applause.""",
        ("Glazed stoneware with a steel strainer", "Dishwasher safe, though it prefers you"),
        Pose("teapot", {"colour": "milk", "lid": "clay", "band": "clay"}),
        "26 cm",
        "17 cm",
        {
            "Colour": (
                Choice("Clay band"),
                Choice("Pine band", {"lid": "pine", "band": "pine"}),
                Choice("All sage", {"colour": "sage", "lid": "sage", "band": None}),
            ),
            "Size": (Choice("0.8 l"), Choice("1.2 l", {}, 900, 1.3)),
        },
        scarce={"All sage / 1.2 l": 2},
        featured=True,
    ),
    Item(
        "TET",
        "iron-teapot",
        "Slow Iron Teapot",
        7200,
        1680,
        """Heavy, unhurried, warm for an hour. You will not lose it on a shelf and you will not
        carry it far.""",
        (
            "Cast iron, enamelled inside",
            "0.65 l, with a steel basket",
            "Not for the hob; it is a pot, not a kettle",
        ),
        Pose("iron_teapot", {"colour": "ink"}),
        "22 cm",
        "20 cm",
        {"Colour": (Choice("Ink"), Choice("Moss", {"colour": "moss"}))},
        stock=14,
        maker="Morioka Foundry",
    ),
    Item(
        "MOK",
        "grumble-moka-pot",
        "Grumble Moka Pot",
        3600,
        480,
        """It mutters for four minutes and then delivers. Eight flat sides, so you can always tell
        where the handle is, even before the coffee.""",
        ("Aluminium, rubber-sealed", "For gas and electric hobs"),
        Pose("moka_pot", {"colour": "steel"}),
        "16 cm",
        "21 cm",
        {
            "Size": (Choice("3 cups"), Choice("6 cups", {}, 900, 1.5)),
            "Colour": (Choice("Steel"), Choice("Tomato", {"colour": "tomato"}, 300)),
        },
        was=4200,
    ),
    Item(
        "MLK",
        "milk-pan",
        "Small Milk Pan",
        3200,
        620,
        """For milk, cocoa, one egg, or the last of the soup. A lip on both sides, so left-handed
        mornings are covered.""",
        ("Enamelled steel, beech handle", "1 l, marked inside every 250 ml"),
        Pose("milk_pan", {"colour": "butter"}),
        "33 cm",
        "11 cm",
        {
            "Colour": (
                Choice("Butter"),
                Choice("Milk", {"colour": "milk", "rim": "dusk"}),
                Choice("Pine", {"colour": "pine"}),
            )
        },
    ),
    Item(
        "POR",
        "porridge-pot",
        "Porridge Pot",
        11800,
        3900,
        """Cast iron with a lid that fits like a good excuse. Oats at seven, beans at noon, bread
        on Sunday.""",
        ("Enamelled cast iron, brass knob", "3.2 l", "Oven-safe to 250 °C, knob included"),
        Pose("porridge_pot", {"colour": "dusk"}),
        "28 cm",
        "16 cm",
        {
            "Colour": (
                Choice("Dusk"),
                Choice("Clay", {"colour": "clay"}),
                Choice("Pine", {"colour": "pine"}),
            )
        },
        stock=11,
        scarce={"Clay": 1},
        was=13900,
    ),
    Item(
        "FRP",
        "plunge-french-press",
        "Plunge French Press",
        4400,
        840,
        """Four minutes of nothing, then one slow push. The glass comes out of its frame for
        washing, and spares are two clicks away.""",
        ("Borosilicate glass, steel frame", "0.8 l: three mugs, or two honest ones"),
        Pose("french_press", {"colour": "ink"}),
        "17 cm",
        "24 cm",
        {"Colour": (Choice("Ink"), Choice("Walnut", {"colour": "walnut"}, 400))},
    ),
)
