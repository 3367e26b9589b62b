"""Words that shoppers type and the demo's products do not use."""

from apps.catalog.models import Synonym
from apps.demo.seeding.seeded import Seeded

SYNONYMS: tuple[tuple[str, str], ...] = (
    ("gift, present", "card, candle, blanket, tea"),
    ("cup, mug, beaker", ""),
    ("kettle, teakettle", ""),
    ("blanket, throw", ""),
    ("jug, pitcher, carafe", ""),
)


def create_synonyms(seeded: Seeded) -> None:
    """Create the missing ones."""
    known = set(Synonym.objects.values_list("words", flat=True))
    for words, also_finds in SYNONYMS:
        if words not in known:
            Synonym.objects.create(words=words, also_finds=also_finds)
            seeded.count("synonyms")
