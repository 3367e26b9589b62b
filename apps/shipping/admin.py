"""Shipping in the back office: where to, by which method, for how much; and the parcels.

A rate's band is grams or money, as its basis says. Money is typed as a decimal here and stored in
minor units like everywhere else. Parcels move by the order's buttons alone.
"""

from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django_countries import countries
from unfold.admin import ModelAdmin, TabularInline
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from apps.shipping import carriers
from apps.shipping.models import Method, Rate, Shipment, Zone
from apps.shipping.rates import EVERYWHERE_ELSE
from storefront.backoffice.looks import amount, label
from storefront.backoffice.order_links import LinksToOrder, ids_by_number
from storefront.backoffice.read_only import MoneyIsRead, ReadOnlyAdmin
from storefront.money_forms import MoneyField


class CountriesField(forms.CharField):
    """ISO codes with commas between, or `*`."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, (list, tuple)) else value

    def clean(self, value: Any) -> Any:
        codes = [code.strip().upper() for code in super().clean(value).split(",")]
        wanted = list(dict.fromkeys(code for code in codes if code))
        unknown = [code for code in wanted if code != EVERYWHERE_ELSE and code not in countries]
        if unknown:
            raise ValidationError(f"No country: {', '.join(unknown)[:80]}.")
        if not wanted:
            raise ValidationError("At least one country, or * for everywhere else.")
        return wanted

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return list(initial or []) != self.clean(data)
        except ValidationError:
            return True


class ZoneForm(forms.ModelForm):
    """A set of countries."""

    countries = CountriesField(
        widget=UnfoldAdminTextInputWidget,
        help_text="ISO codes with commas between, such as US, CA; * is everywhere else.",
    )

    class Meta:
        model = Zone
        fields = ("name", "countries")


class RateForm(forms.ModelForm):
    """A price for a band of weight (grams) or of order value (money)."""

    at_least = forms.CharField(label="From", initial="0", widget=UnfoldAdminTextInputWidget)
    below = forms.CharField(label="Below", required=False, widget=UnfoldAdminTextInputWidget)
    price_amount = MoneyField(label="Price", widget=UnfoldAdminTextInputWidget)

    class Meta:
        model = Rate
        fields = ("zone", "method", "basis", "at_least", "below", "price_amount")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            for name in ("at_least", "below"):
                self.initial[name] = written(getattr(self.instance, name), self.instance.basis)
        if "basis" in self.fields:
            self.fields["basis"].choices = BASES  # type: ignore[attr-defined]

    def clean(self) -> Any:
        cleaned = super().clean() or self.cleaned_data
        by_value = cleaned.get("basis") == Rate.Basis.TOTAL
        field = MoneyField() if by_value else GramsField()
        for name in ("at_least", "below"):
            text = cleaned.get(name)
            if text in (None, ""):
                cleaned[name] = None
                continue
            try:
                cleaned[name] = field.clean(text)
            except ValidationError as error:
                self.add_error(name, error)
        low, high = cleaned.get("at_least"), cleaned.get("below")
        if isinstance(low, int) and isinstance(high, int) and high <= low:
            self.add_error("below", "More than “From”, or empty for no upper end.")
        return cleaned

    def save(self, commit: bool = True) -> Rate:
        if self.instance.pk is None:
            self.instance.currency = settings.SHOP_CURRENCY
        return super().save(commit)


BASES = [(Rate.Basis.WEIGHT.value, "weight, in grams"), (Rate.Basis.TOTAL.value, "order value")]


class GramsField(forms.IntegerField):
    """Whole grams."""

    def __init__(self) -> None:
        super().__init__(min_value=0, max_value=10_000_000)


def written(value: int | None, basis: str) -> str:
    """An end of a band as a person writes it."""
    if value is None:
        return ""
    return str(value) if basis == Rate.Basis.WEIGHT else MoneyField().written(value)


def band(rate: Rate) -> str:
    """`from 500 g, below 2000 g`, `from $75.00`."""
    if rate.basis == Rate.Basis.WEIGHT:
        shown = [f"{Decimal(n):,} g" for n in (rate.at_least, rate.below or 0)]
    else:
        shown = [amount(n, rate.currency) for n in (rate.at_least, rate.below or 0)]
    return f"from {shown[0]}" + ("" if rate.below is None else f", below {shown[1]}")


class RateInline(MoneyIsRead, TabularInline):
    """Rates of a zone or of a method."""

    model = Rate
    form = RateForm
    extra = 0
    per_page = 40
    hide_title = True
    ordering = ("zone", "method", "basis", "at_least")
    readonly_fields = ()
    shown_instead = {"price_amount": "price", "at_least": "band", "below": "currency"}

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).select_related("zone", "method")

    @display(description="price")
    def price(self, rate: Rate) -> str:
        return amount(rate.price_amount, rate.currency)

    @display(description="band")
    def band(self, rate: Rate) -> str:
        return band(rate)


@admin.register(Zone)
class ZoneAdmin(ModelAdmin):
    """Where the shop ships to."""

    form = ZoneForm
    inlines = (RateInline,)
    list_display = ("name", "where")
    search_fields = ("name",)
    ordering = ("name",)

    @display(description="countries")
    def where(self, zone: Zone) -> str:
        return ", ".join(
            "everywhere else" if code == EVERYWHERE_ELSE else countries.name(code) or code
            for code in zone.countries
        )


class MethodForm(forms.ModelForm):
    """A way to ship, with a carrier that there is."""

    carrier = forms.ChoiceField(
        choices=lambda: [(code, code) for code in carriers.codes()],
        widget=UnfoldAdminSelectWidget,
    )

    class Meta:
        model = Method
        fields = ("name", "code", "carrier", "min_days", "max_days", "position", "active")

    def clean(self) -> Any:
        cleaned = super().clean() or self.cleaned_data
        least, most = cleaned.get("min_days"), cleaned.get("max_days")
        if least is not None and most is not None and most < least:
            self.add_error("max_days", "Not fewer than the fewest days.")
        return cleaned


@admin.register(Method)
class MethodAdmin(ModelAdmin):
    """How the shop ships."""

    form = MethodForm
    inlines = (RateInline,)
    list_display = ("name", "code", "carrier", "days", "position", "active")
    search_fields = ("name", "code")
    ordering = ("position", "id")
    prepopulated_fields = {"code": ("name",)}
    fieldsets = (
        (None, {"fields": (
            ("name", "code"), ("carrier", "position"), ("min_days", "max_days"), "active",
        )}),
    )  # fmt: skip

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return super().get_prepopulated_fields(request, obj) if obj is None else {}

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # Orders keep the code of their method.
        return ("code",) if obj is not None else ()

    @display(description="business days")
    def days(self, method: Method) -> str:
        return f"{method.min_days} to {method.max_days}"


@admin.register(Shipment)
class ShipmentAdmin(LinksToOrder, ReadOnlyAdmin):
    """One parcel per order."""

    list_display = (
        "tracking_number", "order", "carrier", "service", "state_label", "estimate", "created_at",
    )  # fmt: skip
    list_filter = (("state", ChoicesDropdownFilter),)
    search_fields = ("tracking_number",)
    search_help_text = "Tracking number or order number"
    ordering = ("-id",)
    fields = readonly_fields = (
        "order", "carrier", "service", "tracking_number", "state_label", "estimate", "created_at",
        "handed_over_at", "delivered_at",
    )  # fmt: skip

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        orders = list(ids_by_number(term))
        wanted = Q(tracking_number__startswith=term.upper()) | Q(order_id__in=orders)
        return queryset.filter(wanted), False

    @display(description="state", ordering="state")
    def state_label(self, shipment: Shipment) -> SafeString:
        return label(shipment.state)

    @display(description="estimate", ordering="estimated_from")
    def estimate(self, shipment: Shipment) -> str:
        return f"{shipment.estimated_from:%-d %b} to {shipment.estimated_to:%-d %b %Y}"
