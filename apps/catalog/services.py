"""Verbs that change the catalogue. Each runs in the caller's transaction or in one of its own.

`save_product` writes a whole product as described, touches only what differs, and says what it
touched; running it again touches nothing. Prices, cleaned HTML and cached pages are kept by
signals.py, whoever saves.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import nh3
from django.conf import settings
from django.db import models, transaction
from django.utils.text import slugify

from apps.catalog import cache
from apps.catalog.models import Category, Product, ProductImage, ProductOption, Variant

# What a description may hold. No pictures and no styles: the pages' Content-Security-Policy would
# refuse them, and a picture from elsewhere tells elsewhere who looks.
TAGS = {
    *("p", "br", "hr", "h2", "h3", "h4", "blockquote", "pre", "code", "div", "span"),
    *("a", "abbr", "b", "em", "i", "s", "small", "strong", "sub", "sup", "u"),
    *("ul", "ol", "li", "dl", "dt", "dd"),
    *("table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td"),
}
ATTRIBUTES = {"a": {"href", "title"}, "abbr": {"title"}, "td": {"colspan", "rowspan"},
              "th": {"colspan", "rowspan", "scope"}}  # fmt: skip


class SkuTaken(Exception):
    """The SKU belongs to another product."""

    def __init__(self, sku: str, slug: str) -> None:
        super().__init__(f'SKU "{sku}" belongs to "{slug}"')
        self.sku, self.slug = sku, slug


@dataclass(frozen=True)
class VariantSpec:
    """A variant as it should be; amounts in minor units of the shop's currency."""

    sku: str
    name: str
    options: dict[str, str]
    price_amount: int
    compare_at_amount: int | None
    weight_grams: int
    barcode: str
    taxable: bool
    requires_shipping: bool


@dataclass(frozen=True)
class PictureSpec:
    """A picture as it should be; `sku` when it shows one variant."""

    path: str
    source_url: str
    alt: str
    sku: str | None = None


@dataclass(frozen=True)
class ProductSpec:
    """A product as it should be, whole. Variants that are not in it are no longer sold."""

    slug: str
    name: str
    description: str
    vendor: str
    category: str
    tags: tuple[str, ...]
    published: bool
    options: tuple[tuple[str, tuple[str, ...]], ...]
    variants: tuple[VariantSpec, ...]
    pictures: tuple[PictureSpec, ...]


@dataclass(frozen=True)
class Saved:
    """What came of it. `changes` names what differed, for people; empty: nothing was written."""

    product: Product
    is_new: bool
    changes: tuple[str, ...]


def clean_html(text: str) -> str:
    """`text` without scripts, styles, pictures, event handlers and javascript: links."""
    return nh3.clean(
        text.replace("\x00", ""),
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener nofollow",
    ).strip()


def drop_page(slug: str, *, using: str | None = None) -> None:
    """Drop the cached page of a product when the transaction commits."""
    # robust: a cache in trouble must not turn a committed change into an error page.
    transaction.on_commit(partial(cache.forget, "product", slug), using=using, robust=True)


def refresh_price(product: Product) -> None:
    """Set the product's price to that of its cheapest active variant, in the row and in `product`.

    Without an active variant the last price stays: a page that says $0.00 would be a lie.
    """
    with transaction.atomic(savepoint=False):
        # Locked first: two clerks who each change a variant would else each miss the other's.
        row = Product.objects.select_for_update().filter(pk=product.pk).only("pk").first()
        cheapest = (
            Variant.objects.filter(product=product.pk, active=True)
            .order_by("price_amount", "position", "id")
            .values("price_amount", "compare_at_amount", "currency")
            .first()
        )
        if row is None or cheapest is None:
            return
        Product.objects.filter(pk=product.pk).exclude(**_equal(cheapest)).update(**cheapest)
    for name, value in cheapest.items():
        setattr(product, name, value)


def category_for(name: str) -> Category:
    """The shelf of that name, wherever it stands in the tree; a new root where there is none."""
    name = " ".join(name.split())
    # A name without a Latin letter has no slug of its own to offer.
    slug = slugify(name)[:140] or f"shelf-{hashlib.sha256(name.encode()).hexdigest()[:10]}"
    found = Category.objects.filter(slug=slug).first()
    return found or Category.objects.add_root({"name": name, "slug": slug})


def move_category(category: Category, target: Category, *, position: str) -> None:
    """Hang a shelf elsewhere (treebeard's positions). Its moves send no signals: pages go here."""
    with transaction.atomic():
        Category.objects.move(category, target, position)
        transaction.on_commit(cache.forget_everything, robust=True)


