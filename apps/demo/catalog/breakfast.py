"""7:45, the table is set."""

from apps.demo.art.gallery import Pose
from apps.demo.catalog.form import Choice, Item

ITEMS = (
    Item(
        "EGG",
        "egg-cups",
        "Egg Cups, Pair",
        1800,
        240,
        """One foot each, and steadier on it than most of us at that hour.""",
        ("Stoneware, set of two", "Dishwasher safe"),
        Pose("egg_cups", {"colour": "pine", "second": "clay"}),
        "5 cm",
        "7 cm",
        {
            "Colours": (
                Choice("Pine and clay"),
                Choice("Dusk and butter", {"colour": "dusk", "second": "tomato"}),
            )
        },
        stock=70,
    ),
    Item(
        "TST",
        "toast-rack",
        "Toast Rack",
        2700,
        310,
        """Keeps four slices upright and crisp. Also holds letters, which is how most of ours
        retire.""",
        ("Steel wire", "Four slices, or nine envelopes"),
        Pose("toast_rack", {"colour": "steel"}),
        "17 cm",
        "14 cm",
        {"Finish": (Choice("Steel"), Choice("Brass", {"colour": "brass"}, 900))},
    ),
    Item(
        "BTR",
        "butter-dish",
        "Butter Dish",
        3300,
        880,
        """Butter at room temperature is a small kindness to bread. This is where it waits.""",
        ("Stoneware, beech knob", "Takes 250 g"),
        Pose("butter_dish", {"colour": "milk"}),
        "18 cm",
        "10 cm",
        {
            "Colour": (
                Choice("Milk"),
                Choice("Sage", {"colour": "sage"}),
                Choice("Dusk", {"colour": "dusk"}),
            )
        },
        featured=True,
    ),
    Item(
        "BRD",
        "bread-board",
        "Crumb Board",
        4600,
        1300,
        """One piece of wood, oiled. The groove keeps the crumbs where you can find them.""",
        ("Solid European wood, oiled with linseed", "46 × 22 cm", "Wipe; do not soak"),
        Pose("bread_board", {"colour": "walnut"}),
        "46 cm",
        "3 cm",
        {"Wood": (Choice("Walnut"), Choice("Beech", {"colour": "wood"}, -1000))},
        was=5400,
    ),
    Item(
        "SLT",
        "salt-cellar",
        "Salt, Labelled",
        2600,
        540,
        """A lidded pot that says what is in it. Comes with a spoon the size of a pinch.""",
        ("Stoneware, walnut lid and spoon", "250 ml"),
        Pose("salt_cellar", {"colour": "milk"}),
        "11 cm",
        "10 cm",
        stock=34,
    ),
    Item(
        "NPK",
        "napkin-rings",
        "Napkins with Rings",
        3900,
        260,
        """Two linen napkins and two turned rings, for the difference between eating and
        breakfast.""",
        ("Linen, 42 × 42 cm; rings of oiled beech", "Set of two"),
        Pose("napkin_rings", {"colour": "wood", "cloth": "pine"}),
        "42 cm",
        "42 cm",
        {
            "Colour": (
                Choice("Pine"),
                Choice("Clay", {"cloth": "clay"}),
                Choice("Butter", {"cloth": "butter"}),
            )
        },
    ),
    Item(
        "TRY",
        "bed-tray",
        "Back-to-Bed Tray",
        6200,
        1450,
        """Two handles and a rim, tested on carpeted stairs. Cups not included; we wish they
        were.""",
        ("Bent plywood, walnut face", "50 × 34 cm"),
        Pose("tray", {"colour": "walnut"}),
        "50 cm",
        "6 cm",
        stock=2,
    ),
    Item(
        "PLT",
        "four-plates",
        "Four Plates",
        6400,
        2100,
        """Plain enough for toast, good enough for guests. They stack without a sound, nearly.""",
        ("Stoneware, set of four", "22 cm across", "Dishwasher and microwave safe"),
        Pose("plates", {"colour": "milk", "second": "sage"}),
        "22 cm",
        "2 cm",
        {
            "Colour": (
                Choice("Sage"),
                Choice("Clay", {"second": "clay"}),
                Choice("Dusk", {"second": "dusk"}),
            )
        },
        was=7600,
    ),
)
