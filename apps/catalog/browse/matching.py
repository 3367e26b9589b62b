"""The products that a search finds, and how well each one matches."""

from dataclasses import dataclass
from itertools import chain

from django.contrib.postgres.search import SearchRank
from django.db.models import Case, F, FloatField, Q, QuerySet, Value, When
from django.db.models.expressions import Combinable

from apps.catalog import search as searching
from apps.catalog.browse.any_row import is_any
from apps.catalog.browse.tree import CategoryNode, category_tree
from apps.catalog.models import Product

# D, C, B, A: the vendor, the description, tags, the name. All words of a description together
# weigh less than one in the name.
WEIGHTS = [0.05, 0.1, 0.4, 1.0]
IN_CATEGORY = 0.2  # added for products whose category is called like a word: kettles, for "kettle"
TYPED = 4.0  # times the rank by the typed words alone is added, where synonyms were found as well
NUMBERED = 10.0  # added for those that have it as SKU or barcode


@dataclass(frozen=True)
class Narrowed:
    """The rows of a list, unsorted; `rank` sorts them when something is searched for.

    `shown_for`: the words that were looked for instead of those typed; "" for the typed ones.
    """

    rows: QuerySet[Product]
    rank: Combinable | None = None
    shown_for: str = ""


def matching(
    rows: QuerySet[Product], text: str | None, *, numbered: list[int] | None = None
) -> Narrowed:
    """Those of `rows` that `text` finds; all of them when it asks for nothing.

    `numbered`: the products that have it as SKU or barcode; looked up when absent.
    """
    words = searching.cleaned(text)
    if not words:
        return Narrowed(rows)
    # Looked up first: as a subquery beside the text search it would keep PostgreSQL from using
    # either index.
    if numbered is None:
        numbered = searching.products_numbered(words, using=rows.db)
    alternatives = searching.without_own_name(searching.read(words))
    if not alternatives:
        return Narrowed(rows.filter(pk__in=numbered), rank=_rank(None, numbered, []))
    known = searching.synonyms()
    query = searching.query_for(alternatives, known)
    typed = searching.query_for(alternatives, {}) if known else query
    called = _categories_called(alternatives)
    found = rows.filter(Q(search=query) | Q(pk__in=numbered) if numbered else Q(search=query))
    if is_any(found):
        rank = _rank(query, numbered, called)
        if typed != query:  # what has the typed word comes before what has a synonym
            rank = rank + SearchRank(F("search"), typed, weights=WEIGHTS) * TYPED
        return Narrowed(found, rank=rank)
    for instead in searching.instead_of(alternatives, known, using=rows.db):
        others = rows.filter(search=instead.query)
        if is_any(others):
            called = _categories_called(searching.read(instead.shown_for))
            return Narrowed(others, _rank(instead.query, [], called), instead.shown_for)
    return Narrowed(found, rank=_rank(query, [], []))


def _rank(query: searching.Query | None, numbered: list[int], categories: list[str]) -> Combinable:
    rank: Combinable = Value(0.0, output_field=FloatField())
    if query is not None:
        rank = SearchRank(F("search"), query, weights=WEIGHTS)
    if numbered:
        rank = rank + _if(Q(pk__in=numbered), NUMBERED)
    if categories:
        rank = rank + _if(Q(category__slug__in=categories), IN_CATEGORY)
    return rank


def _if(condition: Q, plus: float) -> Case:
    return Case(When(condition, then=Value(plus)), default=Value(0.0), output_field=FloatField())


def _categories_called(alternatives: searching.Alternatives) -> list[str]:
    """Slugs of categories, and of those below, that have a searched word in their name."""
    typed = {
        word
        for term in chain.from_iterable(alternatives)
        if not term.is_excluded and not term.is_phrase
        for word in term.words
    }
    found: list[str] = []

    def look(nodes: tuple[CategoryNode, ...] | list[CategoryNode], is_below: bool) -> None:
        for node in nodes:
            names = searching.folded(node.name).split()
            is_called = is_below or any(_is_called(word, name) for word in typed for name in names)
            if is_called:
                found.append(node.slug)
            look(node.children, is_called)

    look(category_tree(), False)
    return found


def _is_called(word: str, name: str) -> bool:
    return word == name or f"{word}s" == name or word == f"{name}s"
