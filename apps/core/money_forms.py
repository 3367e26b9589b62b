"""Form fields that show as decimals what the database keeps as whole numbers.

A clerk types `19.99`, the form returns 1999 minor units; `8.25` per cent become 825 basis points.
Nothing is rounded: a third decimal is a typing error and refused as one, because a silent half cent
on a price would be found in the accounts a year later.
"""

from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError

from apps.core import money

MOST = 10**12  # minor units; a price above ten thousand million is a typing error


class ScaledField(forms.Field):
    """A decimal on the page, a whole number (the decimal times 10 ** `decimals`) in the form."""

    default_error_messages = {
        "invalid": "Write a number such as %(example)s.",
        "too_precise": "At most %(decimals)s decimals.",
        "too_small": "At least %(limit)s.",
        "too_large": "At most %(limit)s.",
    }

    def __init__(
        self, *, decimals: int, min_value: int = 0, max_value: int = MOST, **kwargs: Any
    ) -> None:
        self.decimals, self.min_value, self.max_value = decimals, min_value, max_value
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        """The text in the field: a stored number as a decimal, a typed text as it was typed."""
        return self.written(value) if isinstance(value, int) else value

    def written(self, value: int) -> str:
        """`value` as a decimal: 1999 is 19.99."""
        if not self.decimals:
            return str(value)
        whole, rest = divmod(abs(value), 10**self.decimals)
        return f"{'-' if value < 0 else ''}{whole}.{rest:0{self.decimals}d}"

    def to_python(self, value: Any) -> int | None:
        if value in self.empty_values:
            return None
        if isinstance(value, int):
            return value
        text = str(value).strip()
        # Plain digits only: Decimal itself would also take "1e9", "NaN", "_" and other scripts.
        if not text.isascii() or not text.lstrip("+-").replace(".", "", 1).isdigit():
            raise self._error("invalid", example=self.written(1995))
        try:
            number = Decimal(text)
        except InvalidOperation:
            raise self._error("invalid", example=self.written(1995)) from None
        scaled = number.scaleb(self.decimals)
        if scaled != scaled.to_integral_value():
            raise self._error("too_precise", decimals=self.decimals)
        return int(scaled)

    def validate(self, value: Any) -> None:
        super().validate(value)
        if value is None:
            return
        if value < self.min_value:
            raise self._error("too_small", limit=self.written(self.min_value))
        if value > self.max_value:
            raise self._error("too_large", limit=self.written(self.max_value))

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return self.to_python(initial) != self.to_python(data)
        except ValidationError:
            return True

    def _error(self, code: str, **params: Any) -> ValidationError:
        return ValidationError(self.error_messages[code], code=code, params=params)


class MoneyField(ScaledField):
    """An amount of the shop's currency; cleans to minor units."""

    def __init__(self, *, currency: str = "", **kwargs: Any) -> None:
        self.currency = currency or settings.SHOP_CURRENCY
        digits = money.decimal_string(0, self.currency).partition(".")[2]
        super().__init__(decimals=len(digits), **kwargs)

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {"inputmode": "decimal", "autocomplete": "off"}


class PercentField(ScaledField):
    """A percentage with two decimals, 0 to 100; cleans to basis points."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(decimals=2, **{"max_value": 10_000} | kwargs)

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {"inputmode": "decimal", "autocomplete": "off"}
