"""The shop's own name is no search word: it stands on everything that the shop makes itself."""

from functools import cache

from django.conf import settings

from apps.catalog.search.folding import folded
from apps.catalog.search.reading import Alternatives, Term
from apps.catalog.search.small_words import SMALL_WORDS


@cache
def own_words() -> tuple[str, ...]:
    """The words of the shop's name, folded, without small ones."""
    return tuple(word for word in folded(settings.SHOP_NAME).split() if word not in SMALL_WORDS)


def begins_own(words: tuple[str, ...]) -> bool:
    """Whether each of `words` begins a word of the shop's name."""
    return all(any(own.startswith(word) for own in own_words()) for word in words)


def without_own_name(alternatives: Alternatives) -> Alternatives:
    """ "kettle & pine mug" is a search for mugs. The name alone is left as it is."""
    return [_without(terms) for terms in alternatives]


def _without(terms: list[Term]) -> list[Term]:
    own = [(word,) for word in own_words()]
    typed = [term.words for term in terms]
    if len(own) < 2 or len(typed) <= len(own):
        return terms
    for start in range(len(typed) - len(own) + 1):
        if typed[start : start + len(own)] == own:
            return terms[:start] + terms[start + len(own) :]
    return terms
