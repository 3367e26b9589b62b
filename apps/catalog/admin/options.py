"""A product's options (Size: S, M, L) in its form."""

from django import forms
from unfold.admin import TabularInline

from apps.catalog.admin.fields import CommaListField
from apps.catalog.models import ProductOption


class OptionForm(forms.ModelForm):
    """An option and its values."""

    values = CommaListField(help_text="In the shop's order, commas between.")

    class Meta:
        model = ProductOption
        fields = ("name", "values", "position")


class OptionInline(TabularInline):
    """The options that a shopper chooses between."""

    model = ProductOption
    form = OptionForm
    extra = 0
    hide_title = True
