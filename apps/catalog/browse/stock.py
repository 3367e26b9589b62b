"""Stock of a product as SQL expressions: units for sale over all variants and warehouses.

What is sold beyond what is there can be bought: it counts as in stock, with ENDLESS units.
"""

from collections.abc import Iterable

from django.db.models import Case, Exists, F, IntegerField, OuterRef, Q, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce

from apps.inventory.models import StockItem
from apps.inventory.policy import Policy
from apps.inventory.stock import ENDLESS

FOR_SALE = Q(on_hand__gt=F("reserved")) | Q(sells_on=True)  # of a stock item
UNITS = Case(
    When(sells_on=True, then=Value(ENDLESS)),
    default=F("on_hand") - F("reserved"),
    output_field=IntegerField(),
)
_STOCK_OF_PRODUCT = StockItem.objects.filter(
    FOR_SALE, variant__product=OuterRef("pk"), variant__active=True
)
IN_STOCK = Exists(_STOCK_OF_PRODUCT)
UNITS_LEFT = Coalesce(
    Subquery(
        _STOCK_OF_PRODUCT.order_by()
        .values("variant__product")
        .annotate(units=Sum(UNITS))
        .values("units"),
        output_field=IntegerField(),
    ),
    0,
)


def back_ordered(product_ids: Iterable[int]) -> set[int]:
    """Those products of which nothing is there, though it can be bought: all of it ships later.

    Products that are sold out may be among the answer; ask for those that are in stock.
    """
    ids = set(product_ids)
    there = StockItem.objects.filter(
        Q(on_hand__gt=F("reserved")) | Q(variant__inventory_policy=Policy.UNTRACKED),
        variant__product__in=ids,
        variant__active=True,
    )
    return ids - set(there.values_list("variant__product", flat=True))
