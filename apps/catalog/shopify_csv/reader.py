"""Reads a whole file: rows grouped by handle, each group made a product."""

from typing import IO

from apps.catalog.shopify_csv.file_text import text_of
from apps.catalog.shopify_csv.handles import rows_by_handle, slugs_of
from apps.catalog.shopify_csv.products import product_of_rows
from apps.catalog.shopify_csv.rows import rows
from apps.catalog.shopify_csv.sheet import Problem, Refused, Sheet, SheetProduct


def read(stream: IO[bytes] | IO[str]) -> Sheet:
    """All products of the file. Raises NotAProductCsv; smaller defects are in `refused`."""
    text, repairs = text_of(stream)
    sheet = Sheet(repairs=repairs)
    groups = rows_by_handle(rows(text))
    slugs = slugs_of(groups.keys())
    for handle, group in groups.items():
        if not handle:
            for row in group:
                problem = Problem(row.line, row.defect or "missing handle")
                sheet.refused.append(Refused(row.line, "", (problem,)))
            continue
        result = product_of_rows(*slugs[handle], group)
        if isinstance(result, SheetProduct):
            sheet.products.append(result)
        else:
            sheet.refused.append(result)
    sheet.refused.sort(key=lambda each: each.line)
    return sheet
