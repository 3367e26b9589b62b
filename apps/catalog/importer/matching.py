"""Finds what the shop has already of a file: products by slug, variants by SKU."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from django.db.models.functions import Lower

from apps.catalog.models import Product, Variant
from apps.catalog.shopify_csv import Repair, SheetProduct, candidates, derived_sku, settle_skus
from apps.catalog.text import one_line


def matched(products: Sequence[SheetProduct]) -> list[SheetProduct]:
    """The products under the slugs and SKUs that the shop has for them, or will have.

    An import that finds its own slugs and SKUs again changes nothing.
    """
    named = _with_known_skus(_with_slugs(products))
    asked = {s for product in named for v in product.variants for s in candidates(product, v)}
    owners = dict(Variant.objects.filter(sku__in=asked).values_list("sku", "product__slug"))
    return list(settle_skus(named, owners))


def _with_known_skus(products: Sequence[SheetProduct]) -> list[SheetProduct]:
    """A variant for which the file gives no SKU keeps the one that its options have in the shop."""
    known = {
        (slug, _folded(options)): sku
        for slug, options, sku in Variant.objects.filter(
            product__slug__in=[product.handle for product in products]
        )
        .order_by("active", "-pk")  # of several the oldest active one counts
        .values_list("product__slug", "options", "sku")
    }
    return [
        replace(
            product,
            variants=tuple(
                replace(v, sku=known.get((product.handle, _folded(v.options)), v.sku))
                if v.is_derived
                else v
                for v in product.variants
            ),
        )
        for product in products
    ]


def _folded(options: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((one_line(n), one_line(v).casefold()) for n, v in options.items()))


def _with_slugs(products: Sequence[SheetProduct]) -> list[SheetProduct]:
    """Slugs in the shop that differ from a handle only in case are that product."""
    asked = {p.handle for p in products} | {p.other_handle for p in products if p.other_handle}
    rows = (
        Product.objects.annotate(folded=Lower("slug"))
        .filter(folded__in=asked)
        .order_by("-pk")  # of several that differ in case only, the oldest counts
        .values_list("folded", "slug")
    )
    known = dict(rows)
    exact = {slug for _, slug in rows}
    return [_with_slug(product, known, exact) for product in products]


def _with_slug(product: SheetProduct, known: dict[str, str], exact: set[str]) -> SheetProduct:
    if product.file_handle in exact:
        slug = product.file_handle
    elif product.other_handle in known:
        slug = known[product.other_handle]
    else:
        slug = known.get(product.handle, product.handle)
    repairs = product.repairs
    if slug != product.file_handle:
        became = f"its address is {slug!r}"
        repairs += (Repair(product.line, "Handle", product.file_handle, became),)
    return replace(
        product,
        handle=slug,
        repairs=repairs,
        variants=tuple(
            replace(v, sku=derived_sku(slug, list(v.options.values()))) if v.is_derived else v
            for v in product.variants
        ),
    )
