"""The catalogue in the back office: products with variants, options and pictures; the shelves.

Prices are typed as decimals and stored in minor units. What a save brings with it (the product's
own price, cleaned HTML, dropped pages) is kept by signals.py, so everything here saves row by row.

A SKU is fixed once it is made: orders, carts and returns know the variant by nothing else. A
variant that is sold no more is switched off, never deleted.
"""

import hashlib
import re
from typing import Any

from django import forms
from django.apps import apps
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Exists, F, IntegerField, Max, Min, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest, StreamingHttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from treebeard.exceptions import InvalidMoveToDescendant, PathOverflow
from unfold.admin import ModelAdmin, StackedInline, TabularInline
from unfold.contrib.filters.admin import BooleanRadioFilter, DropdownFilter
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from apps.catalog.models import Category, Product, ProductImage, ProductOption, Variant
from apps.catalog.pictures import BYTES_MAX, FOLDER, FORMATS, PLACEHOLDER
from apps.catalog.services import move_category
from storefront.backoffice import csv_export
from storefront.backoffice.looks import amount, label, link
from storefront.backoffice.read_only import MoneyIsRead
from storefront.money import decimal_string
from storefront.money_forms import MoneyField

LOW = 5  # units for sale
# `Size: Large, Colour: Moss`
PAIR = re.compile(r"\s*([^:,]+?)\s*:\s*([^,]+?)\s*")


def comma_list(text: str) -> list[str]:
    """What stands between the commas, each once, in the order written."""
    parts = (" ".join(part.split()) for part in text.split(","))
    return list(dict.fromkeys(part for part in parts if part))


class CommaListField(forms.CharField):
    """A JSON list of words, written with commas between."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"widget": UnfoldAdminTextInputWidget} | kwargs)

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(map(str, value)) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        return comma_list(super().clean(value) or "")

    def has_changed(self, initial: Any, data: Any) -> bool:
        return list(initial or []) != comma_list(data or "")


class OptionsField(forms.CharField):
    """A variant's choices, written `Size: Large, Colour: Moss`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"widget": UnfoldAdminTextInputWidget} | kwargs)

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return ", ".join(f"{name}: {choice}" for name, choice in value.items())
        return value

    def clean(self, value: Any) -> Any:
        return self._parsed(super().clean(value) or "")

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return (initial or {}) != self._parsed(data or "")
        except ValidationError:
            return True

    def _parsed(self, text: str) -> dict[str, str]:
        choices: dict[str, str] = {}
        for part in filter(str.strip, text.split(",")):
            found = PAIR.fullmatch(part)
            if found is None:
                raise ValidationError("Write options as “Size: Large, Colour: Moss”.")
            if found[1] in choices:
                raise ValidationError(f"“{found[1]}” stands there twice.")
            choices[found[1]] = found[2]
        return choices


class ShelfChoice(forms.ModelChoiceField):
    """The category tree as a list, deeper shelves indented."""

    def __init__(self, **kwargs: Any) -> None:
        defaults = {"queryset": Category.objects.all(), "widget": UnfoldAdminSelectWidget}
        super().__init__(**defaults | kwargs)

    def label_from_instance(self, shelf: Any) -> str:
        return f"{' ' * (shelf.depth - 1)}{shelf.name}"


# --- Products -----------------------------------------------------------------------------------


class ProductForm(forms.ModelForm):
    """A product's own fields."""

    category = ShelfChoice()
    tags = CommaListField(required=False, help_text="Words with commas between; found by search.")

    class Meta:
        model = Product
        fields = (
            "name", "slug", "category", "vendor", "description", "tags", "published", "featured",
        )  # fmt: skip


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
            "barcode", "taxable", "requires_shipping", "active", "position",
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and "sku" in self.fields:
            self.fields["sku"].disabled = True

    def clean_sku(self) -> str:
        sku = self.cleaned_data["sku"].strip()
        if sku != sku.translate({ord(c): None for c in "/\\?#%"}):
            raise ValidationError("A SKU stands in addresses: no / \\ ? # % in it.")
        return sku

    def clean(self) -> Any:
        cleaned = super().clean() or self.cleaned_data
        price, compared = cleaned.get("price_amount"), cleaned.get("compare_at_amount")
        if price is not None and compared is not None and compared <= price:
            self.add_error("compare_at_amount", "Leave it empty, or make it more than the price.")
        if not cleaned.get("name") and cleaned.get("options"):
            cleaned["name"] = " / ".join(cleaned["options"].values())[:255]
        return cleaned

    def save(self, commit: bool = True) -> Variant:
        if self.instance.pk is None:
            self.instance.currency = settings.SHOP_CURRENCY
        return super().save(commit)


