"""Flash sales in the back office."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from apps.backoffice.formatting import label
from apps.backoffice.old_and_new import OldAndNew
from apps.catalog.models import Variant
from apps.flash_sales import active_sales
from apps.flash_sales.models import FlashSale


class FlashSaleForm(forms.ModelForm):
    """A sale. Its times must be in order; its SKUs are entered one to a line."""

    skus = forms.CharField(
        label="SKUs",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 6}),
        help_text="One to a line.",
    )

    class Meta:
        model = FlashSale
        fields = (
            "name", "slug", "active", "skus", "queue_opens_at", "starts_at", "ends_at",
            "stock_gate", "waiting_room", "admit_per_second",
            "units_per_line", "units_per_order", "units_per_customer",
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None and "skus" in self.fields:
            self.initial["skus"] = "\n".join(skus_of(self.instance))

    def clean_skus(self) -> list[Variant]:
        wanted = dict.fromkeys(filter(None, map(str.strip, self.cleaned_data["skus"].splitlines())))
        found = {variant.sku: variant for variant in Variant.objects.filter(sku__in=wanted)}
        unknown = [sku for sku in wanted if sku not in found]
        if unknown:
            more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
            raise forms.ValidationError(f"Not sold here: {', '.join(unknown[:5])}{more}.")
        return [found[sku] for sku in wanted]

    def clean(self) -> Any:
        cleaned = super().clean() or self.cleaned_data
        opens, starts, ends = (cleaned.get(n) for n in ("queue_opens_at", "starts_at", "ends_at"))
        if opens and starts and opens > starts:
            self.add_error("queue_opens_at", "The doors open after the sale has started.")
        if starts and ends and ends <= starts:
            self.add_error("ends_at", "It ends before it starts.")
        return cleaned


def skus_of(sale: FlashSale) -> list[str]:
    """The SKUs of a sale, in alphabetical order."""
    return list(sale.variants.order_by("sku").values_list("sku", flat=True))


def state(sale: FlashSale) -> str:
    """`off`, `coming`, `doors open`, `on` or `over`, by the web server's clock: for display."""
    now = timezone.now()
    if not sale.active:
        return "off"
    if now >= sale.ends_at:
        return "over"
    if now >= sale.starts_at:
        return "on"
    return "doors open" if now >= sale.queue_opens_at else "coming"


@admin.register(FlashSale)
class FlashSaleAdmin(OldAndNew, ModelAdmin):
    """The list of sales and the page of one."""

    form = FlashSaleForm
    fields = FlashSaleForm.Meta.fields
    list_display = (
        "name", "state_label", "sku_count", "starts_at", "ends_at", "stock_gate", "waiting_room",
    )  # fmt: skip
    search_fields = ("name", "slug", "variants__sku")
    prepopulated_fields = {"slug": ("name",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).annotate(sku_count=Count("variants"))

    @display(description="State")
    def state_label(self, sale: FlashSale) -> SafeString:
        return label(state(sale))

    @display(description="SKUs")
    def sku_count(self, sale: Any) -> int:
        return int(sale.sku_count)

    @display(description="SKUs")
    def skus(self, sale: FlashSale) -> str:
        """For staff who may only view; the form has a field of this name for the others."""
        return ", ".join(skus_of(sale)) or "none"

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        form.instance.variants.set(form.cleaned_data["skus"])
        active_sales.forget()
