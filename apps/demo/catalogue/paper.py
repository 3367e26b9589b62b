"""8:15, a list."""

from apps.demo.art.gallery import Pose
from apps.demo.catalogue.form import Choice, Item

ITEMS = (
    Item(
        "NBK", "mornings-notebook", "Mornings Notebook", 1900, 320,
        """One page per morning, no dates, no guilt. Lies flat, takes ink, closes with a band.""",
        ("192 pages, 100 g paper, thread-sewn", "A5"),
        Pose("notebook", {"colour": "pine"}), "15 cm", "21 cm",
        {"Cover": (Choice("Pine"), Choice("Tomato", {"colour": "tomato", "ribbon": "butter"}), Choice("Dusk", {"colour": "dusk"}), Choice("Oat", {"colour": "oat"})),
         "Ruling": (Choice("Lined"), Choice("Plain"), Choice("Dotted"))},
        stock=48, scarce={"Oat / Dotted": 0, "Dusk / Plain": 2}, featured=True,
    ),
    Item(
        "PCL", "number-two-and-a-half", "Pencils No. 2½", 1200, 90,
        """Half a grade harder than usual: dark enough to mean it, light enough to change your
        mind.""",
        ("Six cedar pencils, grade F", "Sharpened at the works"),
        Pose("pencils", {"colours": ("pine", "butter", "tomato", "dusk", "milk", "clay")}), "10 cm", "18 cm",
        stock=140,
    ),
    Item(
        "LTR", "letter-set", "Overdue Letter Set", 2400, 380,
        """Twelve sheets, twelve envelopes, twelve people who would be glad. Seals included, for
        the flourish.""",
        ("Cotton paper, 120 g", "Envelopes C6"),
        Pose("letter_set", {"colour": "blush", "seal": "tomato"}), "16 cm", "11 cm",
        {"Colour": (Choice("Blush"), Choice("Fog", {"colour": "fog", "seal": "dusk"}), Choice("Sage", {"colour": "sage", "seal": "pine"}))},
    ),
    Item(
        "CAL", "desk-calendar", "Small Calendar", 1700, 260,
        """One month at a time, which is as much as anybody should look at. The dot is movable;
        the deadline, alas, is not.""",
        ("Thirteen cards, wire-bound stand",),
        Pose("desk_calendar", {"colour": "pine"}), "18 cm", "15 cm",
        {"Colour": (Choice("Pine"), Choice("Tomato", {"colour": "tomato"}))},
        was=2200, stock=1,
    ),
    Item(
        "PEN", "pen-tray", "Pen Tray", 3800, 420,
        """A shallow boat for two pens, a rubber and whatever you take out of your pockets.""",
        ("Oiled solid wood", "26 × 8 cm", "Pens not included"),
        Pose("pen_tray", {"colour": "walnut"}), "26 cm", "3 cm",
        {"Wood": (Choice("Walnut"), Choice("Beech", {"colour": "wood"}, -600))},
    ),
    Item(
        "RUL", "brass-ruler", "Brass Ruler", 2200, 110,
        """Thirty centimetres, all of them the same length. Heavy enough to hold a page open.""",
        ("Solid brass, etched scale", "Centimetres on one side, doubts on the other"),
        Pose("ruler", {"colour": "brass"}), "30 cm", "3 cm",
        {"Metal": (Choice("Brass"), Choice("Steel", {"colour": "steel"}, -600))},
    ),
    Item(
        "TAP", "paper-tape", "Paper Tape, Three", 1100, 120,
        """Sticks, peels off again, apologises to the wallpaper.""",
        ("Three rolls, 15 mm × 10 m",),
        Pose("tape_rolls", {"colours": ("clay", "sage", "butter")}), "5 cm", "5 cm",
        {"Set": (Choice("Warm"), Choice("Cool", {"colours": ("dusk", "pine", "plum")}))},
        stock=85,
    ),
    Item(
        "WKP", "slow-week-pad", "Slow Week Pad", 1400, 340,
        """Five lines a week, Monday to Friday. If it does not fit, it is not this week.""",
        ("52 sheets, A5 landscape in spirit", "Tear off at the top"),
        Pose("week_pad", {"colour": "pine"}), "18 cm", "18 cm",
        {"Colour": (Choice("Pine"), Choice("Clay", {"colour": "clay"}))},
        featured=True,
    ),
)  # fmt: skip
