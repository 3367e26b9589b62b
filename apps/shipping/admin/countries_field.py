"""A form field for a list of countries."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django_countries import countries

from apps.shipping.rates import EVERYWHERE_ELSE


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
