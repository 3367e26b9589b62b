"""Imports a Shopify product CSV, product by product.

    1. Read the whole file; what can be understood is repaired and noted, what cannot is refused
       with its line and reason (shopify_csv).
    2. Find the products and variants that the shop has already (matching.py).
    3. Fetch the pictures that are not stored yet, in parallel, outside any transaction.
    4. For each product one transaction: the product as the file describes it, and its stock.
       It is written whole or not at all, and a failure stops no other product.

Running it twice changes nothing. A changed quantity: `Variant Inventory Qty` is a count of the
stock, and each variant stores the last one (`imported_quantity`). The first count
becomes the stock of the default warehouse. Later only the *difference* between two counts moves
stock: 10 imported, 3 sold, 10 imported again leaves 7, because setting the stock to 10 would sell
three units that are gone; 15 imported then makes 12. A count cannot take units that orders hold:
such a product is refused as a whole. So is one that would be sold out by its count (`deny`) while
it owes units that were sold as `continue`.

Two imports at once are serialised by an advisory lock, product by product.
"""

import logging
from collections.abc import Mapping
from typing import IO

from django.db import DatabaseError, connection, transaction

from apps.catalog import pictures, services, shopify_csv, specs
from apps.catalog.importer.counts import CountTooLow, apply_count, counted_first
from apps.catalog.importer.images import images_of, notes_of
from apps.catalog.importer.matching import matched
from apps.catalog.importer.report import Entry, ImportReport, Note, Progress, refused
from apps.catalog.shopify_csv import SheetProduct
from apps.inventory.switching import UnitsOwed

__all__ = ["Entry", "ImportReport", "Note", "import_csv"]

log = logging.getLogger(__name__)

# Any number that no other advisory lock of this database uses.
IMPORT_LOCK = 5_411_001


def import_csv(
    stream: IO[bytes] | IO[str], *, progress: Progress = lambda what, done, total: None
) -> ImportReport:
    """Import the file. Raises shopify_csv.NotAProductCsv before anything is written.

    `progress` is called with (what is being done, how many are done, of how many).
    """
    sheet = shopify_csv.read(stream)
    report = ImportReport(skipped=list(sheet.refused))
    report.notes += [Note(repair.line, "", repair.text) for repair in sheet.repairs]
    products = matched(sheet.products)
    images = images_of(products, progress)
    for number, product in enumerate(products, 1):
        _import_one(product, images, report)
        progress("products", number, len(products))
    report.skipped.sort(key=lambda one: one.line)
    report.notes.sort(key=lambda note: note.line)
    return report


def _import_one(
    product: SheetProduct, images: Mapping[str, pictures.Fetched], report: ImportReport
) -> None:
    try:
        with transaction.atomic():
            _wait_for_other_imports()
            early = counted_first(product.variants)
            counted = list(map(apply_count, early))
            saved = services.save_product(_spec(product, images))
            counted += [apply_count(v) for v in product.variants if v not in early]
    except (specs.SkuTaken, UnitsOwed) as error:
        line = next(v.line for v in product.variants if v.sku == error.sku)
        report.skipped.append(refused(product, line, str(error)))
        return
    except CountTooLow as error:
        report.skipped.append(refused(product, error.line, str(error)))
        return
    except DatabaseError as error:
        # A constraint that no check here covers: only this product is refused.
        log.exception("product %s could not be written", product.handle)
        reason = f"the database refused it: {str(error).splitlines()[0]}"
        report.skipped.append(refused(product, product.line, reason))
        return
    report.notes += [Note(r.line, product.handle, r.text) for r in product.repairs]
    report.notes += notes_of(product, images)
    entry = Entry(product.line, product.handle, (*saved.changes, *filter(None, counted)))
    if saved.is_new:
        report.created.append(Entry(product.line, product.handle))
    elif entry.changes:
        report.updated.append(entry)
    else:
        report.unchanged.append(entry)


def _wait_for_other_imports() -> None:
    # Without this two imports that both find no stock row would create it twice.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [IMPORT_LOCK])


def _spec(product: SheetProduct, images: Mapping[str, pictures.Fetched]) -> specs.ProductSpec:
    gallery = [
        specs.PictureSpec(images[picture.url].path, picture.url, picture.alt or product.title)
        for picture in product.pictures
    ]
    of_variants = [
        specs.PictureSpec(images[variant.picture].path, variant.picture, product.title, variant.sku)
        for variant in product.variants
        if variant.picture
    ]
    return specs.ProductSpec(
        slug=product.handle,
        name=product.title,
        description=product.body,
        vendor=product.vendor,
        category=product.category,
        tags=product.tags,
        published=product.published,
        listed=product.listed,
        gift_card=product.gift_card,
        options=product.options,
        variants=tuple(
            specs.VariantSpec(
                sku=variant.sku,
                name=" / ".join(variant.options.values())[:255],
                options=variant.options,
                price_amount=variant.price_amount,
                compare_at_amount=variant.compare_at_amount,
                weight_grams=variant.weight_grams,
                barcode=variant.barcode,
                taxable=variant.taxable,
                requires_shipping=variant.requires_shipping,
                inventory_policy=variant.inventory_policy,
            )
            for variant in product.variants
        ),
        pictures=tuple(gallery + of_variants),
    )
