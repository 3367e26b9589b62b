"""The columns that are read, their other names, and how long their cells may be."""

from apps.catalog import limits

REQUIRED = ("Handle", "Title", "Variant Price")

OPTION_NAMES = tuple(f"Option{number} Name" for number in range(1, limits.OPTIONS + 1))
OPTION_VALUES = tuple(f"Option{number} Value" for number in range(1, limits.OPTIONS + 1))
TYPES = ("Type", "Custom Product Type")
CODES = ("Variant SKU", "Variant Barcode")
# The greatest length of each text cell in characters.
LENGTHS = {
    "Handle": 2 * limits.SLUG,  # shortened to a slug
    "Title": limits.NAME,
    "Vendor": limits.VENDOR,
    **dict.fromkeys(TYPES, limits.CATEGORY_NAME),
    "Standard Product Type": 1000,  # a path, of which the end is read
    "Tags": limits.TAGS * (limits.TAG + 2),
    "Variant SKU": limits.SKU,
    "Variant Barcode": limits.BARCODE,
    "Image Alt Text": 10 * limits.ALT,  # shortened
    **dict.fromkeys(OPTION_NAMES, limits.OPTION_NAME),
    **dict.fromkeys(OPTION_VALUES, limits.OPTION_VALUE),
    "Image Src": limits.PICTURE_URL,
    "Variant Image": limits.PICTURE_URL,
}
BODY = "Body (HTML)"
COLUMNS = (
    *LENGTHS,
    *(BODY, "Published", "Status", "Gift Card", "Image Position"),
    *("Variant Price", "Variant Compare At Price", "Variant Grams"),
    *("Variant Inventory Qty", "Variant Inventory Policy", "Variant Inventory Tracker"),
    *("Variant Taxable", "Variant Requires Shipping"),
)
# What newer files of Shopify call them.
ALIASES = {
    "url handle": "Handle",
    "description": BODY,
    "published on online store": "Published",
    "sku": "Variant SKU",
    "barcode": "Variant Barcode",
    "weight value (grams)": "Variant Grams",
    "inventory tracker": "Variant Inventory Tracker",
    "inventory quantity": "Variant Inventory Qty",
    "continue selling when out of stock": "Variant Inventory Policy",
    "price": "Variant Price",
    "compare-at price": "Variant Compare At Price",
    "requires shipping": "Variant Requires Shipping",
    "charge tax": "Variant Taxable",
    "product image url": "Image Src",
    "variant image url": "Variant Image",
}
CANONICAL = {name.lower(): name for name in COLUMNS} | ALIASES
VARIANT_CELLS = ("Variant SKU", "Variant Price", *OPTION_VALUES)