@transaction.atomic
def save_product(spec: ProductSpec) -> Saved:
    """Make the product what `spec` says. Raises SkuTaken; nothing is written then.

    Variants that are not in `spec` become inactive: their stock, their orders and their ledger
    stay. Pictures without a source (drawn or uploaded by staff) are left alone.
    """
    for sku, slug in (
        Variant.objects.filter(sku__in=[variant.sku for variant in spec.variants])
        .exclude(product__slug=spec.slug)
        .values_list("sku", "product__slug")
    ):
        raise SkuTaken(sku, slug)
    changes: list[str] = []
    product = Product.objects.select_for_update().filter(slug=spec.slug).first()
    is_new = product is None
    if product is None:
        product = Product(slug=spec.slug, currency=settings.SHOP_CURRENCY)
    wanted = {
        "name": spec.name,
        "description": clean_html(spec.description),
        "vendor": spec.vendor,
        "category": category_for(spec.category),
        "tags": list(spec.tags),
        "published": spec.published,
    }
    if _assign(product, wanted, changes) or is_new:
        product.save()
    _save_options(product, spec, changes)
    _save_variants(product, spec, changes)
    _save_pictures(product, spec, changes)
    return Saved(product=product, is_new=is_new, changes=tuple(changes))


def _save_options(product: Product, spec: ProductSpec, changes: list[str]) -> None:
    wanted = [(name, list(values)) for name, values in spec.options]
    if wanted == [(option.name, option.values) for option in product.options.all()]:
        return
    product.options.all().delete()
    for position, (name, values) in enumerate(wanted):
        ProductOption.objects.create(product=product, name=name, values=values, position=position)
    changes.append("options")


def _save_variants(product: Product, spec: ProductSpec, changes: list[str]) -> None:
    existing = {variant.sku: variant for variant in product.variants.all()}
    for position, wanted in enumerate(spec.variants):
        variant = existing.pop(wanted.sku, None)
        said: list[str] = []
        is_new = variant is None
        if variant is None:
            variant = Variant(sku=wanted.sku, currency=settings.SHOP_CURRENCY)
        variant.product = product
        fields = {
            "name": wanted.name,
            "options": wanted.options,
            "price_amount": wanted.price_amount,
            "compare_at_amount": wanted.compare_at_amount,
            "weight_grams": wanted.weight_grams,
            "barcode": wanted.barcode,
            "taxable": wanted.taxable,
            "requires_shipping": wanted.requires_shipping,
            "active": True,
            "position": position,
        }
        if _assign(variant, fields, said) or is_new:
            variant.save()
            changes.append(f"new {wanted.sku}" if is_new else f"{wanted.sku}: {', '.join(said)}")
    for variant in existing.values():
        if variant.active:
            variant.active = False
            variant.product = product
            variant.save()
            changes.append(f"{variant.sku} no longer sold")


def _save_pictures(product: Product, spec: ProductSpec, changes: list[str]) -> None:
    variants = {variant.sku: variant for variant in product.variants.all()}
    imported = list(product.images.exclude(source_url="").select_related("variant"))
    wanted = [
        (picture.path, picture.source_url, picture.alt, picture.sku, position)
        for position, picture in enumerate(spec.pictures)
    ]
    there = [
        (row.path, row.source_url, row.alt, row.variant.sku if row.variant else None, row.position)
        for row in imported
    ]
    if wanted == there:
        return
    ProductImage.objects.filter(pk__in=[row.pk for row in imported]).delete()
    for path, source_url, alt, sku, position in wanted:
        ProductImage.objects.create(
            product=product,
            variant=variants[sku] if sku else None,
            path=path,
            source_url=source_url,
            alt=alt,
            position=position,
        )
    changes.append("pictures")


def _assign(row: models.Model, wanted: dict[str, Any], changes: list[str]) -> bool:
    """Set what differs; whether anything did."""
    differing = [name for name, value in wanted.items() if _value(row, name) != value]
    for name in differing:
        setattr(row, name, wanted[name])
    changes.extend(_WORDS.get(name, name) for name in differing)
    return bool(differing)


def _value(row: models.Model, name: str) -> Any:
    if name == "category":  # asking a new product for it would raise
        return row.category if row.category_id else None  # type: ignore[attr-defined]
    return getattr(row, name)


def _equal(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        (f"{name}__isnull" if value is None else name): True if value is None else value
        for name, value in values.items()
    }


_WORDS = {"price_amount": "price", "compare_at_amount": "compare-at price"}
