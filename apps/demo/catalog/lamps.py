"""6:20, before the sun."""

from apps.demo.art.gallery import Pose
from apps.demo.catalog.form import Choice, Item

ITEMS = (
    Item(
        "MSH",
        "mushroom-lamp",
        "Half-Awake Lamp",
        11400,
        1600,
        """Glows downwards only, so the ceiling may sleep on. Dims by turning the cap, slowly, as
        you would anything at this hour.""",
        ("Spun steel, opal glass ring", "Dimmable, 2200–2700 K", "Cloth cable, 2 m"),
        Pose("mushroom_lamp", {"colour": "marmalade"}),
        "28 cm",
        "30 cm",
        {
            "Colour": (
                Choice("Marmalade"),
                Choice("Milk", {"colour": "milk"}),
                Choice("Pine", {"colour": "pine"}),
            )
        },
        stock=19,
        scarce={"Marmalade": 2},
        featured=True,
    ),
    Item(
        "RDL",
        "reading-lamp",
        "One More Page Lamp",
        13200,
        2200,
        """Points where you tell it and stays there. The switch is on the foot, where a hand finds
        it in the dark.""",
        ("Powder-coated steel, brass arm", "Takes one E14 bulb, included"),
        Pose("reading_lamp", {"colour": "pine"}),
        "38 cm",
        "46 cm",
        {
            "Colour": (
                Choice("Pine"),
                Choice("Tomato", {"colour": "tomato"}),
                Choice("Butter", {"colour": "butter"}),
            )
        },
        was=15800,
    ),
    Item(
        "LAN",
        "porch-lantern",
        "Porch Lantern",
        5800,
        1150,
        """Burns paraffin for eleven hours or your good intentions for ever. Wind-proof, in that
        we stood outside with it.""",
        ("Galvanised steel, glass chimney", "0.3 l tank"),
        Pose("lantern", {"colour": "ink"}),
        "16 cm",
        "30 cm",
        {
            "Colour": (
                Choice("Ink"),
                Choice("Moss", {"colour": "moss"}),
                Choice("Tomato", {"colour": "tomato"}),
            )
        },
        stock=28,
        scarce={"Tomato": 0},
    ),
    Item(
        "JAR",
        "jar-candle",
        "Jar Candle",
        2600,
        480,
        """Rapeseed wax, cotton wick, one plain smell at a time. When it is empty it is a very
        good tumbler.""",
        ("Forty hours", "Rapeseed wax in stoneware"),
        Pose("jar_candle", {"colour": "sage", "label": "milk", "words": "pine"}),
        "9 cm",
        "9 cm",
        {
            "Scent": (
                Choice("Pine"),
                Choice("Bread", {"colour": "oat", "words": "bread"}),
                Choice("Wet stone", {"colour": "slate", "words": "wet stone"}),
                Choice("Nothing", {"colour": "milk", "words": "nothing"}),
            )
        },
        stock=55,
        scarce={"Wet stone": 2},
        featured=True,
    ),
    Item(
        "TPR",
        "taper-candles",
        "Tapers, Six",
        1900,
        420,
        """Dipped thirty times, dripless unless you open the window. Six, in two colours that get
        along. Holders are not included, whatever the picture suggests.""",
        ("Beeswax blend", "25 cm, nine hours each"),
        Pose("tapers", {"colour": "butter", "second": "clay"}),
        "2 cm",
        "25 cm",
        {
            "Colours": (
                Choice("Butter and clay"),
                Choice("Milk and dusk", {"colour": "milk", "second": "dusk"}),
                Choice("Moss and plum", {"colour": "moss", "second": "plum"}),
            )
        },
    ),
    Item(
        "CHM",
        "chamberstick",
        "Stairwell Candlestick",
        3400,
        560,
        """For carrying light along a corridor, like people in novels. The dish catches the
        wax.""",
        ("Enamelled steel", "Takes a 22 mm candle"),
        Pose("chamberstick", {"colour": "tomato"}),
        "17 cm",
        "9 cm",
        {
            "Colour": (
                Choice("Tomato"),
                Choice("Fog", {"colour": "fog"}),
                Choice("Pine", {"colour": "pine"}),
            )
        },
    ),
    Item(
        "MTC",
        "long-matches",
        "Long Matches",
        700,
        120,
        """Long enough to reach the wick at the bottom of the jar, and to think it over.""",
        ("60 matches of aspen, 10 cm",),
        Pose("matchbox", {"colour": "milk", "words": "strike"}),
        "11 cm",
        "6 cm",
        {"Box": (Choice("Milk"), Choice("Pine", {"colour": "pine"}))},
        stock=200,
    ),
)