class OptionForm(forms.ModelForm):
    """A choice and what there is to choose."""

    values = CommaListField(help_text="In the shop's order, commas between.")

    class Meta:
        model = ProductOption
        fields = ("name", "values", "position")


class ImageForm(forms.ModelForm):
    """A picture that is there (a path), or one that is brought along (a file)."""

    upload = forms.ImageField(
        required=False,
        label="New file",
        widget=UnfoldAdminFileFieldWidget,
        help_text=f"JPEG, PNG, WebP or GIF, up to {BYTES_MAX // 1_000_000} MB.",
    )

    class Meta:
        model = ProductImage
        fields = ("path", "upload", "alt", "variant", "position")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "path" in self.fields:  # absent where a person may only look
            self.fields["path"].required = False

    def clean_path(self) -> str:
        path = self.cleaned_data.get("path", "").strip()
        # Pictures from elsewhere would be refused by the pages' policy, and tell who looks.
        if path and not path.startswith((settings.STATIC_URL, settings.MEDIA_URL)):
            raise ValidationError(
                f"A path that begins with {settings.STATIC_URL} or {settings.MEDIA_URL}."
            )
        return path

    def clean_upload(self) -> Any:
        picture: Any = self.cleaned_data.get("upload")
        if picture and picture.size > BYTES_MAX:
            raise ValidationError(f"At most {BYTES_MAX // 1_000_000} MB.")
        # By what Pillow found in it, not by its name: an SVG can run scripts.
        if picture and picture.image.format not in FORMATS:
            raise ValidationError("Only JPEG, PNG, WebP and GIF.")
        return picture

    def clean(self) -> Any:
        cleaned = super().clean() or self.cleaned_data
        if not self.errors and not cleaned.get("path") and not cleaned.get("upload"):
            self.add_error("path", "Bring a file along, or say where the picture is.")
        return cleaned

    def save(self, commit: bool = True) -> ProductImage:
        picture = self.cleaned_data.get("upload")
        if picture:
            self.instance.path = store(picture)
        return super().save(commit)


def store(picture: UploadedFile) -> str:
    """Keep an uploaded picture under the digest of its bytes; its URL path."""
    picture.seek(0)
    digest = hashlib.sha256(picture.read()).hexdigest()[:32]
    name = f"{FOLDER}/{digest}.{FORMATS[picture.image.format]}"  # type: ignore[attr-defined]
    if not default_storage.exists(name):
        picture.seek(0)
        default_storage.save(name, picture)
    return default_storage.url(name)


def _stock(field: str, **where: Any) -> Coalesce:
    """Σ `field` over the shelves of a variant or product, by SQL."""
    # By name: the catalogue stands below the inventory and imports nothing of it.
    shelves = apps.get_model("inventory", "StockItem").objects.filter(**where).order_by()
    total = shelves.annotate(_one=F("pk") * 0).values("_one").annotate(n=Sum(field)).values("n")
    return Coalesce(Subquery(total, output_field=IntegerField()), 0)


def _availability(on_hand: int, held: int) -> SafeString:
    for_sale = on_hand - held
    state = "sold out" if for_sale <= 0 else "low" if for_sale <= LOW else "plenty"
    shown = label(state, f"{for_sale} for sale")
    return format_html("{} {} on hand, {} held", shown, on_hand, held)


class VariantInline(MoneyIsRead, StackedInline):
    """Twenty at a time: a product of a hundred variants must still fit into one form."""

    model = Variant
    form = VariantForm
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
                units_on_hand=_stock("on_hand", variant=OuterRef("pk")),
                units_held=_stock("reserved", variant=OuterRef("pk")),
            )
        )

    @display(description="stock")
    def stock_now(self, variant: Any) -> SafeString | str:
        if variant.pk is None:
            return "Save first; then units are received on the stock page."
        url = reverse("admin:inventory_stockitem_changelist")
        shown = _availability(variant.units_on_hand, variant.units_held)
        return format_html("{} · {}", shown, link(f"{url}?q={variant.sku}", "stock"))

    @display(description="price")
    def price(self, variant: Variant) -> str:
        return amount(variant.price_amount, variant.currency)

    @display(description="compare at")
    def compare_at(self, variant: Variant) -> str:
        return amount(variant.compare_at_amount, variant.currency)


class OptionInline(TabularInline):
    """What the shopper chooses between."""

    model = ProductOption
    form = OptionForm
    extra = 0
    hide_title = True


