"""Reads a Shopify product CSV into products, each whole and valid or refused with line and reason.

A product is one or more rows with the same `Handle`: the first carries title, text and option
names, the others further variants and pictures. What cannot be meant as it stands but can be
understood is repaired, and noted with its line and column (`Repair`). If a row cannot be
understood, its whole product is refused (half a product is worse than none), and no other. Lines
are counted as an editor counts them, header included; a row that spans several lines is named by
its first.

In the order of reading:

    file_text   encoding, and what stands between the cells
    rows        header (older and newer names), quotes, cleaned cells
    handles     rows of one product, and its slug
    products    its title, text, category, status, variants and pictures; with
    variants, cells, amounts, options    what each cell may hold
    skus        which SKU each variant gets, by what the shop has already

The standard library's csv does the reading. django-import-export and tablib were considered: they
map one row to one record, and here a record is a group of rows with three kinds of children.
"""

from apps.catalog.shopify_csv.reader import read
from apps.catalog.shopify_csv.sheet import (
    NotAProductCsv,
    Problem,
    Refused,
    Repair,
    Sheet,
    SheetPicture,
    SheetProduct,
    SheetVariant,
)
from apps.catalog.shopify_csv.skus import candidates, derived_sku, settle_skus

__all__ = [
    "NotAProductCsv",
    "Problem",
    "Refused",
    "Repair",
    "Sheet",
    "SheetPicture",
    "SheetProduct",
    "SheetVariant",
    "candidates",
    "derived_sku",
    "read",
    "settle_skus",
]
