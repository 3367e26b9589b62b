"""Writes products as rows that reader.py reads again: importing them changes nothing.

Stock is left out: a count in a file is compared with the last imported count, and units that were
sold since would be taken off twice. Pictures without an address of their own (uploaded by staff)
stay where they are and are left out too.
"""

from collections.abc import Iterator
from itertools import zip_longest

from apps.catalog import limits
from apps.catalog.models import Product, ProductImage, Variant
from apps.catalog.shopify_csv.columns import BODY, OPTION_NAMES, OPTION_VALUES
from apps.catalog.shopify_csv.options import NO_OPTION_NAME, NO_OPTION_VALUE
from apps.core.money import decimal_string

COLUMNS = (
    *("Handle", "Title", BODY, "Vendor", "Type", "Tags", "Published"),
    *(column for pair in zip(OPTION_NAMES, OPTION_VALUES, strict=True) for column in pair),
    *("Variant SKU", "Variant Grams", "Variant Inventory Tracker", "Variant Inventory Policy"),
    *("Variant Price", "Variant Compare At Price", "Variant Requires Shipping", "Variant Taxable"),
    *("Variant Barcode", "Image Src", "Image Position", "Image Alt Text", "Gift Card"),
    *("Variant Image", "Status"),
)


def rows_of(product: Product) -> Iterator[dict[str, str]]:
    """The rows of a product with its active variants; none if it has none.

    `variants`, `options`, `images` and `category` are read from the product: prefetch them.
    """
    variants = [variant for variant in product.variants.all() if variant.active]
    if not variants:
        return
    pictures = [image for image in product.images.all() if image.source_url]
    names = [option.name for option in product.options.all()][: limits.OPTIONS]
    of_variant = {i.variant_id: i.source_url for i in reversed(pictures) if i.variant_id}
    gallery = [image for image in pictures if not image.variant_id]
    for number, (variant, image) in enumerate(zip_longest(variants, gallery), 1):
        row = {"Handle": product.slug}
        if number == 1:
            row |= _product(product, names)
        if variant is not None:
            row |= _variant(variant, names, of_variant.get(variant.pk, ""))
        if image is not None:
            row |= _picture(image, number)
        yield row


def _product(product: Product, names: list[str]) -> dict[str, str]:
    status = "active" if product.listed else "unlisted"
    return {
        "Title": product.name,
        BODY: product.description,
        "Vendor": product.vendor,
        "Type": product.category.name,
        "Tags": ", ".join(product.tags),
        "Published": _boolean(product.published),
        "Gift Card": _boolean(product.gift_card),
        "Status": status if product.published else "draft",
        **dict(zip(OPTION_NAMES, names or [NO_OPTION_NAME], strict=False)),
    }


def _variant(variant: Variant, names: list[str], picture: str) -> dict[str, str]:
    values = [variant.options.get(name, "") for name in names] or [NO_OPTION_VALUE]
    policy = variant.inventory_policy
    is_counted = policy != Variant.InventoryPolicy.UNTRACKED
    compared = variant.compare_at_amount
    return {
        **dict(zip(OPTION_VALUES, values, strict=False)),
        "Variant SKU": variant.sku,
        "Variant Grams": str(variant.weight_grams),
        "Variant Inventory Tracker": "shopify" if is_counted else "",
        "Variant Inventory Policy": policy if is_counted else Variant.InventoryPolicy.DENY,
        "Variant Price": decimal_string(variant.price_amount, variant.currency),
        "Variant Compare At Price": (
            "" if compared is None else decimal_string(compared, variant.currency)
        ),
        "Variant Requires Shipping": _boolean(variant.requires_shipping),
        "Variant Taxable": _boolean(variant.taxable),
        "Variant Barcode": variant.barcode,
        "Variant Image": picture,
    }


def _picture(image: ProductImage, position: int) -> dict[str, str]:
    return {
        "Image Src": image.source_url,
        "Image Position": str(position),
        "Image Alt Text": image.alt,
    }


def _boolean(value: bool) -> str:
    return "TRUE" if value else "FALSE"
