"""Shopify's product files as tests write them, and what an import made of them.

report = load(a_file(MUG, {**PAN, "Title": "Big Pan"}))
assert handles(report.created) == ["mug", "pan"]
"""

import csv
import io

from apps.catalog import importer
from apps.catalog.models import Category, Product, ProductImage, Variant
from apps.inventory.models import StockItem, StockMovement

COLUMNS = (
    *("Handle", "Title", "Body (HTML)", "Vendor", "Type", "Tags", "Published"),
    *("Option1 Name", "Option1 Value", "Option2 Name", "Option2 Value"),
    *("Option3 Name", "Option3 Value", "Variant SKU", "Variant Grams", "Variant Inventory Qty"),
    *("Variant Price", "Variant Compare At Price", "Variant Requires Shipping", "Variant Taxable"),
    *("Variant Barcode", "Image Src", "Image Position", "Image Alt Text", "Variant Image"),
    "Status",
)
MUG = {"Handle": "mug", "Title": "Mug", "Type": "Mugs", "Variant Price": "18", "Variant SKU": "M-1",
       "Variant Inventory Qty": "5"}  # fmt: skip
PAN = {"Handle": "pan", "Title": "Pan", "Type": "Pans", "Variant Price": "45", "Variant SKU": "P-1",
       "Variant Inventory Qty": "2"}  # fmt: skip


def a_file(*rows: dict[str, str], columns=COLUMNS) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def load(content: bytes | str) -> importer.ImportReport:
    stream = io.BytesIO(content) if isinstance(content, bytes) else io.StringIO(content)
    return importer.import_csv(stream)


def handles(entries) -> list[str]:
    return [entry.handle for entry in entries]


def problems(report) -> list[tuple[int, str]]:
    return [(p.line, p.reason) for refused in report.skipped for p in refused.problems]


def everything() -> list[object]:
    """All rows that an import could touch."""
    return [
        list(model.objects.order_by("pk").values())
        for model in (Category, Product, Variant, ProductImage, StockItem, StockMovement)
    ]
