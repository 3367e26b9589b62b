"""Rates, as rows on the page of a zone or a method.

A rate's band is in grams or in money, depending on its basis. Money is entered as a decimal and
stored in minor units.
"""

from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import TabularInline
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from apps.backoffice.formatting import amount
from apps.backoffice.read_only import MoneyIsRead
from apps.core.money_forms import MoneyField
from apps.shipping.models import Rate

BASES = [(Rate.Basis.WEIGHT.value, "weight, in grams"), (Rate.Basis.TOTAL.value, "order value")]


class GramsField(forms.IntegerField):
    """Whole grams."""

    def __init__(self) -> None:
        super().__init__(min_value=0, max_value=10_000_000)


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


def written(value: int | None, basis: str) -> str:
    """A bound of a band as it is entered: grams, or a decimal amount; "" for none."""
    if value is None:
        return ""
    return str(value) if basis == Rate.Basis.WEIGHT else MoneyField().written(value)


def band(rate: Rate) -> str:
    """A rate's band in words: `from 500 g, below 2000 g`, `from $75.00`."""
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
