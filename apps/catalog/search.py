"""From what a shopper typed to a PostgreSQL text query.

Any text is welcome: NUL bytes, half surrogates, unbalanced quotes and operators never raise. Three
readings, from strict to kind: words with web-search operators (`"two hands" -blue or red`), the
same words as prefixes (`ket` finds kettles), and, where neither finds anything, words corrected
towards those in the shop's own names (`kettel`). The correction needs no extension: pg_trgm is not
among the embedded PostgreSQL's.
"""

import re
from collections.abc import Sequence
from functools import reduce
from operator import or_

from django.contrib.postgres.search import SearchQuery
from django.db import connections
from rapidfuzz import fuzz, process

from apps.catalog import cache

CONFIG = "english"
TEXT_MAX = 200  # characters; more is a paste, not a search
WORDS_MAX = 12
CORRECTED_MAX = 4  # words; each is compared with the whole vocabulary
CORRECTED_FROM = 4  # letters; shorter words resemble everything
LIKENESS = 0.7  # twice the letters they share, in order, of all letters of both
CHOICES = 3  # for each word
VOCABULARY_MAX = 20_000
OPERATORS = re.compile(r'"|(?:^|\s)-\S|\bor\b', re.IGNORECASE)
WORDS = re.compile(r"[^\W_]+")

VOCABULARY = """
    SELECT word FROM ts_stat($$
        SELECT to_tsvector('simple', name || ' ' || vendor || ' ' || tags::text)
        FROM catalog_product WHERE published
    $$)
    WHERE length(word) >= %s AND word ~ '^[[:alpha:]]+$' ORDER BY nentry DESC, word LIMIT %s
"""


def cleaned(text: str | None) -> str:
    """`text` as PostgreSQL can take it, of bearable length; "" when nothing is left."""
    storable = (text or "").encode("utf-8", "ignore").decode().replace("\x00", " ")
    return " ".join(storable[: 4 * TEXT_MAX].split())[:TEXT_MAX]


def query_for(text: str) -> SearchQuery:
    """Matches cleaned `text` as typed, or with its words as prefixes."""
    as_typed = SearchQuery(text, config=CONFIG, search_type="websearch")
    words = _words(text)
    if OPERATORS.search(text) or not words:
        return as_typed
    return as_typed | _prefixes(words)


def corrected_query_for(text: str, *, using: str) -> SearchQuery | None:
    """The nearest thing that the shop has words for; None when nothing comes near."""
    words = _words(text)
    if not any(len(word) >= CORRECTED_FROM for word in words):
        return None
    vocabulary = _vocabulary(using)
    corrected: list[list[str]] = []
    for word in words[:CORRECTED_MAX]:
        if word in vocabulary or len(word) < CORRECTED_FROM:
            corrected.append([word])
        else:
            corrected.append(_nearest(word, vocabulary))
    if not all(corrected) or corrected == [[word] for word in words]:
        return None
    # Every word must be there in one of its corrections.
    groups = [reduce(or_, (_prefixes([choice]) for choice in choices)) for choices in corrected]
    return reduce(lambda left, right: left & right, groups)


def _nearest(word: str, vocabulary: Sequence[str]) -> list[str]:
    # Not by difflib: a word against 20,000 keeps Python's lock for 35 ms with it, and for 1 so.
    near = process.extract(
        word, vocabulary, scorer=fuzz.ratio, limit=CHOICES, score_cutoff=100 * LIKENESS
    )
    return [other for other, _, _ in near]


def _words(text: str) -> list[str]:
    return [word.lower() for word in WORDS.findall(text)][:WORDS_MAX]


def _prefixes(words: Sequence[str]) -> SearchQuery:
    # Letters and digits only, each quoted: nothing of the shopper's is read as an operator.
    expression = " & ".join(f"'{word}':*" for word in words)
    return SearchQuery(expression, config=CONFIG, search_type="raw")


def _vocabulary(using: str) -> list[str]:
    def fill() -> list[str]:
        with connections[using].cursor() as cursor:
            cursor.execute(VOCABULARY, [CORRECTED_FROM, VOCABULARY_MAX])
            return [word for (word,) in cursor.fetchall()]

    return cache.remembered("vocabulary", "words", fill=fill, decode=list) or []
