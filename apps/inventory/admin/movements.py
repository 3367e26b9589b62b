"""The ledger as a list: every change of `on_hand`, newest first."""

from django.contrib import admin
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from apps.backoffice.day_filter import DaysFilter
from apps.backoffice.read_only import ReadOnlyAdmin
from apps.inventory.admin.links import stock_item_link
from apps.inventory.admin.order_number_search import OrderNumberSearch
from apps.inventory.models import StockMovement


@admin.register(StockMovement)
class StockMovementAdmin(OrderNumberSearch, ReadOnlyAdmin):
    """All movements of all stock items."""

    list_display = ("created_at", "sku", "kind", "change", "reason", "actor", "order")
    list_filter = (("kind", ChoicesDropdownFilter), ("created_at", DaysFilter))
    list_select_related = ("stock_item__variant",)
    search_fields = ("=stock_item__variant__sku",)
    ordering = ("-created_at", "-id")
    fields = readonly_fields = (
        "created_at", "stock_item_page", "kind", "change", "reason", "actor", "order", "id",
    )  # fmt: skip

    @display(description="SKU", ordering="stock_item__variant__sku")
    def sku(self, movement: StockMovement) -> str:
        return movement.stock_item.variant.sku

    @display(description="change", ordering="quantity")
    def change(self, movement: StockMovement) -> str:
        return f"{movement.quantity:+d}"

    @display(description="shelf")
    def stock_item_page(self, movement: StockMovement) -> SafeString:
        return stock_item_link(movement.stock_item)