class OwnVariantChoice(forms.ModelChoiceField):
    """A product's variants, read once for all rows of a form: Django would ask for each row."""

    def __init__(self, queryset: QuerySet, **kwargs: Any) -> None:
        self._read: list[Any] = []  # shared by the copies that the rows get
        super().__init__(queryset, **kwargs)

    def _get_choices(self) -> list[Any]:
        if not self._read:
            self._read += [("", "every variant")]
            self._read += [(row.pk, self.label_from_instance(row)) for row in self.queryset]
        return self._read

    choices = property(_get_choices, forms.ModelChoiceField.choices.fset)


class ImageInline(TabularInline):
    """Pictures in the shop's order."""

    model = ProductImage
    form = ImageForm
    extra = 0
    per_page = 12
    hide_title = True
    fields = ("thumbnail", "path", "upload", "alt", "variant", "position")
    readonly_fields = ("thumbnail",)

    @display(description="picture")
    def thumbnail(self, image: ProductImage) -> SafeString | str:
        return thumbnail(image.path) if image.pk else "–"

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "variant":
            product_id = request.resolver_match and request.resolver_match.kwargs.get("object_id")
            known = str(product_id or "").isdigit()
            kwargs["queryset"] = Variant.objects.filter(
                product=product_id if known else None
            ).select_related("product")
            kwargs["form_class"] = OwnVariantChoice
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


def thumbnail(path: str) -> SafeString:
    """A small picture, drawn by the browser only when it is scrolled to."""
    return format_html(
        '<img class="bo-thumb" src="{}" alt="" width="40" height="40" loading="lazy">',
        path or PLACEHOLDER,
    )


class ShelfFilter(DropdownFilter):
    """By shelf, the shelves below it included."""

    title = "category"
    parameter_name = "shelf"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            (shelf.slug, f"{' ' * (shelf.depth - 1)}{shelf.name}")
            for shelf in Category.objects.all()
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if not self.value():
            return queryset
        shelf = Category.objects.filter(slug=self.value()).first()
        return queryset.filter(category__path__startswith=shelf.path) if shelf else queryset.none()


class AvailabilityFilter(DropdownFilter):
    """By what can be bought now, holds taken off."""

    title = "availability"
    parameter_name = "availability"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("in", "Something for sale"), ("out", "Sold out")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        for_sale = Exists(
            Variant.objects.filter(
                product=OuterRef("pk"), active=True, stock__on_hand__gt=F("stock__reserved")
            )
        )
        match self.value():
            case "in":
                return queryset.filter(for_sale)
            case "out":
                return queryset.exclude(for_sale)
        return queryset


@admin.register(Product)
class ProductAdmin(ModelAdmin):
    """Products."""

    form = ProductForm
    inlines = (VariantInline, OptionInline, ImageInline)
    list_display = ("what", "category", "price_range", "availability", "published")
    list_filter = (
        ShelfFilter,
        AvailabilityFilter,
        ("published", BooleanRadioFilter),
        ("featured", BooleanRadioFilter),
    )
    list_filter_submit = True
    list_per_page = 50
    list_select_related = ("category",)
    search_fields = ("name", "vendor", "slug", "variants__sku")
    search_help_text = "Name, vendor or SKU"
    ordering = ("name", "id")
    prepopulated_fields = {"slug": ("name",)}
    warn_unsaved_form = True
    fieldsets = (
        (None, {"fields": (("name", "slug"), ("category", "vendor"), "description", "tags")}),
        ("In the shop", {"fields": (("published", "featured"), "price_shown")}),
    )
    readonly_fields = ("price_shown",)
    actions = ("publish", "unpublish", "export_selected")

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        # An address that is known to search engines does not follow a corrected name.
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
                units_on_hand=_stock("on_hand", variant__product=OuterRef("pk")),
                units_held=_stock("reserved", variant__product=OuterRef("pk")),
                picture=Subquery(images.values("path")[:1]),
            )
        )

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
    def what(self, product: Any) -> SafeString:
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
        return _availability(product.units_on_hand, product.units_held)

    @display(description="price in lists")
    def price_shown(self, product: Any) -> str:
        if product.pk is None:
            return "That of the cheapest active variant."
        return f"{amount(product.price_amount, product.currency)}, its cheapest active variant's"

    def has_publish_permission(self, request: HttpRequest) -> bool:
        """Who may put products into the shop and take them out."""
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
        # Row by row: the signals that drop cached pages are sent by save() alone.
        for product in Product.objects.filter(pk__in=list(ids)):
            product.published = published
            product.save(update_fields=["published", "updated_at"])
            self.log_change(request, product, f"{product.name}: {done}.")
            changed += 1
        messages.success(request, f"{changed} products {done}.")

    @admin.action(description="Export as CSV", permissions=["view"])
    def export_selected(self, request: HttpRequest, queryset: QuerySet) -> StreamingHttpResponse:
        columns: list[csv_export.Column] = [
            ("slug", lambda p: p.slug),
            ("name", lambda p: p.name),
            ("vendor", lambda p: p.vendor),
            ("category", lambda p: p.category.name),
            ("published", lambda p: p.published),
            ("currency", lambda p: p.currency),
            ("price_from", lambda p: decimal(p.lowest, p.currency)),
            ("price_to", lambda p: decimal(p.highest, p.currency)),
            ("on_hand", lambda p: p.units_on_hand),
            ("held", lambda p: p.units_held),
            ("for_sale", lambda p: p.units_on_hand - p.units_held),
        ]
        return csv_export.download(
            request, queryset.select_related("category"), columns, name="products"
        )


