"""Stock in the back office: looked at everywhere, changed by movements with a reason only.

`on_hand` has no form field. Units come in by "Receive units" and are corrected by "Adjust count";
both go through `stock.receive` and `stock.adjust`, for one shelf or many at once, all or none.
"""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.urls import path, reverse
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import (
    ChoicesDropdownFilter,
    DropdownFilter,
    RelatedDropdownFilter,
)
from unfold.decorators import action, display
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from apps.inventory import stock
from apps.inventory.models import Hold, StockItem, StockMovement, Warehouse
from storefront.backoffice import csv_export
from storefront.backoffice.checks import OfflineChecks
from storefront.backoffice.day_filter import DaysFilter
from storefront.backoffice.deeds import Deed, Done, ReasonForm, Refusal, actor, chosen_ids, perform
from storefront.backoffice.looks import label, link
from storefront.backoffice.order_links import LinksToOrder, ids_by_number
from storefront.backoffice.read_only import ReadOnlyAdmin, ReadOnlyInline

LOW = 5  # units for sale at which a shelf is worth a look
MOST_UNITS = 100_000  # in one movement; more is a slip of the hand
MOST_SHELVES = 50  # in one bulk movement
MOVE = "inventory.add_stockmovement"


def level(item: StockItem) -> str:
    """`sold out`, `low` or `plenty`, by what is for sale."""
    for_sale = item.on_hand - item.reserved
    return "sold out" if for_sale <= 0 else "low" if for_sale <= LOW else "plenty"


