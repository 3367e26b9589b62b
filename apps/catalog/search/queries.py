"""From terms to a PostgreSQL text query.

Each word is looked for twice: by its stem (`kettles` finds kettle, in descriptions as well), and as
it is or as a beginning (`ket`, `not`) among the whole words of names and tags, and of vendors but
the shop itself. No typed text is read as an operator: the words are letters and digits only, and
quoted.
"""

from collections.abc import Iterator, Sequence
from functools import reduce
from operator import and_, or_

from django.contrib.postgres.search import CombinedSearchQuery, SearchQuery

from apps.catalog.search import synonyms as same
from apps.catalog.search.own_name import begins_own
from apps.catalog.search.reading import Alternatives, Term

Query = SearchQuery | CombinedSearchQuery

STEMS, WHOLE = "english", "simple"
PREFIX_FROM = 2  # characters; a single one begins a tenth of all words
VENDOR = "qzx"  # begins each word of a vendor as it is stored (migration 0003)


def query_for(alternatives: Alternatives, known: same.Synonyms, *, any_word: bool = False) -> Query:
    """Matches one of the non-empty `alternatives`: all of its terms, or with `any_word` one."""
    join = or_ if any_word else and_
    each = (reduce(join, _parts(terms, known)) for terms in alternatives)
    return reduce(or_, each)


def _parts(terms: Sequence[Term], known: same.Synonyms) -> Iterator[Query]:
    start = 0
    while start < len(terms):
        run, others = _longest_run(terms[start:], known)
        query = reduce(and_, (_of_term(term) for term in run))
        yield reduce(or_, (_exactly(words) for words in others), query)
        start += len(run)


def _longest_run(
    terms: Sequence[Term], known: same.Synonyms
) -> tuple[Sequence[Term], list[tuple[str, ...]]]:
    """The first terms that together have synonyms, with these; or the first one alone."""
    if known and not terms[0].is_excluded:
        for length in range(min(same.RUN_MAX, len(terms)), 0, -1):
            run = terms[:length]
            if any(term.is_excluded for term in run):
                continue
            if others := same.also([word for term in run for word in term.words], known):
                return run, others
    return terms[:1], []


def _of_term(term: Term) -> Query:
    query: Query
    marked = () if begins_own(term.words) else tuple(VENDOR + word for word in term.words)
    if term.is_excluded:
        query = ~_raw(term.words, STEMS) & ~_raw(term.words, WHOLE)
        return query & ~_raw(marked, WHOLE) if marked else query
    if term.is_phrase:
        query = _exactly(term.words)
    else:
        query = _raw(term.words, STEMS) | _raw(term.words, WHOLE, is_prefix=True)
    if marked:
        query |= _raw(marked, WHOLE, is_prefix=not term.is_phrase and _may_begin(term.words[0]))
    return reduce(or_, (_raw((word,), WHOLE, is_prefix=True) for word in term.also), query)


def _exactly(words: tuple[str, ...]) -> Query:
    return _raw(words, STEMS) | _raw(words, WHOLE)


def _may_begin(word: str) -> bool:
    return len(word) >= PREFIX_FROM


def _raw(words: tuple[str, ...], config: str, *, is_prefix: bool = False) -> SearchQuery:
    mark = ":*" if is_prefix and _may_begin(words[0]) else ""
    expression = " <-> ".join(f"'{word}'{mark}" for word in words)
    return SearchQuery(expression, config=config, search_type="raw")
