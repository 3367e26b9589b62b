"""Products as CSV: a list to read, and a file that can be imported again."""

from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.backoffice import csv_export
from apps.catalog.shopify_csv import writer
from apps.core.money import decimal_string


def _decimal(minor: int | None, currency: str) -> str:
    """`18.00`, or an empty cell."""
    return "" if minor is None else decimal_string(minor, currency)


COLUMNS: list[csv_export.Column] = [
    ("slug", lambda p: p.slug),
    ("name", lambda p: p.name),
    ("vendor", lambda p: p.vendor),
    ("category", lambda p: p.category.name),
    ("published", lambda p: p.published),
    ("currency", lambda p: p.currency),
    ("price_from", lambda p: _decimal(p.lowest, p.currency)),
    ("price_to", lambda p: _decimal(p.highest, p.currency)),
    ("on_hand", lambda p: p.units_on_hand),
    ("held", lambda p: p.units_held),
    ("for_sale", lambda p: p.units_on_hand - p.units_held),
]


FILE_COLUMNS: list[csv_export.Column] = [
    (column, lambda row, column=column: row.get(column, "")) for column in writer.COLUMNS
]


def download(request: HttpRequest, products: QuerySet) -> HttpResponseBase:
    """The file of `products`, which carry what ProductAdmin.get_queryset annotates."""
    found = products.select_related("category")
    return csv_export.download(request, found, COLUMNS, name="products", people=False)


def download_file(request: HttpRequest, products: QuerySet) -> HttpResponseBase:
    """`products` in the format that import_catalog reads; importing it again changes nothing."""
    found = products.select_related("category").prefetch_related("variants", "options", "images")
    return csv_export.download(
        request, found, FILE_COLUMNS, name="catalog", people=False, rows_of=writer.rows_of
    )
