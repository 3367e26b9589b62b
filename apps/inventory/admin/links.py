"""Links between the pages of stock."""

from django.urls import reverse
from django.utils.safestring import SafeString

from apps.backoffice.formatting import link
from apps.inventory.models import StockItem


def stock_item_link(item: StockItem) -> SafeString:
    """A link to a stock item's page, named by its SKU."""
    return link(reverse("admin:inventory_stockitem_change", args=[item.pk]), item.variant.sku)
