"""A product's variants in its form. A SKU is fixed once it is made."""

from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import OuterRef, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import StackedInline
from unfold.decorators import display
from unfold.forms import PaginationInlineFormSet
from unfold.widgets import UnfoldAdminTextInputWidget

from apps.backoffice.actions import actor
from apps.backoffice.formatting import amount, label, link
from apps.backoffice.read_only import MoneyIsRead
from apps.catalog import limits
from apps.catalog.admin.availability import availability_label, units_in_stock
from apps.catalog.admin.fields import OptionsField
from apps.catalog.models import Variant
from apps.catalog.publishing import objections
from apps.catalog.services import check_policies, switch_policies
from apps.catalog.text import code
from apps.core.money_forms import MoneyField
from apps.inventory.switching import UnitsOwed


class VariantForm(forms.ModelForm):
    """One SKU; amounts as decimals."""

    price_amount = MoneyField(label="Price", widget=UnfoldAdminTextInputWidget)
    compare_at_amount = MoneyField(
        label="Compare at",
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="The crossed-out price, if there is one.",
    )
    options = OptionsField(required=False, help_text="Such as “Size: Large, Colour: Moss”.")

    class Meta:
        model = Variant
        fields = (
            "sku", "name", "options", "price_amount", "compare_at_amount", "weight_grams",
            "barcode", "inventory_policy", "taxable", "requires_shipping", "active", "position",
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and "sku" in self.fields:
            self.fields["sku"].disabled = True
        if "inventory_policy" in self.fields:
            self.fields["inventory_policy"].required = False

    def clean_sku(self) -> str:
        if self.instance.pk:
            return self.instance.sku
        sku = code(self.cleaned_data["sku"])
        if not sku:
            raise ValidationError("A SKU has at least one letter or digit.")
        return sku

    def clean_barcode(self) -> str:
        return code(self.cleaned_data["barcode"])

    def clean_inventory_policy(self) -> str:
        return self.cleaned_data["inventory_policy"] or Variant.InventoryPolicy.DENY

    def clean(self) -> Any:
        cleaned = super().clean() or self.cleaned_data
        price, compared = cleaned.get("price_amount"), cleaned.get("compare_at_amount")
        if price is not None and compared is not None and compared <= price:
            self.add_error("compare_at_amount", "Leave it empty, or make it more than the price.")
        if not cleaned.get("name") and cleaned.get("options"):
            cleaned["name"] = " / ".join(cleaned["options"].values())[: limits.NAME]
        return cleaned

    def save(self, commit: bool = True) -> Variant:
        if self.instance.pk is None:
            self.instance.currency = settings.SHOP_CURRENCY
        return super().save(commit)


class VariantFormSet(PaginationInlineFormSet):
    """The variants on this page of the form."""

    actor = ""  # who changes them, for the ledger; set by VariantInline

    def clean(self) -> None:
        """A product is published with what it needs (publishing.py), or not at all."""
        super().clean()
        self._check_policies()
        product = self.instance
        if not product.published or any(self.errors):
            return
        found = objections(
            has_category=product.category_id is not None,
            has_offer=self._has_offer(),
            gift_card=product.gift_card,
        )
        if found:
            raise ValidationError(
                f"This product cannot be published: {'; '.join(found)}. Mend that here, or take the"
                " tick from “published” and save."
            )

    def save(self, commit: bool = True) -> Any:
        """Save what changed; the stock first, where an inventory policy needs that."""
        new = {form.instance: policy for form, policy in self._new_policies()}
        switch_policies(new, actor=self.actor)
        return super().save(commit)

    def _check_policies(self) -> None:
        """Say at its field why a variant cannot have its new policy yet.

        The stock stays locked until the form is saved, so that what is allowed here is so there.
        """
        changed = {form.instance.pk: (form, policy) for form, policy in self._new_policies()}
        try:
            check_policies({pk: policy for pk, (_, policy) in changed.items()})
        except UnitsOwed as owed:
            changed[owed.variant_id][0].add_error("inventory_policy", str(owed))

    def _new_policies(self) -> list[tuple[Any, str]]:
        """(form, policy) of each variant that is there already and gets another policy."""
        return [
            (form, form.cleaned_data["inventory_policy"])
            for form in self.forms
            if form.instance.pk is not None
            and "inventory_policy" in form.changed_data
            and "inventory_policy" in getattr(form, "cleaned_data", {})
        ]

    def _has_offer(self) -> bool:
        filled = [form for form in self.forms if form.has_changed() or form.instance.pk]
        if any(f.cleaned_data.get("active") and f.cleaned_data.get("sku") for f in filled):
            return True
        if self.instance.pk is None:
            return False
        shown = [form.instance.pk for form in filled if form.instance.pk]
        others = Variant.objects.filter(product=self.instance, active=True)
        return others.exclude(pk__in=shown).exists()  # on other pages of the form


class VariantInline(MoneyIsRead, StackedInline):
    """Variants in pages of twenty: a product with a hundred of them must fit into one form."""

    model = Variant
    form = VariantForm
    formset = VariantFormSet
    extra = 0
    per_page = 20
    can_delete = False
    collapsible = True
    fieldsets = (
        (None, {"fields": (
            ("sku", "active"),
            ("name", "options"),
            ("price_amount", "compare_at_amount"),
            ("weight_grams", "barcode"),
            "inventory_policy",
            ("taxable", "requires_shipping"),
            ("position", "stock_now"),
        )}),
    )  # fmt: skip
    readonly_fields = ("stock_now",)
    shown_instead = {"price_amount": "price", "compare_at_amount": "compare_at"}

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return (
            super()
            .get_queryset(request)
            .select_related("product")
            .annotate(
                units_on_hand=units_in_stock("on_hand", variant=OuterRef("pk")),
                units_held=units_in_stock("reserved", variant=OuterRef("pk")),
            )
        )

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        made = super().get_formset(request, obj, **kwargs)
        made.actor = actor(request)
        return made

    @display(description="stock")
    def stock_now(self, variant: Any) -> SafeString | str:
        if variant.pk is None:
            return "Save first; then units are received on the stock page."
        url = reverse("admin:inventory_stockitem_changelist")
        if variant.inventory_policy == Variant.InventoryPolicy.UNTRACKED:
            shown = label("not counted")
        else:
            shown = availability_label(
                variant.units_on_hand,
                variant.units_held,
                sells_on=variant.inventory_policy == Variant.InventoryPolicy.CONTINUE,
            )
        return format_html("{} · {}", shown, link(f"{url}?q={variant.sku}", "stock"))

    @display(description="price")
    def price(self, variant: Variant) -> str:
        return amount(variant.price_amount, variant.currency)

    @display(description="compare at")
    def compare_at(self, variant: Variant) -> str:
        return amount(variant.compare_at_amount, variant.currency)
