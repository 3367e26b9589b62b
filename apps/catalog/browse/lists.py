"""Lists of products, with everything that a card shows."""

from dataclasses import dataclass
from typing import Any, Unpack

from django.db.models import F, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import GreaterThan

from apps.catalog.browse.filters import ListFilters, narrowed
from apps.catalog.browse.orderings import sort_columns
from apps.catalog.browse.stock import UNITS_LEFT
from apps.catalog.models import Product, ProductImage, Variant
from apps.catalog.pictures import PLACEHOLDER

_FIRST_IMAGE = ProductImage.objects.filter(product=OuterRef("pk")).order_by("position", "id")
# PostgreSQL computes these for the rows of the page only, after sorting and limiting. (`in_stock`
# is not an EXISTS here: PostgreSQL would hash that over the whole stock first.)
_CARD: dict[str, Any] = {
    "image_path": Coalesce(Subquery(_FIRST_IMAGE.values("path")[:1]), Value(PLACEHOLDER)),
    "image_alt": Coalesce(Subquery(_FIRST_IMAGE.values("alt")[:1]), Value("")),
    "units_left": UNITS_LEFT,
    "in_stock": GreaterThan(UNITS_LEFT, 0),
    "dearest_amount": Coalesce(
        Subquery(
            Variant.objects.filter(product=OuterRef("pk"), active=True)
            .order_by("-price_amount")
            .values("price_amount")[:1]
        ),
        F("price_amount"),
    ),
}


def products(*, ordering: str | None = None, **filters: Unpack[ListFilters]) -> QuerySet[Product]:
    """Listed products (publishing.py), lazily; slice it and read it once.

    `category` is a slug and includes its subcategories; an unknown one lists nothing. Prices in
    minor units, both ends included. `in_stock` True or False filters, None does not. Raises
    UnknownOrdering.

    Each product carries: `category` (selected), `image_path`, `image_alt`, `units_left` (for sale
    over all variants and warehouses; ENDLESS and more where one sells on), `in_stock`,
    `dearest_amount` (highest price of an active variant, minor units; the card says "from" when it
    is above `price_amount`), and `rank` when searching.
    """
    return found(ordering=ordering, **filters).products


@dataclass(frozen=True)
class Found:
    """A list, as products() gives it; `shown_for` when other words were looked for than typed."""

    products: QuerySet[Product]
    shown_for: str


def found(*, ordering: str | None = None, **filters: Unpack[ListFilters]) -> Found:
    """As products(), with what it is shown for."""
    narrow = narrowed(**filters)
    rows = narrow.rows if narrow.rank is None else narrow.rows.annotate(rank=narrow.rank)
    rows = rows.order_by(*sort_columns(ordering, is_ranked=narrow.rank is not None))
    rows = rows.select_related("category").defer("search", "description").annotate(**_CARD)
    return Found(rows, narrow.shown_for)


def portion(found: QuerySet[Product], *, after: int, count: int) -> list[Product]:
    """`count` products of a list (from products(); unsliced), those before it skipped.

    Far into a list PostgreSQL would compute the annotations of all rows that are skipped. So the
    first query reads the ids, the second the annotations of those.
    """
    if not after:
        return list(found[:count])
    ids = list(found.values_list("pk", flat=True)[after : after + count])
    shown = {product.pk: product for product in found.filter(pk__in=ids).order_by()}
    return [shown[pk] for pk in ids if pk in shown]
