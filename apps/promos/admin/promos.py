"""The list of promos and the page of one.

`used` belongs to promos/redeem.py, which changes it under the promo's row lock. Two things follow.
A save here writes every column except `used`: a form that was opened before a sale would otherwise
undo the sale's use. And the row is locked from reading to writing: a limit that was checked against
an older count would violate the CHECK, and staff would see an error instead of a message.

A promo with redemptions is switched off, never deleted: orders refer to it.
"""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from apps.backoffice.formatting import amount, label, percent
from apps.backoffice.nul_bytes import NulByteGuard
from apps.backoffice.old_and_new import OldAndNew
from apps.backoffice.read_only import MoneyIsRead
from apps.promos.admin.promo_form import PromoForm
from apps.promos.admin.redemptions import RedemptionInline
from apps.promos.admin.states import StateFilter, state
from apps.promos.models import Promo

K = Promo.Kind


@admin.register(Promo)
class PromoAdmin(OldAndNew, NulByteGuard, MoneyIsRead, ModelAdmin):
    """A promo, its terms, and its redemptions."""

    form = PromoForm
    inlines = (RedemptionInline,)
    list_display = ("code", "gives", "usage", "state_label", "starts_at", "ends_at")
    list_filter = (("kind", ChoicesDropdownFilter), StateFilter)
    list_filter_submit = True
    list_per_page = 50
    search_fields = ("code", "normal_code", "description")
    ordering = ("code",)
    autocomplete_fields = ("products", "categories")
    fieldsets = (
        (None, {"fields": (("code", "description"), "kind")}),
        ("What it gives", {"fields": (
            ("percent_bp", "amount"),
            ("buy_quantity", "get_quantity"),
            ("products", "categories"),
        )}),
        ("When it applies", {"fields": (
            "starts_at",
            "ends_at",
            ("min_subtotal_amount", "stackable"),
            ("total_limit", "customer_limit"),
            ("active", "usage"),
        )}),
    )  # fmt: skip
    readonly_fields = ("usage",)
    conditional_fields = {
        "percent_bp": "kind == 'percentage'",
        "amount": "kind == 'fixed'",
        "buy_quantity": "kind == 'buy_x_get_y'",
        "get_quantity": "kind == 'buy_x_get_y'",
    }
    shown_instead = {
        "percent_bp": "percent_shown",
        "amount": "amount_shown",
        "min_subtotal_amount": "minimum_shown",
    }

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {}

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if obj is not None and obj.redemptions.exists():
            return False
        return super().has_delete_permission(request, obj)

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        promo = super().get_object(request, object_id, from_field)
        if promo is not None and request.method == "POST":
            # Locked until the save: no use is counted between checking the limit and writing it.
            return Promo.objects.select_for_update().get(pk=promo.pk)
        return promo

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change:
            obj.save()
            return
        editable = [*form.Meta.fields, "normal_code"]
        columns = {field.name for field in Promo._meta.concrete_fields}
        obj.save(update_fields=[name for name in editable if name in columns])

    @display(description="gives")
    def gives(self, promo: Promo) -> str:
        match promo.kind:
            case K.PERCENTAGE:
                return f"{percent(promo.percent_bp)} off"
            case K.FIXED:
                return f"{amount(promo.amount, promo.currency)} off"
            case K.BUY_X_GET_Y:
                return f"buy {promo.buy_quantity}, get {promo.get_quantity} free"
        return "free shipping"

    @display(description="used", ordering="used")
    def usage(self, promo: Promo) -> str:
        return f"{promo.used} of {promo.total_limit}" if promo.total_limit else f"{promo.used}"

    @display(description="state")
    def state_label(self, promo: Promo) -> SafeString:
        return label(state(promo))

    @display(description="percent off")
    def percent_shown(self, promo: Promo) -> str:
        return percent(promo.percent_bp)

    @display(description="amount off")
    def amount_shown(self, promo: Promo) -> str:
        return amount(promo.amount, promo.currency)

    @display(description="minimum subtotal")
    def minimum_shown(self, promo: Promo) -> str:
        return amount(promo.min_subtotal_amount, promo.currency)
