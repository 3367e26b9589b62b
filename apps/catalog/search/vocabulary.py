"""Words that products have, and which of them a misspelt one means.

The correction needs no extension: the embedded PostgreSQL has no pg_trgm. It is compared with
words instead of with products, so its cost does not grow with the catalog.
"""

from collections.abc import Collection, Sequence

from django.conf import settings
from django.db import connections
from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

from apps.catalog import cache

WORD_FROM = 3  # characters
CORRECTED_FROM = 4  # characters; shorter words resemble too many others
LONG_FROM = 7  # characters; as long a word may have two mistakes
LIKENESS = 0.7  # 2 x (characters in common, in order) / (characters of both)
CHOICES = 8
INSIDE_MAX = 3
VOCABULARY_MAX = 20_000
NAMES_MAX = 30_000  # products, the newest; reading their words takes a second
DESCRIPTIONS_MAX = 1_000  # products; a description has a hundred words, most of them known by then

# Vendors but the shop itself: its name is no search word.
VOCABULARY = r"""
    SELECT word FROM ts_stat(format($$
        (SELECT to_tsvector('simple', catalog_folded(
             name || ' ' || tags::text || ' ' || CASE vendor WHEN %%L THEN '' ELSE vendor END))
         FROM catalog_product WHERE published AND listed AND priced ORDER BY id DESC LIMIT %%s)
        UNION ALL
        (SELECT to_tsvector('simple', catalog_folded(
             regexp_replace(description, '<[^>]*>|&#?[0-9a-zA-Z]+;', ' ', 'g')))
         FROM catalog_product WHERE published AND listed AND priced ORDER BY id DESC LIMIT %%s)
    $$, %s, %s, %s))
    WHERE length(word) >= %s AND word !~ '[0-9]' ORDER BY ndoc DESC, word LIMIT %s
"""


def vocabulary(using: str) -> list[str]:
    """Folded words, frequent ones first; up to five minutes old."""

    def fill() -> list[str]:
        values = (settings.SHOP_NAME, NAMES_MAX, DESCRIPTIONS_MAX, WORD_FROM, VOCABULARY_MAX)
        with connections[using].cursor() as cursor:
            cursor.execute(VOCABULARY, values)
            return [word for (word,) in cursor.fetchall()]

    return cache.remembered("vocabulary", "words", fill=fill, decode=list) or []


def meant(word: str, words: Sequence[str], known: Collection[str]) -> tuple[str, ...]:
    """`word` when it is `known`; else the nearest of `words`, or those that contain it; or none."""
    if word in known:
        return (word,)
    if len(word) < CORRECTED_FROM:
        return ()
    # Not by difflib: a word against 20,000 holds Python's GIL for 35 ms with it, for 1 ms so.
    alike = process.extract(
        word, words, scorer=fuzz.ratio, limit=CHOICES, score_cutoff=100 * LIKENESS
    )
    mistakes = {other: OSA.distance(word, other) for other, _, _ in alike}
    near = sorted(mistakes, key=lambda other: (mistakes[other], other[0] != word[0]))
    if near and _is_near(word, near[0], mistakes[near[0]]):
        return (near[0],)
    # A compound: "kanne" in "teekanne".
    inside = [other for other in words if word in other][:INSIDE_MAX]
    return tuple(inside) or tuple(near[:1] if len(word) >= LONG_FROM else ())


def _is_near(word: str, other: str, mistakes: int) -> bool:
    if len(word) >= LONG_FROM:
        return mistakes <= 2
    # "gift" is no mistake for "lift": the first letter is seldom wrong.
    return mistakes <= 1 and (len(word) > CORRECTED_FROM or word[0] == other[0])
