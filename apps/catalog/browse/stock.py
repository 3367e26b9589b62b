"""Stock of a product as SQL expressions: units for sale over all variants and warehouses."""

from django.db.models import Exists, F, IntegerField, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce

from apps.inventory.models import StockItem

_STOCK_OF_PRODUCT = StockItem.objects.filter(
    variant__product=OuterRef("pk"), variant__active=True, on_hand__gt=F("reserved")
)
IN_STOCK = Exists(_STOCK_OF_PRODUCT)
UNITS_LEFT = Coalesce(
    Subquery(
        _STOCK_OF_PRODUCT.order_by()
        .values("variant__product")
        .annotate(units=Sum(F("on_hand") - F("reserved")))
        .values("units"),
        output_field=IntegerField(),
    ),
    0,
)
