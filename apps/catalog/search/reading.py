"""What was typed, as terms: words, phrases in quotes, `-` before what is not wanted, `or`.

Any text can be read; what makes no sense as an operator is a word or nothing.
"""

import re
from dataclasses import dataclass

from apps.catalog.search.folding import CHARACTER, folded, written_out
from apps.catalog.search.small_words import SMALL_WORDS

TEXT_MAX = 200  # characters; more is a paste, not a search
TERMS_MAX = 12
TOKEN = re.compile(r'(?<!\S)(-(?=[^\s-]))?(?:"([^"]*)"|(\S+))')


@dataclass(frozen=True, slots=True)
class Term:
    """Words one after the other, mostly a single one. `also`: the same, spelled otherwise."""

    words: tuple[str, ...]
    is_excluded: bool = False
    is_phrase: bool = False
    also: tuple[str, ...] = ()


# One of these lists of terms must occur: `mug or red kettle` is two.
Alternatives = list[list[Term]]


def cleaned(text: str | None) -> str:
    """`text` as PostgreSQL can take it, and not too long; "" when nothing is left."""
    storable = (text or "").encode("utf-8", "ignore").decode().replace("\x00", " ")
    return " ".join(storable[: 4 * TEXT_MAX].split())[:TEXT_MAX]


def read(text: str) -> Alternatives:
    """The terms of cleaned `text`; no empty lists, and no list when it holds no word."""
    alternatives: Alternatives = [[]]
    left = TERMS_MAX
    for token in TOKEN.finditer(text):
        minus, quoted, word = token.groups()
        if word and not minus and word.lower() == "or":
            alternatives.append([])
            continue
        terms = _phrase(quoted) if quoted is not None else _words(word)
        for term in terms[:left]:
            alternatives[-1].append(_excluding(term) if minus else term)
        left -= len(terms[:left])
    return [wanted for terms in alternatives if (wanted := _without_small(terms))]


def _phrase(text: str) -> list[Term]:
    words = tuple(folded(text).split())[:TERMS_MAX]
    return [Term(words, is_phrase=True)] if words else []


def _words(text: str) -> list[Term]:
    """One for each word of `text`; characters of Chinese, Japanese or Korean in a row are one."""
    terms: list[Term] = []
    row: list[str] = []
    for word in [*folded(text).split(), ""]:
        if CHARACTER.fullmatch(word):
            row.append(word)
            continue
        if row:
            terms.append(Term(tuple(row[:TERMS_MAX]), is_phrase=True))
            row = []
        if word:
            terms.append(Term((word,)))
    if len(terms) == 1 and (spelled := written_out(text)) and " " not in spelled:
        return [Term(terms[0].words, is_phrase=terms[0].is_phrase, also=(spelled,))]
    return terms


def _excluding(term: Term) -> Term:
    return Term(term.words, is_excluded=True, is_phrase=term.is_phrase)


def _without_small(terms: list[Term]) -> list[Term]:
    large = [term for term in terms if term.is_phrase or term.words[0] not in SMALL_WORDS]
    return large if any(not term.is_excluded for term in large) else terms
