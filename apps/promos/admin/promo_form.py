"""The form of a promo: percent, dollars and units instead of basis points and cents."""

from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminTextInputWidget

from apps.core.money_forms import MoneyField, PercentField
from apps.promos.codes import normalise
from apps.promos.models import Promo

K = Promo.Kind
# The fields that each kind needs; the others are set to 0.
NEEDS: dict[str, tuple[str, ...]] = {
    K.PERCENTAGE: ("percent_bp",),
    K.FIXED: ("amount",),
    K.FREE_SHIPPING: (),
    K.BUY_X_GET_Y: ("buy_quantity", "get_quantity"),
}
VALUES = ("percent_bp", "amount", "buy_quantity", "get_quantity")


class PromoForm(forms.ModelForm):
    """A promo; entries that its kind does not need are ignored."""

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
            "customer_limit": "Per mailbox or account, by paid orders. Empty: without limit.",
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
                self.errors.pop(name, None)  # an ignored entry is no error
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
