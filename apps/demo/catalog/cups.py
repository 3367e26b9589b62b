"""7:10, something to hold."""

from apps.demo.art.gallery import Pose
from apps.demo.catalog.form import Choice, Item

ITEMS = (
    Item(
        "MUG",
        "dipped-mug",
        "Dipped Mug",
        2200,
        340,
        """Thrown in Stoke, dipped by hand, so every tide line is somebody's Tuesday. Big enough
        to finish a chapter with.""",
        ("Stoneware", "380 ml", "Dishwasher and microwave safe"),
        Pose("mug", {"colour": "milk", "dip": "pine"}),
        "12 cm",
        "10 cm",
        {
            "Colour": (
                Choice("Pine"),
                Choice("Clay", {"dip": "clay"}),
                Choice("Dusk", {"dip": "dusk"}),
                Choice("Butter", {"dip": "butter"}),
            )
        },
        stock=80,
        scarce={"Butter": 2},
        featured=True,
    ),
    Item(
        "THM",
        "two-hand-mug",
        "Two-Hand Mug",
        2800,
        420,
        """Two handles, because some mornings need both. Also good for soup, which asks fewer
        questions.""",
        ("Speckled stoneware", "450 ml", "Dishwasher safe"),
        Pose(
            "mug",
            {
                "colour": "oat",
                "speckled": True,
                "two_handles": True,
                "radius": 100,
                "height": 150,
                "x": 300,
            },
        ),
        "17 cm",
        "9 cm",
        {"Colour": (Choice("Oat"), Choice("Blush", {"colour": "blush"}))},
        featured=True,
    ),
    Item(
        "CMP",
        "camp-mug",
        "Out-the-Door Enamel Mug",
        1600,
        150,
        """Light, loud, unbreakable in every way that matters. The chips it will get are called
        character.""",
        ("Enamelled steel, dark rim", "350 ml", "Campfire yes, microwave no"),
        Pose("mug", {"colour": "fog", "rim": "ink", "height": 140, "radius": 88}),
        "12 cm",
        "8 cm",
        {
            "Colour": (
                Choice("Fog"),
                Choice("Tomato", {"colour": "tomato"}),
                Choice("Moss", {"colour": "moss"}),
            )
        },
        stock=150,
    ),
    Item(
        "ESP",
        "espresso-pair",
        "Espresso Pair",
        3400,
        380,
        """Two small cups with two small saucers. One is for you. The other one is also for you,
        a little later.""",
        ("Porcelain, two cups and two saucers", "80 ml each"),
        Pose("espresso_pair", {"colour": "clay", "second": "dusk"}),
        "12 cm",
        "7 cm",
        {
            "Colours": (
                Choice("Clay and dusk"),
                Choice("Pine and butter", {"colour": "pine", "second": "butter"}),
            )
        },
        was=4000,
    ),
    Item(
        "CUP",
        "sunday-cup",
        "Sunday Cup & Saucer",
        2900,
        410,
        """Wide, thin-lipped and slightly formal. Tea tastes more correct from it.""",
        ("Porcelain", "260 ml", "Hand wash keeps the rim bright"),
        Pose("cup_and_saucer", {"colour": "sage"}),
        "16 cm",
        "8 cm",
        {
            "Colour": (
                Choice("Sage"),
                Choice("Blush", {"colour": "blush"}),
                Choice("Dusk", {"colour": "dusk"}),
            )
        },
        scarce={"Dusk": 0},
    ),
    Item(
        "TMB",
        "ribbed-tumblers",
        "Ribbed Tumblers, Pair",
        2400,
        460,
        """Ribbed so they do not slip, tapered so they stack, plain so you can see what you are
        doing.""",
        ("Pressed glass, set of two", "300 ml each"),
        Pose("tumblers", {"colour": "glass"}),
        "9 cm",
        "12 cm",
        {
            "Tint": (
                Choice("Clear"),
                Choice("Amber", {"colour": "#e8c08a"}, 300),
                Choice("Smoke", {"colour": "#b9c2c6"}, 300),
            )
        },
    ),
    Item(
        "BWL",
        "ladle-bowl",
        "Breakfast Bowl",
        2600,
        520,
        """Holds a good deal of porridge and all of the berries. The white band is at the level
        where one should stop.""",
        ("Stoneware", "16 cm across, 600 ml", "Dishwasher and microwave safe"),
        Pose("bowl", {"colour": "pine"}),
        "16 cm",
        "8 cm",
        {
            "Colour": (
                Choice("Pine"),
                Choice("Clay", {"colour": "clay"}),
                Choice("Dusk", {"colour": "dusk"}),
                Choice("Ink", {"colour": "ink"}),
            )
        },
        stock=64,
    ),
    Item(
        "JUG",
        "pouring-jug",
        "Pouring Jug",
        3100,
        690,
        """For milk, for water, for the four tulips from the market. Stops when you stop.""",
        ("Stoneware", "0.9 l", "Dishwasher safe"),
        Pose("jug", {"colour": "milk", "dip": "dusk"}),
        "17 cm",
        "21 cm",
        {
            "Colour": (
                Choice("Dusk"),
                Choice("Clay", {"dip": "clay"}),
                Choice("Plain", {"dip": None}, -300),
            )
        },
    ),
)
