"""What to look for when nothing has what was typed: corrected words, then any of the words."""

from collections.abc import Iterator
from dataclasses import dataclass

from apps.catalog.search import vocabulary as catalog_words
from apps.catalog.search.queries import Query, query_for
from apps.catalog.search.reading import Alternatives, Term
from apps.catalog.search.small_words import SMALL_WORDS
from apps.catalog.search.synonyms import Synonyms, also

CORRECTED_MAX = 4  # words; each is compared with the whole vocabulary


@dataclass(frozen=True)
class Instead:
    """Another query, and the words of it as the shopper reads them: "red or kettle"."""

    query: Query
    shown_for: str


def instead_of(alternatives: Alternatives, known: Synonyms, *, using: str) -> Iterator[Instead]:
    """The queries to try, in this order, none when there is nothing like the typed words."""
    terms = [term for terms in alternatives for term in terms if not term.is_excluded]
    excluded = [term for terms in alternatives for term in terms if term.is_excluded]
    if not terms:
        return
    words = catalog_words.vocabulary(using)
    there = frozenset(words)
    lists = [_meant(term, words, there, known) for term in terms[:CORRECTED_MAX]]
    lists += [[term] for term in terms[CORRECTED_MAX:]]
    choices = [each for each in lists if each]
    if not choices:
        return
    if [[term] for term in terms] != choices:
        # Every word must occur, in one of its corrections.
        combined = _combinations(choices)
        yield Instead(query_for([[*one, *excluded] for one in combined], known), _said(choices))
    if len(choices) > 1:
        each = [[term, *excluded] for one in choices for term in one]
        shown = " or ".join(_text(term) for one in choices for term in one)
        yield Instead(query_for(each, known), shown)


def _meant(term: Term, words: list[str], there: frozenset[str], known: Synonyms) -> list[Term]:
    if term.is_phrase or len(term.words) > 1 or also(term.words, known):
        return [term]
    if term.words[0] in SMALL_WORDS:
        return []
    found = catalog_words.meant(term.words[0], words, there)
    return [term] if found == term.words else [Term((other,)) for other in found]


def _combinations(choices: list[list[Term]]) -> Alternatives:
    combined: Alternatives = [[]]
    for terms in choices:
        combined = [[*before, term] for before in combined for term in terms][:CORRECTED_MAX]
    return combined


def _said(choices: list[list[Term]]) -> str:
    return " ".join(" or ".join(_text(term) for term in terms) for terms in choices)


def _text(term: Term) -> str:
    joined = "" if all(len(word) == 1 for word in term.words) else " "
    return joined.join(term.words)
