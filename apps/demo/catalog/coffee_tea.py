"""6:55, something to put into the water."""

from apps.demo.art.gallery import Pose
from apps.demo.catalog.form import Choice, Item

BAGS = (Choice("250 g"), Choice("1 kg", {}, 3300, 4.0))
GRIND = (Choice("Whole bean"), Choice("Ground for filter"))

ITEMS = (
    Item(
        "CFL",
        "coffee-first-light",
        "First Light",
        1500,
        270,
        """Our house coffee: chocolate, orange peel, no drama. Roasted light enough to taste of
        something and dark enough to forgive your technique.""",
        (
            "Guatemala and Ethiopia, washed",
            "Roasted every Tuesday",
            "Best between day 6 and day 40",
        ),
        Pose(
            "coffee_bag",
            {"colour": "pine", "label": "milk", "mark": "marmalade", "words": "First Light"},
        ),
        "12 cm",
        "23 cm",
        {"Weight": BAGS, "Grind": GRIND},
        stock=120,
        featured=True,
    ),
    Item(
        "CSC",
        "coffee-second-cup",
        "Second Cup Decaf",
        1600,
        270,
        """Decaffeinated with water and nothing else, for those who like the taste more than the
        heartbeat. Caramel, almond, an early night.""",
        ("Colombia, water process", "Less than 0.1 % caffeine"),
        Pose(
            "coffee_bag",
            {"colour": "dusk", "label": "milk", "mark": "butter", "words": "Second Cup"},
        ),
        "12 cm",
        "23 cm",
        {"Weight": BAGS, "Grind": GRIND},
        stock=60,
        scarce={"1 kg / Ground for filter": 0},
    ),
    Item(
        "CRD",
        "coffee-rain-day",
        "Rain Day Espresso",
        1700,
        270,
        """Dark, but not burnt; thick, but not rude. Made for milk, moka pots and weather.""",
        ("Brazil, Sumatra, a little Robusta", "Roasted every Tuesday"),
        Pose(
            "coffee_bag", {"colour": "slate", "label": "milk", "mark": "clay", "words": "Rain Day"}
        ),
        "12 cm",
        "23 cm",
        {"Weight": BAGS},
        stock=75,
    ),
    Item(
        "TPS",
        "tea-pine-smoke",
        "Pine Smoke",
        1400,
        160,
        """A black tea dried over pine fires, the way somebody once did by accident. Smells of
        cabins. Divides households.""",
        ("Lapsang souchong, large leaf", "100 g: about 45 cups", "3 minutes at 95 °C"),
        Pose(
            "tea_tin",
            {"colour": "tomato", "label": "milk", "mark": "butter", "words": "Pine Smoke"},
        ),
        "8 cm",
        "10 cm",
        stock=2,
        tags=("tea",),
    ),
    Item(
        "TNM",
        "tea-nearly-mint",
        "Nearly Mint",
        1200,
        130,
        """Mint, lemon verbena and a leaf or two of sage. No caffeine, no claims.""",
        (
            "Dried herbs, nothing else",
            "60 g: about 40 cups",
            "As long as you like, just off the boil",
        ),
        Pose(
            "tea_tin",
            {"colour": "sage", "label": "milk", "mark": "marmalade", "words": "Nearly Mint"},
        ),
        "8 cm",
        "10 cm",
        tags=("tea",),
    ),
    Item(
        "TBE",
        "tea-breakfast-eventually",
        "Breakfast, Eventually",
        1300,
        180,
        """A strong, malty blend for late risers. Takes milk well and questions badly.""",
        ("Assam and Kenya", "125 g: about 55 cups", "4 minutes at 100 °C"),
        Pose(
            "tea_tin", {"colour": "butter", "label": "milk", "mark": "tomato", "words": "Breakfast"}
        ),
        "8 cm",
        "10 cm",
        stock=90,
        tags=("tea",),
        featured=True,
    ),
    Item(
        "GRD",
        "hand-grinder",
        "Unhurried Hand Grinder",
        9600,
        1100,
        """Sixty turns for one cup. By the fortieth you are awake, which is the second thing it
        grinds.""",
        (
            "Hardened steel burrs in a walnut box",
            "28 steps from espresso to French press",
            "Drawer holds 30 g",
        ),
        Pose("hand_grinder", {"colour": "brass"}),
        "15 cm",
        "24 cm",
        {
            "Colour": (
                Choice("Brass"),
                Choice("Steel", {"colour": "steel"}),
                Choice("Pine", {"colour": "pine"}),
            )
        },
        stock=18,
        scarce={"Pine": 2},
    ),
    Item(
        "DRP",
        "patience-dripper",
        "Patience Dripper",
        3800,
        540,
        """Porcelain cone, glass server, three minutes. The ribs inside keep the paper off the
        wall; the rest is up to you.""",
        ("Porcelain and borosilicate glass", "For one to three cups", "Takes size 02 papers"),
        Pose("dripper", {"colour": "milk"}),
        "15 cm",
        "20 cm",
        {
            "Colour": (
                Choice("Milk"),
                Choice("Clay", {"colour": "clay"}),
                Choice("Ink", {"colour": "ink"}),
            )
        },
    ),
    Item(
        "HNY",
        "hillside-honey",
        "Hillside Honey",
        1100,
        460,
        """From eleven hives on one hill. It sets in winter, as honey should; a warm shelf brings
        it back.""",
        ("350 g, unfiltered", "Mostly lime blossom, some bramble"),
        Pose("honey_jar", {"label": "milk", "words": "Honey"}),
        "8 cm",
        "11 cm",
        stock=0,
        maker="The Elm Hill Bees",
    ),
    Item(
        "SCP",
        "level-scoop",
        "Level Scoop",
        1900,
        60,
        """Twelve grams when level, sixteen when you did not sleep. Copper darkens with use;
        nobody has complained.""",
        ("Solid copper, walnut tip", "12 g of beans"),
        Pose("scoop", {"colour": "copper"}),
        "17 cm",
        "5 cm",
        {"Metal": (Choice("Copper"), Choice("Steel", {"colour": "steel"}, -500))},
    ),
)
