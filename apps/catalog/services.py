"""Functions that change the catalog. Each runs in the caller's transaction or in its own.

`save_product` writes a whole product as described. It changes only what differs and returns what it
changed; running it again changes nothing. Prices, cleaned HTML and cached pages are updated by
signals.py after every save.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from django.conf import settings
from django.db import models, transaction

from apps.catalog import cache
from apps.catalog.categories import category_for
from apps.catalog.html import clean_html
from apps.catalog.models import Product, ProductImage, ProductOption, Variant
from apps.catalog.specs import ProductSpec, Saved, SkuTaken
from apps.inventory import switching

ACTOR = "catalog"  # in the ledger, where a change of the catalog moves stock


def drop_page(slug: str, *, using: str | None = None) -> None:
    """Drop the cached page of a product when the transaction commits."""
    # robust: an error of the cache must not turn a committed change into an error page.
    transaction.on_commit(partial(cache.forget, "product", slug), using=using, robust=True)


def refresh_price(product: Product) -> None:
    """Set the product's price to that of its cheapest active variant, in the row and in `product`.

    Without an active variant the last price stays: a page that shows $0.00 would be wrong.
    """
    with transaction.atomic(savepoint=False):
        # Locked first: otherwise two changes of variants at once would each miss the other.
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


@transaction.atomic
def save_product(spec: ProductSpec) -> Saved:
    """Create or update the product of `spec.slug`.

    Raises SkuTaken, and switching.UnitsOwed where a variant cannot have its new inventory policy
    yet; then it writes nothing.

    Variants that are not in `spec` become inactive: their stock, their orders and their ledger
    stay. Pictures without a source URL (uploaded by staff) are not changed.
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
        "category": category_for(spec.category, current=_value(product, "category")),
        "tags": list(spec.tags),
        "published": spec.published and not spec.objections,
        "listed": spec.listed,
        "gift_card": spec.gift_card,
    }
    if _assign(product, wanted, changes) or is_new:
        product.save()
    _save_options(product, spec, changes)
    _save_variants(product, spec, changes)
    _save_pictures(product, spec, changes)
    return Saved(product=product, is_new=is_new, changes=tuple(changes))


def check_policies(policies: Mapping[int, str]) -> None:
    """Raise switching.UnitsOwed where a variant, by its id, cannot have its new policy yet.

    In the transaction that saves them: the answer stays true to its end.
    """
    switching.check(_locked_changes(policies))


def switch_policies(policies: Mapping[Variant, str], *, actor: str) -> None:
    """Ready the stock for the new policies of variants that are saved afterwards.

    All variants of a transaction at once, so that their stock is locked in ascending id. Raises
    switching.UnitsOwed.
    """
    changes = _locked_changes({variant.pk: policy for variant, policy in policies.items()})
    begun = switching.prepare(changes, actor=actor)
    for variant in policies:
        if variant.pk in begun:
            variant.imported_quantity = None  # the next file's count is the first again


def _locked_changes(policies: Mapping[int, str]) -> dict[int, tuple[str, str]]:
    """(policy of now, new one) by variant id; products and variants are locked, as by an import."""
    if not policies:
        return {}
    products = Product.objects.filter(variants__in=policies).order_by("pk")
    list(products.select_for_update(of=("self",), no_key=True).values_list("pk"))
    variants = Variant.objects.filter(pk__in=policies).order_by("pk")
    now = dict(variants.select_for_update(no_key=True).values_list("pk", "inventory_policy"))
    return {pk: (now[pk], new) for pk, new in policies.items() if now[pk] != new}


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
    switch_policies(
        {
            existing[wanted.sku]: wanted.inventory_policy
            for wanted in spec.variants
            if wanted.sku in existing
            and existing[wanted.sku].inventory_policy != wanted.inventory_policy
        },
        actor=ACTOR,
    )
    for position, wanted in enumerate(spec.variants):
        variant = existing.pop(wanted.sku, None)
        changed: list[str] = []
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
            "inventory_policy": wanted.inventory_policy,
            "active": True,
            "position": position,
        }
        if _assign(variant, fields, changed) or is_new:
            variant.save()
            changes.append(f"new {wanted.sku}" if is_new else f"{wanted.sku}: {', '.join(changed)}")
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
    existing = [
        (row.path, row.source_url, row.alt, row.variant.sku if row.variant else None, row.position)
        for row in imported
    ]
    if wanted == existing:
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
    """Set the attributes that differ and add their names to `changes`; whether any did."""
    differing = [name for name, value in wanted.items() if _value(row, name) != value]
    for name in differing:
        setattr(row, name, wanted[name])
    changes.extend(_WORDS.get(name, name) for name in differing)
    return bool(differing)


def _value(row: models.Model, name: str) -> Any:
    if name == "category":  # reading it of a new product would raise
        return row.category if row.category_id else None  # type: ignore[attr-defined]
    return getattr(row, name)


def _equal(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        (f"{name}__isnull" if value is None else name): True if value is None else value
        for name, value in values.items()
    }


_WORDS = {
    "price_amount": "price",
    "compare_at_amount": "compare-at price",
    "inventory_policy": "inventory policy",
    "gift_card": "gift card",
}
