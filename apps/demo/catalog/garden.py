"""9:00, the windowsill."""

from apps.demo.art.gallery import Pose
from apps.demo.catalog.form import Choice, Item

ITEMS = (
    Item(
        "AGV",
        "agave-in-clay",
        "Agave, Nearly Immortal",
        3200,
        1900,
        """Asks for water once a month and light the rest of the time. Forgives holidays.""",
        ("In a clay pot with saucer", "Bright window, little water"),
        Pose("plant_pot", {"colour": "clay", "plant": "bush", "leaves": "moss"}),
        "24 cm",
        "34 cm",
        {
            "Pot": (
                Choice("Clay"),
                Choice("Milk", {"colour": "milk"}),
                Choice("Ink", {"colour": "ink"}),
            )
        },
        stock=15,
        scarce={"Ink": 2},
        featured=True,
    ),
    Item(
        "FRN",
        "bathroom-fern",
        "Bathroom Fern",
        2800,
        1500,
        """Likes steam, shade and being talked to. Drops a leaf now and then for emphasis.""",
        ("In a glazed pot with saucer", "Shade, steady water"),
        Pose("plant_pot", {"colour": "milk", "plant": "fern", "leaves": "pine"}),
        "30 cm",
        "32 cm",
        {"Pot": (Choice("Milk"), Choice("Dusk", {"colour": "dusk"}))},
        stock=12,
        scarce={"Dusk": 0},
    ),
    Item(
        "SUC",
        "desk-succulent",
        "Desk Succulent",
        1400,
        520,
        """The least demanding colleague. One spoon of water on Fridays.""",
        ("In a small glazed pot", "Any window"),
        Pose("plant_pot", {"colour": "dusk", "plant": "succulent", "leaves": "sage", "size": 0.8}),
        "11 cm",
        "13 cm",
        {
            "Pot": (
                Choice("Dusk"),
                Choice("Butter", {"colour": "butter"}),
                Choice("Blush", {"colour": "blush"}),
            )
        },
        stock=44,
    ),
    Item(
        "PIL",
        "pancake-plant",
        "Pancake Plant",
        2600,
        1100,
        """Round leaves on thin stalks, all of them looking for the sun. Turn it once a week or it
        will leave.""",
        ("Pilea in a glazed pot with saucer", "Bright, no direct sun"),
        Pose("plant_pot", {"colour": "butter", "plant": "pilea", "leaves": "moss"}),
        "26 cm",
        "30 cm",
        {
            "Pot": (
                Choice("Butter"),
                Choice("Milk", {"colour": "milk"}),
                Choice("Clay", {"colour": "clay"}),
            )
        },
        scarce={"Butter": 2, "Milk": 0, "Clay": 0},
    ),
    Item(
        "CAN",
        "indoor-watering-can",
        "Indoor Watering Can",
        4900,
        640,
        """A long thin neck for reaching the pot at the back. Hides under no sink; deserves the
        shelf.""",
        ("Powder-coated steel, brass handle and rose", "1.2 l"),
        Pose("watering_can", {"colour": "tomato"}),
        "34 cm",
        "22 cm",
        {
            "Colour": (
                Choice("Tomato"),
                Choice("Pine", {"colour": "pine"}),
                Choice("Milk", {"colour": "milk"}),
            )
        },
        featured=True,
    ),
    Item(
        "HRB",
        "three-herb-box",
        "Three-Herb Box",
        3900,
        2600,
        """Thyme, sage and mint in one crate. Cut from the top; they take it as encouragement.""",
        ("Pine box with liner, three young plants", "48 × 14 cm", "Full sun, daily thoughts"),
        Pose("herb_box", {"colour": "wood"}),
        "48 cm",
        "14 cm",
        stock=3,
    ),
    Item(
        "MST",
        "brass-mister",
        "Brass Mister",
        2700,
        360,
        """A fine fog for ferns, and for ironing if it must be. Sounds like a very small train.""",
        ("Glass and brass", "0.3 l"),
        Pose("mister", {"colour": "marmalade"}),
        "10 cm",
        "17 cm",
        {
            "Glass": (
                Choice("Amber"),
                Choice("Moss", {"colour": "moss"}),
                Choice("Dusk", {"colour": "dusk"}),
            )
        },
    ),
    Item(
        "SED",
        "sill-seeds",
        "Sill Seeds, Two Packets",
        600,
        30,
        """Two packets that do well in a box and no garden. Sow after breakfast, wait.""",
        ("About 60 seeds a packet", "Sow March to June, indoors any time"),
        Pose(
            "seed_packets",
            {"colour": "pine", "second": "clay", "words": "Chives", "other": "Nasturtium"},
        ),
        "8 cm",
        "12 cm",
        {
            "Set": (
                Choice("Chives, nasturtium"),
                Choice(
                    "Basil, marigold",
                    {
                        "colour": "plum",
                        "second": "marmalade",
                        "words": "Basil",
                        "other": "Marigold",
                    },
                ),
            )
        },
        stock=240,
    ),
    Item(
        "SNP",
        "herb-snips",
        "Herb Snips",
        2300,
        140,
        """Small scissors with large handles. For stems, string and the labels of other
        things.""",
        ("Carbon steel, oiled", "15 cm; keep dry"),
        Pose("snips", {"colour": "ink"}),
        "8 cm",
        "15 cm",
        {"Handle": (Choice("Ink"), Choice("Tomato", {"colour": "tomato"}))},
    ),
    Item(
        "HNG",
        "hanging-planter",
        "Hanging Planter",
        3600,
        1300,
        """For when the sill is full, which it will be. Comes with the trailing plant and the
        rope, but not with a ceiling.""",
        ("Glazed bowl, cotton rope of 80 cm",),
        Pose("hanging_planter", {"colour": "milk"}),
        "18 cm",
        "80 cm",
        {"Bowl": (Choice("Milk"), Choice("Clay", {"colour": "clay"}))},
        stock=13,
    ),
    Item(
        "DIB",
        "sill-tools",
        "Trowel & Fork",
        2900,
        280,
        """A trowel and a fork for forty centimetres of land. Full-size steel, small-scale
        ambition.""",
        ("Stainless steel, ash handles", "20 cm each"),
        Pose("dibber_set", {"colour": "wood"}),
        "6 cm",
        "20 cm",
        {"Handle": (Choice("Ash"), Choice("Pine green", {"colour": "pine"}))},
        was=3500,
    ),
)
