"""Zones."""

from django import forms
from django.contrib import admin
from django_countries import countries
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from apps.backoffice.old_and_new import OldAndNew
from apps.shipping.admin.countries_field import CountriesField
from apps.shipping.admin.rates import RateInline
from apps.shipping.models import Zone
from apps.shipping.rates import EVERYWHERE_ELSE


class ZoneForm(forms.ModelForm):
    """A set of countries."""

    countries = CountriesField(
        widget=UnfoldAdminTextInputWidget,
        help_text="ISO codes with commas between, such as US, CA; * is everywhere else.",
    )

    class Meta:
        model = Zone
        fields = ("name", "countries")


@admin.register(Zone)
class ZoneAdmin(OldAndNew, ModelAdmin):
    """Sets of countries with the same rates."""

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
