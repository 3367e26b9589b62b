"""The forms for receiving units and adjusting counts."""

from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from apps.backoffice.actions import ReasonForm
from apps.inventory.models import StockItem, Warehouse

MOST_UNITS = 100_000  # in one movement; a larger number is a typing mistake


class MovementForm(ReasonForm):
    """A number per stock item, and one reason for all. `field` gives the bounds of a number."""

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
            # Zero units are no movement: the ledger would get a row that says nothing.
            own.validators.append(not_zero)
        self.order_fields(["form_id", *(name_of(item) for item in items), "reason"])


def name_of(item: StockItem) -> str:
    """The name of a stock item's field in a MovementForm."""
    return f"item_{item.pk}"


def not_zero(value: int) -> None:
    """Refuse an entry of 0."""
    if value == 0:
        raise forms.ValidationError("Enter a number other than 0.")


class ReceiveNewForm(ReasonForm):
    """Units of any SKU, into any warehouse; a missing stock item is created."""

    sku = forms.CharField(
        label="SKU", max_length=255, widget=UnfoldAdminTextInputWidget(attrs={"autofocus": True})
    )
    warehouse = forms.ModelChoiceField(Warehouse.objects.all(), widget=UnfoldAdminSelectWidget)
    quantity = forms.IntegerField(
        min_value=1, max_value=MOST_UNITS, widget=UnfoldAdminIntegerFieldWidget
    )
    field_order = ["form_id", "sku", "warehouse", "quantity", "reason"]
