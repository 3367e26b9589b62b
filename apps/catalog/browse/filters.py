"""By what a list can be narrowed, and the query that does it."""

from typing import TypedDict

from django.conf import settings
from django.db.models import Subquery

from apps.catalog import search as searching
from apps.catalog.browse.matching import Narrowed, matching
from apps.catalog.browse.stock import IN_STOCK
from apps.catalog.models import Category, Product
from apps.catalog.publishing import LISTED


class ListFilters(TypedDict, total=False):
    """What a list is narrowed by; None, or left out: not by that. See `products`."""

    search: str | None
    category: str | None
    min_price: int | None
    max_price: int | None
    in_stock: bool | None


def narrowed(
    *,
    search: str | None = None,
    category: str | None = None,
    min_price: int | None = None,
    max_price: int | None = None,
    in_stock: bool | None = None,
) -> Narrowed:
    """The rows of such a list, unsorted and without annotations; and what ranks them."""
    # A replica may lag: stock is read from the primary only.
    database = "default" if in_stock is not None else settings.CATALOG_DATABASE
    found = Product.objects.using(database).filter(LISTED).order_by()
    if category is not None:
        found = found.filter(category__in=_below(category, database))
    if min_price is not None:
        found = found.filter(price_amount__gte=min_price)
    if max_price is not None:
        found = found.filter(price_amount__lte=max_price)
    if in_stock is not None:
        found = found.filter(IN_STOCK if in_stock else ~IN_STOCK)
    return matching(found, search)


def _below(slug: str, database: str) -> list[int]:
    """Ids of the category and its descendants: a literal list lets PostgreSQL use the index."""
    storable = searching.cleaned(slug)
    categories = Category.objects.using(database)
    path = categories.filter(slug=storable).values("path")[:1]
    return list(categories.filter(path__startswith=Subquery(path)).values_list("pk", flat=True))
