"""What a list could be narrowed by: how much there is of it, on which shelves, at what prices.

Counted over all that is found, which for a hundred thousand products takes longer than the list
itself: so it is kept for a minute (cache.py), and a crowd counts once. These are the numbers beside
the list; what stands in the list, and whether that is in stock, is read each time.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Unpack

from django.db.models import Count, Max, Min

from apps.catalog import browse, cache
from apps.catalog import search as wording
from apps.catalog.browse import Wishes
from apps.catalog.models import Category


@dataclass(frozen=True)
class CategoryFacet:
    """One shelf and how many of the listed products stand on it or below it."""

    slug: str
    name: str
    depth: int
    count: int


@dataclass(frozen=True)
class Facets:
    """Prices in minor units; None for an empty list. Shelves in the tree's order, none empty."""

    total: int
    min_price: int | None
    max_price: int | None
    categories: tuple[CategoryFacet, ...]

    def on_shelf(self, slug: str) -> int:
        """How many of the listed stand on this shelf or below it."""
        return next((shelf.count for shelf in self.categories if shelf.slug == slug), 0)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Facets":
        categories = tuple(CategoryFacet(**shelf) for shelf in data["categories"])
        return cls(**{**data, "categories": categories})


def facets(**wishes: Unpack[Wishes]) -> Facets:
    """Of the list that browse.products gives for the same wishes; up to a minute old."""
    wishes["search"] = wording.cleaned(wishes.get("search")) or None
    wished = sorted((name, wish) for name, wish in wishes.items() if wish is not None)
    words = repr(wished).encode("utf-8", "replace")
    found = cache.remembered(
        "facets",
        hashlib.sha256(words).hexdigest(),
        fill=lambda: _count(wishes),
        decode=Facets.from_json,
        fresh=browse.COUNTS_KEPT,
    )
    return found or Facets(0, None, None, ())


def _count(wishes: Wishes) -> Facets:
    found, _ = browse.narrowed(**wishes)
    rows = list(
        found.values_list("category_id").annotate(
            Count("pk"), Min("price_amount"), Max("price_amount")
        )
    )
    counts = Counter({shelf: number for shelf, number, _, _ in rows})
    shelves = list(Category.objects.using(found.db).order_by("path"))
    return Facets(
        total=counts.total(),
        min_price=min((least for _, _, least, _ in rows), default=None),
        max_price=max((most for _, _, _, most in rows), default=None),
        categories=tuple(
            CategoryFacet(slug=shelf.slug, name=shelf.name, depth=shelf.depth, count=number)
            for shelf in shelves
            if (number := sum(counts[o.pk] for o in shelves if o.path.startswith(shelf.path)))
        ),
    )
