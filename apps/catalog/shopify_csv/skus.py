"""Which SKU each variant gets, so that no two are the same and each import gives the same.

A variant that is in the shop already keeps its SKU. Then a SKU given in the file wins over a
derived one, and of two given ones the first line's. The other one gets eight digits of a digest
that tell it apart.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from django.utils.text import slugify

from apps.catalog import limits
from apps.catalog.shopify_csv.sheet import Repair, SheetProduct, SheetVariant
from apps.catalog.text import digest

# Longer derived ones are cut and get a digest. It stays: derived SKUs never change.
DERIVED_MAX = 120


def derived_sku(handle: str, values: Sequence[str], *, is_taken: bool = False) -> str:
    """The SKU of a variant without one: always the same for the same handle and values.

    `clay-plant-pot.large`: a handle holds no dot, so that `mug` + `large` and `mug-large` are
    different. Where the slugs lose something (`A/B` and `AB`, 水, a text too long for the column, a
    SKU that another product has), eight digits of a digest are added.
    """
    slugs = [slugify(value) for value in values]
    plain = ".".join([handle, *slugs])
    is_lossless = all(
        slug and slug.replace("-", " ") == value.lower()
        for slug, value in zip(slugs, values, strict=True)
    )
    if is_lossless and len(plain) <= DERIVED_MAX and not is_taken:
        return plain
    return f"{plain[: DERIVED_MAX - 9].rstrip('.-')}~{digest(handle, *values)}"


def candidates(product: SheetProduct, variant: SheetVariant) -> tuple[str, ...]:
    """The SKUs that the variant may have, the best first.

    As it stood, and with the apostrophe: earlier versions took that as part of the SKU; the variant
    keeps it, and with it its stock, its orders and its carts.
    """
    values = list(variant.options.values())
    if variant.is_derived:
        return variant.sku, derived_sku(product.handle, values, is_taken=True)
    mark = digest(product.handle, *values, variant.sku)
    told_apart = f"{variant.sku[: limits.SKU - 9]}~{mark}"
    return variant.sku, variant.raw_sku, f"'{variant.sku}", told_apart


def settle_skus(
    products: Sequence[SheetProduct], owners: Mapping[str, str]
) -> Iterator[SheetProduct]:
    """The products with SKUs that differ. `owners`: SKU to slug, of what the shop has already."""
    chosen: dict[int, str] = {}  # by line
    claimed: dict[str, tuple[str, int]] = {}

    def choose(product: SheetProduct, variant: SheetVariant, sku: str) -> None:
        chosen[variant.line] = sku
        claimed[sku] = product.handle, variant.line

    # sorted() is stable: given SKUs in the order of the file, then derived ones.
    every = sorted(
        ((product, variant) for product in products for variant in product.variants),
        key=lambda pair: pair[1].is_derived,
    )
    for product, variant in every:
        for sku in candidates(product, variant):
            if owners.get(sku) == product.handle and sku not in claimed:
                choose(product, variant, sku)
                break
    for product, variant in every:
        if variant.line in chosen:
            continue
        first, *_, last = candidates(product, variant)
        is_free = first not in claimed and first not in owners
        choose(product, variant, first if is_free else last)
    for product in products:
        yield _settled(product, chosen, claimed, owners)


def _settled(
    product: SheetProduct,
    chosen: Mapping[int, str],
    claimed: Mapping[str, tuple[str, int]],
    owners: Mapping[str, str],
) -> SheetProduct:
    variants, repairs = [], list(product.repairs)
    for variant in product.variants:
        sku = chosen[variant.line]
        if sku != variant.sku and not variant.is_derived:
            became = f"kept as {sku!r}, as it is in the shop"
            if sku not in (f"'{variant.sku}", variant.raw_sku):
                slug, line = claimed.get(variant.sku, (owners.get(variant.sku, ""), 0))
                where = f"line {line}" if line else "in the shop"
                became = f"taken as {sku!r}, because it belongs to {slug!r} ({where})"
            repairs.append(Repair(variant.line, "Variant SKU", variant.sku, became))
        variants.append(replace(variant, sku=sku))
    return replace(product, variants=tuple(variants), repairs=tuple(repairs))
