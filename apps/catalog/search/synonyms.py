"""Words that the staff has said mean the same, from Redis or by one query.

Applied to what is typed, not to what is stored: a new synonym works at once, and no product is
written again.
"""

from collections.abc import Mapping, Sequence

from apps.catalog import cache
from apps.catalog.models import Synonym
from apps.catalog.search.folding import folded

ALSO_MAX = 8  # for each run of words: each is two more looks into the index
RUN_MAX = 4  # words in one synonym: "pour over coffee maker"

# What is typed, folded, to what is found as well.
Synonyms = Mapping[str, list[str]]


def synonyms() -> Synonyms:
    """All of them; dropped from Redis when one is saved (signals.py)."""
    return cache.remembered("synonyms", "all", fill=_read, decode=dict) or {}


def also(words: Sequence[str], known: Synonyms) -> list[tuple[str, ...]]:
    """What a search for `words`, one after the other, finds as well; the plural counts, too."""
    typed = " ".join(words)
    for spelled in (typed, typed.removesuffix("s"), typed.removesuffix("es"), f"{typed}s"):
        if spelled in known:
            return [tuple(other.split()) for other in known[spelled]]
    return []


def _read() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for typed, others in Synonym.objects.values_list("words", "also_finds"):
        words = split(typed)
        for word in words:
            same = split(others) if others else [each for each in words if each != word]
            more = found.setdefault(word, [])
            more.extend(each for each in same if each not in more)
    return {word: more[:ALSO_MAX] for word, more in found.items()}


def split(text: str) -> list[str]:
    """Folded words or runs of words of a list with commas; none of more than RUN_MAX words."""
    words = (folded(part) for part in text.split(","))
    return [word for word in words if word and word.count(" ") < RUN_MAX]
