"""What a list could be narrowed by: how many products, in which categories, at what prices.

Counted over all products found, which for a hundred thousand takes longer than the list itself: so
the result is cached for a minute (cache.py), and many visitors cause one count. These are the
numbers beside the list; the list and its stock are read each time.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Unpack

from django.db.models import Count, Max, Min

from apps.catalog import browse, cache
from apps.catalog import search as search_queries
from apps.catalog.browse import ListFilters
from apps.catalog.models import Category


@dataclass(frozen=True)
class CategoryFacet:
    """A category and how many of the listed products are in it or its subcategories."""

    slug: str
    name: str
    depth: int
    count: int


@dataclass(frozen=True)
class Facets:
    """Prices in minor units; None for an empty list. Categories in tree order, none empty."""

    total: int
    min_price: int | None
    max_price: int | None
    categories: tuple[CategoryFacet, ...]
    shown_for: str = ""  # the words that were looked for, when they are not those typed

    def in_category(self, slug: str) -> int:
        """How many of the listed products are in this category or its subcategories."""
        return next((each.count for each in self.categories if each.slug == slug), 0)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Facets":
        categories = tuple(CategoryFacet(**each) for each in data["categories"])
        return cls(**{**data, "categories": categories})


def facets(**filters: Unpack[ListFilters]) -> Facets:
    """Of the list that browse.products gives for the same filters; up to a minute old."""
    filters["search"] = search_queries.cleaned(filters.get("search")) or None
    given = sorted((name, value) for name, value in filters.items() if value is not None)
    words = repr(given).encode("utf-8", "replace")
    found = cache.remembered(
        "facets",
        hashlib.sha256(words).hexdigest(),
        fill=lambda: _count(filters),
        decode=Facets.from_json,
        fresh=browse.COUNTS_KEPT,
    )
    return found or Facets(0, None, None, ())


def _count(filters: ListFilters) -> Facets:
    narrow = browse.narrowed(**filters)
    found = narrow.rows
    rows = list(
        found.values_list("category_id").annotate(
            Count("pk"), Min("price_amount"), Max("price_amount")
        )
    )
    counts = Counter({category: number for category, number, _, _ in rows})
    categories = list(Category.objects.using(found.db).order_by("path"))
    return Facets(
        total=counts.total(),
        min_price=min((least for _, _, least, _ in rows), default=None),
        max_price=max((most for _, _, _, most in rows), default=None),
        categories=tuple(
            CategoryFacet(slug=each.slug, name=each.name, depth=each.depth, count=number)
            for each in categories
            if (number := sum(counts[o.pk] for o in categories if o.path.startswith(each.path)))
        ),
        shown_for=narrow.shown_for,
    )
