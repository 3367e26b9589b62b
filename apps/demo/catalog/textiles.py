"""7:30, back under the blanket."""

from apps.demo.art.gallery import Pose
from apps.demo.catalog.form import Choice, Item

ITEMS = (
    Item(
        "BLK",
        "fireside-blanket",
        "Long Morning Blanket",
        12800,
        1350,
        """Woven from wool that has seen weather. Heavy enough to stay where it is put, which is
        over you.""",
        ("Pure new wool, woven in Wales", "Air it; wash it once a year, cold", "Fringed by hand"),
        Pose("draped_blanket", {"colour": "milk", "stripe": "tomato"}),
        "150 cm",
        "200 cm",
        {
            "Stripe": (
                Choice("Tomato"),
                Choice("Pine", {"stripe": "pine"}),
                Choice("Dusk on oat", {"colour": "oat", "stripe": "dusk"}),
            ),
            "Size": (Choice("Single"), Choice("Double", {}, 5200, 1.6)),
        },
        stock=22,
        scarce={"Tomato / Double": 2, "Pine / Double": 0},
        featured=True,
        maker="Teifi Mill",
    ),
    Item(
        "THR",
        "folded-throw",
        "Armchair Throw",
        7400,
        780,
        """Smaller than a blanket, larger than a scarf: exactly one armchair. Recycled wool, soft
        since its first life.""",
        ("70 % recycled wool, 30 % what it was blended with", "130 × 170 cm"),
        Pose("folded_stack", {"colour": "oat", "stripe": "pine", "fringe": True}),
        "130 cm",
        "170 cm",
        {
            "Colour": (
                Choice("Oat"),
                Choice("Moss", {"colour": "moss", "stripe": "milk"}),
                Choice("Clay", {"colour": "clay", "stripe": "milk"}),
            )
        },
        was=8900,
    ),
    Item(
        "TWL",
        "tea-towels",
        "Tea Towels, Pair",
        2400,
        210,
        """Linen that gets better at drying the longer you know it. Two, so that one can always be
        in the wash.""",
        ("Pure linen, 50 × 70 cm", "Wash at 60 °C, no softener"),
        Pose("hanging_towels", {"colour": "milk", "stripe": "dusk"}),
        "50 cm",
        "70 cm",
        {
            "Stripe": (
                Choice("Dusk"),
                Choice("Tomato", {"stripe": "tomato"}),
                Choice("Pine", {"stripe": "pine"}),
            )
        },
        stock=95,
    ),
    Item(
        "WFL",
        "waffle-towels",
        "Waffle Bath Towel",
        3600,
        480,
        """Dries you in one go and itself in an hour. The squares are doing the work.""",
        ("Cotton waffle, 90 × 150 cm",),
        Pose(
            "folded_stack",
            {"colour": "milk", "stripe": "sage", "waffle": True, "layers": 5, "thick": 38},
        ),
        "90 cm",
        "150 cm",
        {
            "Colour": (
                Choice("Milk"),
                Choice("Fog", {"colour": "fog", "stripe": "milk"}),
                Choice("Blush", {"colour": "blush", "stripe": "milk"}),
            )
        },
    ),
    Item(
        "APR",
        "bakers-apron",
        "Flour-Proof Apron",
        5200,
        520,
        """One big pocket for the towel, one small loop for the spoon. Straps cross at the back,
        so nothing hangs on your neck.""",
        ("Washed cotton canvas, leather straps", "One size, many people"),
        Pose("apron", {"colour": "pine"}),
        "70 cm",
        "88 cm",
        {
            "Colour": (
                Choice("Pine"),
                Choice("Oat", {"colour": "oat"}),
                Choice("Ink", {"colour": "ink"}),
            )
        },
        scarce={"Oat": 2},
    ),
    Item(
        "CSH",
        "bench-cushion",
        "Bench Cushion",
        4200,
        640,
        """Turns a bench into a place. Filled with feathers that belong to nobody in particular.""",
        ("Linen cover with a zip, 50 × 50 cm", "Recycled feather filling"),
        Pose("cushion", {"colour": "oat", "stripe": "clay"}),
        "50 cm",
        "50 cm",
        {
            "Stripe": (
                Choice("Clay"),
                Choice("Pine", {"stripe": "pine"}),
                Choice("Dusk", {"stripe": "dusk"}),
            )
        },
    ),
    Item(
        "SLP",
        "indoor-shoes",
        "Indoor Shoes",
        6800,
        620,
        """Felt slippers with a leather sole: quiet on stairs, presentable at the door. They take
        a week to become yours.""",
        ("Wool felt, leather sole", "Sized generously; choose the smaller one"),
        Pose("slippers", {"colour": "slate"}),
        "28 cm",
        "9 cm",
        {
            "Colour": (Choice("Slate"), Choice("Clay", {"colour": "clay"})),
            "Size": (
                Choice("36–37"),
                Choice("38–39"),
                Choice("40–41"),
                Choice("42–43"),
                Choice("44–45"),
            ),
        },
        stock=9,
        scarce={"Slate / 40–41": 0, "Slate / 44–45": 2, "Clay / 36–37": 1, "Clay / 42–43": 0},
    ),
    Item(
        "COS",
        "pot-cosy",
        "Pot Cosy",
        2900,
        180,
        """A jumper for your teapot. Keeps it warm for forty minutes, which is one phone call with
        your mother.""",
        ("Knitted lambswool, felt lining", "Fits both Everyday Teapots"),
        Pose("tea_cosy", {"colour": "butter", "stripe": "pine"}),
        "27 cm",
        "21 cm",
        {"Colour": (Choice("Butter"), Choice("Fog", {"colour": "fog", "stripe": "tomato"}))},
        stock=25,
    ),
    Item(
        "ROB",
        "waffle-robe",
        "Until-Noon Robe",
        9800,
        1100,
        """Waffle cotton, deep pockets, a belt that is sewn on and therefore still there. We do
        not judge the hour.""",
        ("Cotton waffle", "Unisex, mid-calf"),
        Pose("robe_hook", {"colour": "milk", "stripe": "dusk"}),
        "62 cm",
        "118 cm",
        {
            "Colour": (Choice("Milk"), Choice("Fog", {"colour": "fog", "stripe": "pine"})),
            "Size": (Choice("S/M"), Choice("L/XL", {}, 0, 1.1)),
        },
        stock=16,
    ),
)
