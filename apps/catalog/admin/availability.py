"""How much of a variant or product is for sale: read in the list's own query, shown as a label."""

from typing import Any

from django.db.models import Exists, F, IntegerField, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.backoffice.formatting import label
from apps.inventory.models import StockItem
from apps.inventory.policy import Policy

LOW = 5  # units for sale


def units_in_stock(field: str, **where: Any) -> Coalesce:
    """The sum of `field` over the stock rows that match `where`, as a subquery; 0 without rows."""
    stock_rows = StockItem.objects.filter(**where).order_by()
    total = stock_rows.annotate(_one=F("pk") * 0).values("_one").annotate(n=Sum(field)).values("n")
    return Coalesce(Subquery(total, output_field=IntegerField()), 0)


def counted(field: str, **where: Any) -> Coalesce:
    """`units_in_stock` of what is counted: the numbers of the others say nothing."""
    counts = [Policy.DENY, Policy.CONTINUE]
    return units_in_stock(field, variant__inventory_policy__in=counts, **where)


def sells_on(**where: Any) -> Exists:
    """Whether any of these stock rows is sold beyond what is there."""
    return Exists(StockItem.objects.filter(sells_on=True, **where))


def availability_label(on_hand: int, held: int, *, sells_on: bool = False) -> SafeString:
    """`3 for sale`, coloured by how many there are, then the two numbers it comes from."""
    for_sale = on_hand - held
    if for_sale <= 0 and sells_on:
        shown = label("back-ordered", "sells on")
    else:
        state = "sold out" if for_sale <= 0 else "low" if for_sale <= LOW else "plenty"
        shown = label(state, f"{for_sale} for sale")
    return format_html("{} {} on hand, {} held", shown, on_hand, held)
