"""Products by an article number: SKU or barcode, without case, whole or as typed so far."""

import re

from django.db.models.functions import Upper

from apps.catalog.models import Variant

FOUND_MAX = 200  # products; whoever sees more types on
PREFIX_FROM = 3  # characters
# "MUG" begins many SKUs and is a word; "KT-INS" and "4006381" are no words.
NUMBER_LIKE = re.compile(r"\d|\w[-_./]\w")
BETWEEN_DIGITS = re.compile(r"(?<=\d)[ -](?=\d)")  # as barcodes are printed: 4 006381 333931


def products_numbered(text: str, *, using: str, inactive: bool = False) -> list[int]:
    """Ids of products with such a SKU or barcode; [] when it is none.

    Of variants that are switched off only with `inactive`.
    """
    typed = text.upper()
    by_prefix = len(typed) >= PREFIX_FROM and NUMBER_LIKE.search(typed) is not None
    lookup = "number__startswith" if by_prefix else "number"
    variants = Variant.objects.using(using).order_by()
    if not inactive:
        variants = variants.filter(active=True)
    # One statement with two halves: with OR PostgreSQL would read all variants.
    of_sku, of_barcode = (
        variants.annotate(number=Upper(column)).filter(**{lookup: number}).values("product_id")
        for column, number in (("sku", typed), ("barcode", BETWEEN_DIGITS.sub("", typed)))
    )
    found = of_sku.union(of_barcode, all=True).values_list("product_id", flat=True)[:FOUND_MAX]
    return list(dict.fromkeys(found))
