"""Holds as a list: which order keeps which units, or kept them."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from apps.backoffice.day_filter import DaysFilter
from apps.backoffice.formatting import label
from apps.backoffice.order_links import with_holder
from apps.backoffice.read_only import ReadOnlyAdmin
from apps.inventory.admin.holders import ShowsHolder
from apps.inventory.admin.links import stock_item_link
from apps.inventory.admin.order_number_search import OrderNumberSearch
from apps.inventory.models import Hold


@admin.register(Hold)
class HoldAdmin(ShowsHolder, OrderNumberSearch, ReadOnlyAdmin):
    """Active and ended holds, and who holds."""

    list_display = (
        "order", "sku", "quantity", "mailbox", "address", "payment", "state_label", "created_at",
        "expires_at",
    )  # fmt: skip
    list_display_links = ("sku",)
    list_filter = (("state", ChoicesDropdownFilter), ("expires_at", DaysFilter))
    list_select_related = ("stock_item__variant",)
    search_fields = ("=stock_item__variant__sku",)
    ordering = ("-id",)
    fields = readonly_fields = (
        "order", "stock_item_page", "quantity", "mailbox", "address", "payment", "state_label",
        "created_at", "expires_at",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return with_holder(super().get_queryset(request))

    @display(description="SKU", ordering="stock_item__variant__sku")
    def sku(self, hold: Hold) -> str:
        return hold.stock_item.variant.sku

    @display(description="state", ordering="state")
    def state_label(self, hold: Hold) -> SafeString:
        return label(hold.state)

    @display(description="shelf")
    def stock_item_page(self, hold: Hold) -> SafeString:
        return stock_item_link(hold.stock_item)
