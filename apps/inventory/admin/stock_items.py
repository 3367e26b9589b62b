"""The list of stock items, and the page of one with its holds and its ledger."""

from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from apps.backoffice import csv_export
from apps.backoffice.formatting import label, link
from apps.backoffice.order_links import LinksToOrder, with_holder
from apps.backoffice.read_only import ReadOnlyInline
from apps.inventory.admin.holders import ShowsHolder, biggest_holders
from apps.inventory.admin.levels import LevelFilter, level
from apps.inventory.admin.movement_actions import MovementActions
from apps.inventory.models import Hold, StockItem, StockMovement


class LedgerInline(LinksToOrder, ReadOnlyInline):
    """Every change of `on_hand`, newest first."""

    model = StockMovement
    verbose_name_plural = "ledger"
    fields = readonly_fields = ("created_at", "kind", "change", "reason", "actor", "order")
    ordering = ("-created_at", "-id")

    @display(description="change")
    def change(self, movement: StockMovement) -> str:
        return f"{movement.quantity:+d}"


class ActiveHoldInline(ShowsHolder, LinksToOrder, ReadOnlyInline):
    """What running orders hold of this stock item, holder by holder."""

    model = Hold
    verbose_name_plural = "held for running orders"
    fields = readonly_fields = (
        "order", "mailbox", "address", "payment", "quantity", "created_at", "expires_at",
    )  # fmt: skip
    ordering = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        held = super().get_queryset(request).filter(state=Hold.State.ACTIVE)
        return with_holder(held).order_by("-order_client", "order_mailbox", "expires_at", "id")


@admin.register(StockItem)
class StockItemAdmin(MovementActions):
    """One SKU in one warehouse: its counts, who holds units of it, its ledger."""

    list_display = ("what", "sku", "warehouse", "on_hand", "held", "for_sale", "level")
    list_filter = (("warehouse", RelatedDropdownFilter), LevelFilter)
    list_select_related = ("variant__product", "warehouse")
    search_fields = ("variant__sku", "variant__product__name", "variant__barcode")
    ordering = ("variant__product__name", "variant__position", "warehouse__priority", "id")
    fields = (
        "product", "sku", "warehouse", "on_hand", "held", "for_sale", "when_none_left", "level",
        "held_by",
    )  # fmt: skip
    readonly_fields = ("product", "sku", "held", "for_sale", "when_none_left", "level", "held_by")
    inlines = (ActiveHoldInline, LedgerInline)
    actions = (*MovementActions.actions, "export_selected")

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).select_related("variant__product", "warehouse")

    @display(description="item", ordering="variant__product__name")
    def what(self, item: StockItem) -> str:
        return str(item.variant)

    @display(description="product")
    def product(self, item: StockItem) -> SafeString:
        url = reverse("admin:catalog_product_change", args=[item.variant.product_id])
        return link(url, item.variant)

    @display(description="SKU", ordering="variant__sku")
    def sku(self, item: StockItem) -> str:
        return item.variant.sku

    @display(description="held", ordering="reserved")
    def held(self, item: StockItem) -> int:
        return item.reserved

    @display(description="for sale", ordering=F("on_hand") - F("reserved"))
    def for_sale(self, item: StockItem) -> int:
        return item.on_hand - item.reserved

    @display(description="when none are left")
    def when_none_left(self, item: StockItem) -> str:
        return item.variant.get_inventory_policy_display()

    @display(description="level")
    def level(self, item: StockItem) -> SafeString:
        return label(level(item))

    @display(description="held by")
    def held_by(self, item: StockItem) -> SafeString | str:
        return biggest_holders(item)

    @admin.action(description="Export as CSV", permissions=["view"])
    def export_selected(self, request: HttpRequest, queryset: QuerySet) -> HttpResponseBase:
        columns: list[csv_export.Column] = [
            ("sku", lambda item: item.variant.sku),
            ("item", lambda item: item.variant),
            ("warehouse", lambda item: item.warehouse.code),
            ("on_hand", lambda item: item.on_hand),
            ("held", lambda item: item.reserved),
            ("for_sale", lambda item: item.on_hand - item.reserved),
            ("policy", lambda item: item.variant.inventory_policy),
        ]
        return csv_export.download(request, queryset, columns, name="stock", people=False)