class LevelFilter(DropdownFilter):
    """By what is for sale, holds taken off."""

    title = "level"
    parameter_name = "level"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("out", "Sold out"),
            ("low", f"Low: 1 to {LOW} for sale"),
            ("held", "With units held"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        match self.value():
            case "out":
                return queryset.filter(on_hand__lte=F("reserved"))
            case "low":
                return queryset.filter(on_hand__gt=F("reserved"), on_hand__lte=F("reserved") + LOW)
            case "held":
                return queryset.filter(reserved__gt=0)
        return queryset


class MovementForm(ReasonForm):
    """A number per shelf, and one reason for all."""

    def __init__(self, *args: Any, items: list[StockItem], field: forms.Field, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.items = items
        for item in items:
            own = self.fields[name_of(item)] = forms.IntegerField(
                label=f"{item.variant} ({item.variant.sku})",
                min_value=field.min_value,  # type: ignore[attr-defined]
                max_value=field.max_value,  # type: ignore[attr-defined]
                widget=UnfoldAdminIntegerFieldWidget(attrs={"class": "max-w-xs"}),
                help_text=f"{item.warehouse}: {item.on_hand} on hand, {item.reserved} of them"
                " held." + (f" {field.help_text}" if field.help_text else ""),
            )
            # Zero units are no movement; the ledger has no room for lines that say nothing.
            own.validators.append(not_zero)
        self.order_fields(["form_id", *(name_of(item) for item in items), "reason"])


def name_of(item: StockItem) -> str:
    """The field of a shelf in a MovementForm."""
    return f"item_{item.pk}"


def not_zero(value: int) -> None:
    """An entry of 0 is a mistake."""
    if value == 0:
        raise forms.ValidationError("Enter a number other than 0.")


class ReceiveNewForm(ReasonForm):
    """Units of any SKU, into any warehouse; the shelf is made when it is new."""

    sku = forms.CharField(
        label="SKU", max_length=120, widget=UnfoldAdminTextInputWidget(attrs={"autofocus": True})
    )
    warehouse = forms.ModelChoiceField(Warehouse.objects.all(), widget=UnfoldAdminSelectWidget)
    quantity = forms.IntegerField(
        min_value=1, max_value=MOST_UNITS, widget=UnfoldAdminIntegerFieldWidget
    )
    field_order = ["form_id", "sku", "warehouse", "quantity", "reason"]


class LedgerInline(LinksToOrder, ReadOnlyInline):
    """Every change of `on_hand`, newest first."""

    model = StockMovement
    verbose_name_plural = "ledger"
    fields = readonly_fields = ("created_at", "kind", "change", "reason", "actor", "order")
    ordering = ("-created_at", "-id")

    @display(description="change")
    def change(self, movement: StockMovement) -> str:
        return f"{movement.quantity:+d}"


class ActiveHoldInline(LinksToOrder, ReadOnlyInline):
    """What running orders keep of this shelf."""

    model = Hold
    verbose_name_plural = "held for running orders"
    fields = readonly_fields = ("order", "quantity", "created_at", "expires_at")
    ordering = ("expires_at", "id")

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).filter(state=Hold.State.ACTIVE)


@admin.register(StockItem)
class StockItemAdmin(ReadOnlyAdmin):
    """One shelf: one SKU in one warehouse."""

    list_display = ("what", "sku", "warehouse", "on_hand", "held", "for_sale", "level")
    list_filter = (("warehouse", RelatedDropdownFilter), LevelFilter)
    list_select_related = ("variant__product", "warehouse")
    search_fields = ("variant__sku", "variant__product__name", "variant__barcode")
    ordering = ("variant__product__name", "variant__position", "warehouse__priority", "id")
    fields = ("product", "sku", "warehouse", "on_hand", "held", "for_sale", "level")
    readonly_fields = ("product", "sku", "held", "for_sale", "level")
    inlines = (ActiveHoldInline, LedgerInline)
    actions = ("receive_selected", "adjust_selected", "export_selected")
    actions_list = ("receive_new",)
    actions_detail = ("receive_here", "adjust_here")

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

    @display(description="level")
    def level(self, item: StockItem) -> SafeString:
        return label(level(item))

    # --- movements ------------------------------------------------------------------------------

    def has_move_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may put units in or correct a count."""
        return request.user.has_perm(MOVE)  # type: ignore[union-attr]

    @admin.action(description="Receive units", permissions=["move"])
    def receive_selected(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return self._ask_for(request, queryset, "receive")

    @admin.action(description="Adjust count", permissions=["move"])
    def adjust_selected(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return self._ask_for(request, queryset, "adjust")

    @action(description="Receive units", url_path="receive", permissions=[MOVE], icon="add_box")
    def receive_here(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._movement(request, "receive", [object_id], self._page(object_id))

    @action(description="Adjust count", url_path="adjust", permissions=[MOVE], icon="edit_note")
    def adjust_here(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._movement(request, "adjust", [object_id], self._page(object_id))

    @action(description="Receive units", url_path="receive", permissions=[MOVE], icon="add_box")
    def receive_new(self, request: HttpRequest) -> HttpResponse:
        deed = Deed(
            title="Receive units",
            button="Receive",
            permission=MOVE,
            form=ReceiveNewForm,
            initial={"warehouse": Warehouse.objects.filter(is_default=True).first()},
            explanation="Units that have arrived go on the shelf at once and are for sale.",
            do=lambda form: _received_new(form, actor(request)),
        )
        return perform(self, request, deed, back=self._list())

    def get_urls(self) -> list[Any]:
        bulk = [
            path(
                f"{verb}-selected/",
                self.admin_site.admin_view(self._bulk_view(verb)),
                name=f"inventory_stockitem_{verb}_selected",
            )
            for verb in ("receive", "adjust")
        ]
        return bulk + super().get_urls()

    def _bulk_view(self, verb: str) -> Any:
        def view(request: HttpRequest) -> HttpResponse:
            ids = [str(i) for i in chosen_ids(request, most=MOST_SHELVES)]
            return self._movement(request, verb, ids, self._list())

        return view

    def _ask_for(self, request: HttpRequest, queryset: QuerySet, verb: str) -> HttpResponse | None:
        ids = list(queryset.order_by("pk").values_list("pk", flat=True)[: MOST_SHELVES + 1])
        if len(ids) > MOST_SHELVES:
            messages.error(request, f"Choose at most {MOST_SHELVES} shelves at once.")
            return None
        url = reverse(f"admin:inventory_stockitem_{verb}_selected")
        return HttpResponseRedirect(f"{url}?ids={','.join(map(str, ids))}")

    def _movement(self, request: HttpRequest, verb: str, ids: list[str], back: str) -> HttpResponse:
        numbers = [int(i) for i in ids if i.isascii() and i.isdigit() and len(i) < 19]
        # Ascending id: two clerks with overlapping choices queue up instead of deadlocking.
        items = list(self.get_queryset(request).filter(pk__in=numbers).order_by("pk"))
        if not items:
            messages.error(request, "No such shelf.")
            return HttpResponseRedirect(self._list())
        receiving = verb == "receive"
        field = (
            forms.IntegerField(min_value=1, max_value=MOST_UNITS)
            if receiving
            else forms.IntegerField(
                min_value=-MOST_UNITS,
                max_value=MOST_UNITS,
                help_text="The difference: -2 when two are missing, 3 when three turned up.",
            )
        )
        deed = Deed(
            title="Receive units" if receiving else "Adjust count",
            button="Receive" if receiving else "Adjust",
            permission=MOVE,
            explanation="Units that have arrived go on the shelf at once and are for sale."
            if receiving
            else "Corrects what lies on the shelf. Units held for running orders stay.",
            form=lambda *args, **kwargs: MovementForm(*args, items=items, field=field, **kwargs),
            do=lambda form: _moved(form, receiving=receiving, actor=actor(request)),
        )
        return perform(self, request, deed, back=back, target=items[0] if len(items) == 1 else None)

    def _page(self, object_id: str) -> str:
        return reverse("admin:inventory_stockitem_change", args=[object_id])

    def _list(self) -> str:
        return reverse("admin:inventory_stockitem_changelist")

    @admin.action(description="Export as CSV", permissions=["view"])
    def export_selected(self, request: HttpRequest, queryset: QuerySet) -> StreamingHttpResponse:
        columns: list[csv_export.Column] = [
            ("sku", lambda item: item.variant.sku),
            ("item", lambda item: item.variant),
            ("warehouse", lambda item: item.warehouse.code),
            ("on_hand", lambda item: item.on_hand),
            ("held", lambda item: item.reserved),
            ("for_sale", lambda item: item.on_hand - item.reserved),
        ]
        return csv_export.download(request, queryset, columns, name="stock")


def _moved(form: MovementForm, *, receiving: bool, actor: str) -> Done:
    """Move every shelf of the form, or raise a Refusal that names the field."""
    done = []
    reason = form.cleaned_data["reason"]
    for item in form.items:
        sku, units = item.variant.sku, form.cleaned_data[name_of(item)]
        try:
            if receiving:
                moved = stock.receive(
                    sku=sku, quantity=units, reason=reason, actor=actor, warehouse=item.warehouse
                )
            else:
                moved = stock.adjust(
                    sku=sku, change=units, reason=reason, actor=actor, warehouse=item.warehouse
                )
        except stock.WouldGoBelowReserved as refused:
            raise Refusal(
                f"{refused.on_hand} on hand, {refused.reserved} of them held for orders:"
                f" at most {refused.on_hand - refused.reserved} can be taken away.",
                field=name_of(item),
            ) from refused
        done.append((item, f"{sku}: {units:+d}, now {moved.on_hand} on hand. {reason}"))
    return done


def _received_new(form: ReceiveNewForm, actor: str) -> Done:
    sku, quantity = form.cleaned_data["sku"], form.cleaned_data["quantity"]
    reason = form.cleaned_data["reason"]
    try:
        item = stock.receive(
            sku=sku,
            quantity=quantity,
            reason=reason,
            actor=actor,
            warehouse=form.cleaned_data["warehouse"],
        )
    except stock.UnknownSku as unknown:
        raise Refusal("No variant has this SKU.", field="sku") from unknown
    return [(item, f"{sku}: {quantity:+d}, now {item.on_hand} on hand. {reason}")]


class OrderNumberSearch(LinksToOrder):
    """Finds rows with an `order_id` by the order's number, too."""

    search_help_text = "SKU or order number"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        found, distinct = super().get_search_results(  # type: ignore[misc]
            request, queryset, search_term
        )
        term = search_term.strip()
        if term:
            found = found | queryset.filter(order_id__in=list(ids_by_number(term)))
        return found, distinct


@admin.register(StockMovement)
class StockMovementAdmin(OrderNumberSearch, ReadOnlyAdmin):
    """The whole ledger."""

    list_display = ("created_at", "sku", "kind", "change", "reason", "actor", "order")
    list_filter = (("kind", ChoicesDropdownFilter), ("created_at", DaysFilter))
    list_select_related = ("stock_item__variant",)
    search_fields = ("=stock_item__variant__sku",)
    ordering = ("-created_at", "-id")
    fields = readonly_fields = (
        "created_at", "shelf", "kind", "change", "reason", "actor", "order", "id",
    )  # fmt: skip

    @display(description="SKU", ordering="stock_item__variant__sku")
    def sku(self, movement: StockMovement) -> str:
        return movement.stock_item.variant.sku

    @display(description="change", ordering="quantity")
    def change(self, movement: StockMovement) -> str:
        return f"{movement.quantity:+d}"

    @display(description="shelf")
    def shelf(self, movement: StockMovement) -> SafeString:
        return shelf_link(movement.stock_item)


@admin.register(Hold)
class HoldAdmin(OrderNumberSearch, ReadOnlyAdmin):
    """Units kept for orders, now and before."""

    list_display = ("order", "sku", "quantity", "state_label", "created_at", "expires_at")
    list_display_links = ("sku",)
    list_filter = (("state", ChoicesDropdownFilter), ("expires_at", DaysFilter))
    list_select_related = ("stock_item__variant",)
    search_fields = ("=stock_item__variant__sku",)
    ordering = ("-id",)
    fields = readonly_fields = (
        "order", "shelf", "quantity", "state_label", "created_at", "expires_at",
    )  # fmt: skip

    @display(description="SKU", ordering="stock_item__variant__sku")
    def sku(self, hold: Hold) -> str:
        return hold.stock_item.variant.sku

    @display(description="state", ordering="state")
    def state_label(self, hold: Hold) -> SafeString:
        return label(hold.state)

    @display(description="shelf")
    def shelf(self, hold: Hold) -> SafeString:
        return shelf_link(hold.stock_item)


def shelf_link(item: StockItem) -> SafeString:
    """A link to a shelf, named by its SKU."""
    return link(reverse("admin:inventory_stockitem_change", args=[item.pk]), item.variant.sku)


@admin.register(Warehouse)
class WarehouseAdmin(ModelAdmin):
    """The places that ship. Which is the default is a deed: there is always at most one."""

    checks_class = OfflineChecks
    list_display = ("name", "code", "priority", "is_default")
    fields = ("name", "code", "priority", "is_default")
    readonly_fields = ("is_default",)
    prepopulated_fields = {"code": ("name",)}
    actions = ()
    actions_detail = ("make_default",)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {}

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return super().get_prepopulated_fields(request, obj) if obj is None else {}

    @action(
        description="Make default",
        url_path="make-default",
        permissions=["inventory.change_warehouse"],
        icon="star",
    )
    def make_default(self, request: HttpRequest, object_id: str) -> HttpResponse:
        back = reverse("admin:inventory_warehouse_change", args=[object_id])
        warehouse = self.get_object(request, object_id)
        if warehouse is None:
            messages.error(request, "No such warehouse.")
            return HttpResponseRedirect(reverse("admin:inventory_warehouse_changelist"))

        def do(_form: Any) -> Done:
            # Locked in one order; the unique constraint would else refuse the second of two clerks.
            list(Warehouse.objects.select_for_update().order_by("pk"))
            Warehouse.objects.filter(is_default=True).update(is_default=False)
            Warehouse.objects.filter(pk=warehouse.pk).update(is_default=True)
            return [(warehouse, f"{warehouse} is the default warehouse now.")]

        deed = Deed(
            title=f"Make {warehouse} the default warehouse",
            button="Make default",
            permission="inventory.change_warehouse",
            explanation="Imports and plain receipts go to the default warehouse.",
            form=ReasonForm,
            do=do,
        )
        return perform(self, request, deed, back=back, target=warehouse)
