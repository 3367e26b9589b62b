"""The forms for receiving units, adjusting and counting."""

from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from apps.backoffice.actions import ReasonForm
from apps.inventory import stock
from apps.inventory.models import StockItem, Warehouse

MOST_UNITS = 100_000  # in one movement; a larger number is a typing mistake
MOST_COUNTED = 10_000_000  # on one shelf


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


class CountForm(ReasonForm):
    """What was counted of each stock item, and one reason for all.

    A field that is left empty was not counted. The books as they were when the page was opened go
    along in a hidden field: the count is compared with those (stock.count).
    """

    def __init__(self, *args: Any, items: list[StockItem], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.items = items
        seen = stock.seen_now(items)
        for item in items:
            self.fields[name_of(item)] = forms.IntegerField(
                label=f"{item.variant} ({item.variant.sku})",
                min_value=0,
                max_value=MOST_COUNTED,
                required=len(items) == 1,
                widget=UnfoldAdminIntegerFieldWidget(attrs={"class": "max-w-xs"}),
                help_text=f"{item.warehouse}: {item.on_hand} in the books, {item.reserved} of them"
                " held. Count those as well; leave out what is packed for paid orders.",
            )
            self.fields[seen_of(item)] = forms.RegexField(
                r"\A\d{1,9}/\d{1,9}\Z",
                widget=forms.HiddenInput,
                initial=f"{seen[item.pk].on_hand}/{seen[item.pk].corrections}",
            )
        names = [name for item in items for name in (name_of(item), seen_of(item))]
        self.order_fields(["form_id", *names, "reason"])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not self.errors and not self.counted():
            raise forms.ValidationError("Enter at least one count.")
        return cleaned

    def counted(self) -> list[tuple[StockItem, int, stock.Seen]]:
        """The stock items that were counted, each with its count and what it is compared with."""
        found = []
        for item in self.items:
            count = self.cleaned_data.get(name_of(item))
            if count is not None:
                on_hand, corrections = self.cleaned_data[seen_of(item)].split("/")
                found.append((item, count, stock.Seen(int(on_hand), int(corrections))))
        return found


def seen_of(item: StockItem) -> str:
    """The name of the hidden field with what a stock item's count is compared with."""
    return f"seen_{item.pk}"


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
