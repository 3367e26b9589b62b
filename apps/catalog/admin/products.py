"""Products in the back office, with their variants, options and pictures.

A save's consequences (the product's own price, cleaned HTML, dropped pages) are computed by
signals.py, so everything here saves row by row.
"""

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Max, Min, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import BooleanRadioFilter
from unfold.decorators import display

from apps.backoffice.formatting import amount
from apps.backoffice.old_and_new import OldAndNew
from apps.catalog.admin import product_export, product_search
from apps.catalog.admin.availability import availability_label, counted, sells_on
from apps.catalog.admin.filters import AvailabilityFilter, CategoryFilter
from apps.catalog.admin.images import ImageInline, thumbnail
from apps.catalog.admin.options import OptionInline
from apps.catalog.admin.product_form import ProductForm
from apps.catalog.admin.variants import VariantInline
from apps.catalog.models import Product, ProductImage, Variant
from apps.catalog.publishing import objections_to

_SAID = {True: "yes", False: "no"}


@admin.register(Product)
class ProductAdmin(OldAndNew, ModelAdmin):
    """The list of products and the form of one."""

    form = ProductForm
    inlines = (VariantInline, OptionInline, ImageInline)
    list_display = ("name_with_picture", "category", "price_range", "availability", "published")
    list_filter = (
        CategoryFilter,
        AvailabilityFilter,
        ("published", BooleanRadioFilter),
        ("listed", BooleanRadioFilter),
        ("featured", BooleanRadioFilter),
    )
    list_filter_submit = True
    list_per_page = 50
    list_select_related = ("category",)
    search_fields = ("name",)  # shows the field; product_search.py does the search
    search_help_text = "Words as in the shop, SKU or barcode"
    ordering = ("name", "id")
    prepopulated_fields = {"slug": ("name",)}
    warn_unsaved_form = True
    fieldsets = (
        (None, {"fields": (("name", "slug"), ("category", "vendor"), "description", "tags")}),
        ("In the shop", {"fields": (
            ("published", "listed", "featured"),
            "price_shown",
            ("units_per_line", "units_per_order", "units_per_customer"),
        )}),
    )  # fmt: skip
    readonly_fields = ("price_shown",)
    actions = ("publish", "unpublish", "export_selected", "export_file")

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        # A saved product keeps its slug when its name changes: search engines know the address.
        return super().get_prepopulated_fields(request, obj) if obj is None else {}

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        variants = Variant.objects.filter(product=OuterRef("pk"), active=True).order_by()
        prices = variants.values("product")
        images = ProductImage.objects.filter(product=OuterRef("pk")).order_by("position", "id")
        return (
            super()
            .get_queryset(request)
            .annotate(
                lowest=Subquery(prices.annotate(n=Min("price_amount")).values("n")),
                highest=Subquery(prices.annotate(n=Max("price_amount")).values("n")),
                units_on_hand=counted("on_hand", variant__product=OuterRef("pk")),
                units_held=counted("reserved", variant__product=OuterRef("pk")),
                sells_on=sells_on(variant__product=OuterRef("pk"), variant__active=True),
                picture=Subquery(images.values("path")[:1]),
            )
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        return product_search.found(queryset, search_term), False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change:
            obj.currency = settings.SHOP_CURRENCY
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        offered = {option.name: option.values for option in form.instance.options.all()}
        for variant in form.instance.variants.filter(active=True):
            for name, choice in variant.options.items():
                if choice not in offered.get(name, ()):
                    messages.warning(
                        request,
                        f"{variant.sku} is “{name}: {choice}”, which is not among the options:"
                        " shoppers cannot choose it.",
                    )

    @display(description="product", ordering="name")
    def name_with_picture(self, product: Any) -> SafeString:
        return format_html(
            '<span class="bo-what">{}<span>{}<span class="bo-quiet">{}</span></span></span>',
            thumbnail(product.picture),
            product.name,
            product.vendor,
        )

    @display(description="price", ordering="price_amount")
    def price_range(self, product: Any) -> str:
        if product.lowest is None:
            return "no active variant"
        low, high = (amount(n, product.currency) for n in (product.lowest, product.highest))
        return low if low == high else f"{low} – {high}"

    @display(description="availability")
    def availability(self, product: Any) -> SafeString:
        return availability_label(
            product.units_on_hand, product.units_held, sells_on=product.sells_on
        )

    @display(description="price in lists")
    def price_shown(self, product: Any) -> str:
        if product.pk is None:
            return "That of the cheapest active variant."
        return f"{amount(product.price_amount, product.currency)}, its cheapest active variant's"

    def has_publish_permission(self, request: HttpRequest) -> bool:
        """Whether this person may publish products and unpublish them."""
        return self.has_change_permission(request)

    @admin.action(description="Publish", permissions=["publish"])
    def publish(self, request: HttpRequest, queryset: QuerySet) -> None:
        self._set_published(request, queryset, published=True)

    @admin.action(description="Take out of the shop", permissions=["publish"])
    def unpublish(self, request: HttpRequest, queryset: QuerySet) -> None:
        self._set_published(request, queryset, published=False)

    def _set_published(self, request: HttpRequest, queryset: QuerySet, *, published: bool) -> None:
        ids = queryset.exclude(published=published).values_list("pk", flat=True)
        done = "published" if published else "taken out of the shop"
        changed = 0
        # Row by row: only save() sends the signals that drop cached pages.
        for product in Product.objects.filter(pk__in=list(ids)):
            if published and (found := objections_to(product)):
                messages.error(request, f"{product.name} is not published: {'; '.join(found)}.")
                continue
            product.published = published
            product.save(update_fields=["published", "updated_at"])
            self.log_change(
                request,
                product,
                f"{product.name}: {done}. Published: {_SAID[not published]} → {_SAID[published]}.",
            )
            changed += 1
        messages.success(request, f"{changed} products {done}.")

    @admin.action(description="Export as CSV", permissions=["view"])
    def export_selected(self, request: HttpRequest, queryset: QuerySet) -> HttpResponseBase:
        return product_export.download(request, queryset)

    @admin.action(description="Export for an import", permissions=["view"])
    def export_file(self, request: HttpRequest, queryset: QuerySet) -> HttpResponseBase:
        return product_export.download_file(request, queryset)
