"""Tax rates in the back office."""

from typing import Any

from django import forms
from django.contrib import admin
from django_countries import countries
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import DropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from apps.backoffice.formatting import percent
from apps.backoffice.old_and_new import OldAndNew
from apps.backoffice.read_only import MoneyIsRead
from apps.core.money_forms import PercentField
from apps.taxes.models import TaxRate
from apps.taxes.regions import DECIDES_TAX, canonical, known


class TaxRateForm(forms.ModelForm):
    """A rate for a country or one of its regions."""

    country = forms.ChoiceField(
        choices=lambda: [("", "Select value"), *countries], widget=UnfoldAdminSelectWidget
    )
    rate_bp = PercentField(label="Rate in per cent", widget=UnfoldAdminTextInputWidget)

    class Meta:
        model = TaxRate
        fields = ("country", "region", "name", "rate_bp", "taxes_shipping")
        help_texts = {"region": "State or province, by name or code. Empty: the whole country."}

    def clean(self) -> Any:
        cleaned = super().clean() or self.cleaned_data
        country, region = cleaned.get("country"), cleaned.get("region", "")
        if country and "region" not in self.errors:
            wanted = canonical(country, region)
            others = TaxRate.objects.filter(country=country).exclude(pk=self.instance.pk)
            # "CA" and "California" are one place; the unique constraint compares only the text.
            if region and country in DECIDES_TAX and known(country, region) is None:
                # No address will ever have it: there only known regions are taken.
                self.add_error("region", "There is no such state or province.")
            elif any(canonical(country, other.region) == wanted for other in others):
                self.add_error("region", "There is a rate for this place already.")
            elif region.strip() and not wanted:
                self.add_error("region", "Write a name or a code.")
        return cleaned


class CountryFilter(DropdownFilter):
    """By country; only countries that have a rate."""

    title = "country"
    parameter_name = "country"

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[str, str]]:
        used = TaxRate.objects.order_by("country").values_list("country", flat=True).distinct()
        return [(code, countries.name(code) or code) for code in used]

    def queryset(self, request: Any, queryset: Any) -> Any:
        return queryset.filter(country=self.value()) if self.value() else queryset


@admin.register(TaxRate)
class TaxRateAdmin(OldAndNew, MoneyIsRead, ModelAdmin):
    """Tax rates by country and region."""

    form = TaxRateForm
    list_display = ("place", "name", "rate", "taxes_shipping")
    list_filter = (CountryFilter, "taxes_shipping")
    list_filter_submit = True
    search_fields = ("region", "name", "country")
    ordering = ("country", "region")
    fieldsets = (
        (None, {"fields": (("country", "region"), ("name", "rate_bp"), "taxes_shipping")}),
    )
    shown_instead = {"rate_bp": "rate"}

    @display(description="place", ordering="country")
    def place(self, rate: TaxRate) -> str:
        country = countries.name(rate.country) or rate.country
        return f"{country}, {rate.region}" if rate.region else country

    @display(description="rate", ordering="rate_bp")
    def rate(self, rate: TaxRate) -> str:
        return percent(rate.rate_bp)
