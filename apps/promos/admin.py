"""Promo codes in the back office: a form that asks for what the kind needs, and who used them.

`used` belongs to the intake: it counts under the promo's row lock. Two things follow. A save here
writes every column except `used`, because a form that was opened before a sale would else take the
sale's use back. And the row is locked from reading to writing, because a limit that was checked
against an older count would meet the CHECK instead of a message.

A code that was redeemed is switched off, never deleted: orders name it.
"""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from apps.promos.codes import normalise
from apps.promos.models import Promo, Redemption
from storefront.backoffice.addresses import CleanAddress
from storefront.backoffice.looks import amount, label, percent
from storefront.backoffice.order_links import LinksToOrder, ids_by_number
from storefront.backoffice.read_only import MoneyIsRead, ReadOnlyAdmin, ReadOnlyInline
from storefront.money_forms import MoneyField, PercentField

K = Promo.Kind
# What each kind is asked for; the other kinds' entries are emptied.
NEEDS: dict[str, tuple[str, ...]] = {
    K.PERCENTAGE: ("percent_bp",),
    K.FIXED: ("amount",),
    K.FREE_SHIPPING: (),
    K.BUY_X_GET_Y: ("buy_quantity", "get_quantity"),
}
VALUES = ("percent_bp", "amount", "buy_quantity", "get_quantity")


class PromoForm(forms.ModelForm):
    """A promo as a merchant thinks of it: per cent, dollars, pieces."""

    percent_bp = PercentField(
        label="Percent off", required=False, widget=UnfoldAdminTextInputWidget, help_text="0 to 100"
    )
    amount = MoneyField(label="Amount off", required=False, widget=UnfoldAdminTextInputWidget)
    min_subtotal_amount = MoneyField(
        label="Minimum subtotal",
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Empty: none.",
    )

    class Meta:
        model = Promo
        fields = (
            "code", "description", "kind", *VALUES, "min_subtotal_amount", "starts_at", "ends_at",
            "total_limit", "customer_limit", "stackable", "active", "products", "categories",
        )  # fmt: skip
        help_texts = {
            "code": "As shown to shoppers; capitals, blanks and hyphens make no difference.",
            "buy_quantity": "So many are paid for …",
            "get_quantity": "… and so many come free.",
            "total_limit": "Empty: without limit.",
            "customer_limit": "Per e-mail address. Empty: without limit.",
            "products": "Empty, and no category either: every product.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("buy_quantity", "get_quantity"):
            if name in self.fields:
                self.fields[name].required = False

    def clean_code(self) -> str:
        code = self.cleaned_data["code"].strip()
        normal = normalise(code)
        if not normal:
            raise ValidationError("A code needs letters or digits.")
        same = Promo.objects.filter(normal_code=normal).exclude(pk=self.instance.pk).first()
        if same is not None:
            raise ValidationError(f"Shoppers could not tell it from “{same.code}”.")
        return code

    def clean_total_limit(self) -> int | None:
        limit = self.cleaned_data["total_limit"]
        if limit is not None and limit < self.instance.used:
            raise ValidationError(f"It was used {self.instance.used} times already.")
        return limit

    def clean_min_subtotal_amount(self) -> int:
        return self.cleaned_data["min_subtotal_amount"] or 0

    def clean(self) -> Any:
        cleaned = super().clean() or self.cleaned_data
        needed = NEEDS.get(cleaned.get("kind", ""), ())
        for name in VALUES:
            if name not in needed:
                cleaned[name] = 0
                self.errors.pop(name, None)  # an entry that does not count is not at fault
            elif name not in self.errors and not cleaned.get(name):
                self.add_error(name, "More than 0, please.")
        starts, ends = cleaned.get("starts_at"), cleaned.get("ends_at")
        if starts and ends and ends <= starts:
            self.add_error("ends_at", "It ends before it starts.")
        return cleaned

    def save(self, commit: bool = True) -> Promo:
        if self.instance.pk is None:
            self.instance.currency = settings.SHOP_CURRENCY
        return super().save(commit)


def state(promo: Promo) -> str:
    """`running`, `scheduled`, `over`, `used up` or `off`, by this machine's clock: to look at."""
    now = timezone.now()
    if not promo.active:
        return "off"
    if promo.ends_at is not None and promo.ends_at <= now:
        return "over"
    if promo.total_limit is not None and promo.used >= promo.total_limit:
        return "used up"
    if promo.starts_at is not None and promo.starts_at > now:
        return "scheduled"
    return "running"


class StateFilter(DropdownFilter):
    """What a shopper who types the code would meet."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("on", "Switched on"), ("off", "Switched off"), ("over", "Over")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        match self.value():
            case "on":
                return queryset.filter(active=True)
            case "off":
                return queryset.filter(active=False)
            case "over":
                return queryset.filter(ends_at__lte=Now())
        return queryset


class RedemptionInline(LinksToOrder, ReadOnlyInline):
    """Who used it, newest first."""

    model = Redemption
    fields = readonly_fields = ("order", "customer_key", "discount", "live", "created_at")
    ordering = ("-created_at", "-id")

    @display(description="discount")
    def discount(self, redemption: Redemption) -> str:
        return amount(redemption.discount_amount)


@admin.register(Promo)
class PromoAdmin(CleanAddress, MoneyIsRead, ModelAdmin):
    """Promo codes."""

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
            # Until the save: no use is counted between checking the limit and writing it.
            return Promo.objects.select_for_update().get(pk=promo.pk)
        return promo

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change:
            obj.save()
            return
        ours = [*form.Meta.fields, "normal_code"]
        columns = {field.name for field in Promo._meta.concrete_fields}
        obj.save(update_fields=[name for name in ours if name in columns])

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


@admin.register(Redemption)
class RedemptionAdmin(LinksToOrder, ReadOnlyAdmin):
    """Every use of every code."""

    list_display = ("created_at", "promo", "order", "customer_key", "discount", "live")
    list_filter = ("live",)
    list_select_related = ("promo",)
    search_fields = ("=customer_key", "=promo__normal_code")
    search_help_text = "E-mail, code or order number"
    ordering = ("-id",)
    fields = readonly_fields = ("promo", "order", "customer_key", "discount", "live", "created_at")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        wanted = Q(customer_key=term.lower()) | Q(order_id__in=list(ids_by_number(term)))
        if normalise(term):
            wanted |= Q(promo__normal_code=normalise(term))
        return queryset.filter(wanted), False

    @display(description="discount")
    def discount(self, redemption: Redemption) -> str:
        return amount(redemption.discount_amount)
