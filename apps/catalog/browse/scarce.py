"""Products of which only a few units are left."""

from datetime import timedelta
from operator import attrgetter

from django.db.models import Sum

from apps.catalog import cache
from apps.catalog.browse.lists import products
from apps.catalog.browse.stock import FOR_SALE, UNITS
from apps.catalog.models import Product
from apps.inventory.models import StockItem

COUNTS_KEPT = timedelta(minutes=1)  # what is computed over the whole catalog


def last_few(*, units: int, count: int) -> list[Product]:
    """Up to `count` products of which there are `units` or fewer left, the fewest first.

    Finding them adds up the whole shop's stock, so their ids are cached for a minute, four times
    as many as are shown. How many units each has left is read now.
    """
    found_before: list[int] | None = cache.remembered(
        "few",
        f"{units}-{count}",
        fill=lambda: _ids_with_few(units, 4 * count),
        decode=list[int],
        fresh=COUNTS_KEPT,
    )
    scarce = attrgetter("units_left", "name", "pk")
    found = sorted(products(in_stock=True).filter(pk__in=found_before or []), key=scarce)
    return [product for product in found if scarce(product)[0] <= units][:count]


def _ids_with_few(units: int, most: int) -> list[int]:
    few = (
        StockItem.objects.filter(FOR_SALE, variant__active=True)
        .values("variant__product")
        .annotate(left=Sum(UNITS))
        .filter(left__lte=units, variant__product__published=True, variant__product__listed=True)
        .order_by("left", "variant__product")
    )
    return list(few.values_list("variant__product", flat=True)[:most])
