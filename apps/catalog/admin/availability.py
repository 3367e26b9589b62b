"""How much of a variant or product is for sale: read in the list's own query, shown as a label."""

from typing import Any

from django.db.models import F, IntegerField, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.backoffice.formatting import label
from apps.inventory.models import StockItem

LOW = 5  # units for sale


def units_in_stock(field: str, **where: Any) -> Coalesce:
    """The sum of `field` over the stock rows that match `where`, as a subquery; 0 without rows."""
    stock_rows = StockItem.objects.filter(**where).order_by()
    total = stock_rows.annotate(_one=F("pk") * 0).values("_one").annotate(n=Sum(field)).values("n")
    return Coalesce(Subquery(total, output_field=IntegerField()), 0)


def availability_label(on_hand: int, held: int) -> SafeString:
    """`3 for sale`, coloured by how many there are, then the two numbers it comes from."""
    for_sale = on_hand - held
    state = "sold out" if for_sale <= 0 else "low" if for_sale <= LOW else "plenty"
    shown = label(state, f"{for_sale} for sale")
    return format_html("{} {} on hand, {} held", shown, on_hand, held)