def decimal(minor: int | None, currency: str) -> str:
    """`"18.00"`, or nothing."""
    return "" if minor is None else decimal_string(minor, currency)


# --- Shelves ------------------------------------------------------------------------------------

PLACES = [
    ("", "where it is"),
    ("first-child", "first below …"),
    ("last-child", "last below …"),
    ("left", "right before …"),
    ("right", "right after …"),
]


class CategoryForm(forms.ModelForm):
    """A shelf, and where in the tree it hangs."""

    place = forms.ChoiceField(choices=PLACES, required=False, widget=UnfoldAdminSelectWidget)
    relative_to = ShelfChoice(
        label="…",
        required=False,
        empty_label="(the top of the tree)",
        help_text="Shelves below this one move along.",
    )

    class Meta:
        model = Category
        fields = ("name", "slug", "description", "image")

    def clean(self) -> Any:
        cleaned = super().clean() or self.cleaned_data
        place, target = cleaned.get("place"), cleaned.get("relative_to")
        if place in ("left", "right") and target is None:
            self.add_error("relative_to", "Choose the shelf it should stand beside.")
        if place and target and self.instance.pk and self._is_below_itself(target):
            self.add_error("relative_to", "A shelf cannot hang on itself or below itself.")
        return cleaned

    def _is_below_itself(self, target: Category) -> bool:
        # Asked of the database: another clerk may have moved either since this form was made.
        itself = Category.objects.get(pk=self.instance.pk)
        return target.path.startswith(itself.path)


@admin.register(Category)
class CategoryAdmin(ModelAdmin):
    """The tree of shelves, in its own order."""

    form = CategoryForm
    list_display = ("shelf", "slug", "product_count")
    search_fields = ("name", "slug")
    ordering = ("path",)
    list_per_page = 200
    prepopulated_fields = {"slug": ("name",)}
    fieldsets = (
        (None, {"fields": (("name", "slug"), "description", "image")}),
        ("Place in the tree", {"fields": (("place", "relative_to"),)}),
    )

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return super().get_prepopulated_fields(request, obj) if obj is None else {}

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        shelf = Product.objects.filter(category=OuterRef("pk")).order_by()
        count = shelf.annotate(_one=F("pk") * 0).values("_one").annotate(n=Sum(F("pk") * 0 + 1))
        return (
            super()
            .get_queryset(request)
            .annotate(own=Coalesce(Subquery(count.values("n"), output_field=IntegerField()), 0))
        )

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {}  # deleting several at once would take the shelves below along unseen

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if obj is not None and not obj.is_leaf():
            return False
        return super().has_delete_permission(request, obj)

    @display(description="shelf")
    def shelf(self, category: Category) -> SafeString:
        return format_html(
            '<span style="padding-left: {}rem">{}</span>', 1.5 * (category.depth - 1), category.name
        )

    @display(description="products on it")
    def product_count(self, category: Any) -> int:
        return category.own

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        place, target = form.cleaned_data.get("place"), form.cleaned_data.get("relative_to")
        try:
            if not change:
                Category.objects.add_root(instance=obj)
            else:
                # Its place in the tree is not this form's to write back.
                obj.save(update_fields=["name", "slug", "description", "image"])
            if place:
                self._move(obj, target, place)
        except (InvalidMoveToDescendant, PathOverflow) as refused:
            messages.error(request, f"Saved, but not moved: {refused}")

    def _move(self, shelf: Category, target: Category | None, place: str) -> None:
        if target is None:
            target = Category.objects.get_last_root_node()
            place = "first-sibling" if place == "first-child" else "last-sibling"
        move_category(Category.objects.get(pk=shelf.pk), target, position=place)
