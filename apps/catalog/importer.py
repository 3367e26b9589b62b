"""Brings a Shopify product CSV into the shop, product by product.

    1. Read the whole file; what cannot be read is refused with its line and reason (shopify_csv).
    2. Fetch the pictures that the shop does not have yet, in parallel, outside any transaction.
    3. For each product one transaction: the product as the file describes it, and its stock.
       It is written whole or not at all, and a failure ends no other product.

Running it twice changes nothing. What a changed quantity means: `Variant Inventory Qty` is a count
that somebody made, and each variant remembers the last one (`imported_quantity`). The first count
becomes the stock of the default warehouse. Later only the *difference* between two counts moves
stock: 10 imported, 3 sold, 10 imported again leaves 7, because setting the shelf to 10 would sell
three units that are gone; 15 imported then makes 12. A count cannot take units that orders hold:
that product is refused as a whole.

Two imports at once take turns, product by product.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import IO

from django.db import DatabaseError, connection, transaction

from apps.catalog import pictures, services, shopify_csv
from apps.catalog.models import ProductImage, Variant
from apps.catalog.shopify_csv import Problem, Refused, SheetProduct, SheetVariant
from apps.inventory import stock
from apps.inventory.models import StockItem, StockMovement

log = logging.getLogger(__name__)

ACTOR = "import_catalog"
# Any number will do, as long as nobody else's advisory lock has it.
IMPORT_LOCK = 5_411_001

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Entry:
    """One product of the file: its first line, its handle, what was done, what to know about it."""

    line: int
    handle: str
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Note:
    """Something that a person should know though the product was imported."""

    line: int
    handle: str
    text: str


@dataclass
class ImportReport:
    """What came of a file, in its order."""

    created: list[Entry] = field(default_factory=list)
    updated: list[Entry] = field(default_factory=list)
    unchanged: list[Entry] = field(default_factory=list)
    skipped: list[Refused] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


def import_csv(
    stream: IO[bytes] | IO[str], *, progress: Progress = lambda what, done, total: None
) -> ImportReport:
    """Import the file. Raises shopify_csv.NotAProductCsv before anything is written.

    `progress` hears (what is being done, how many are done, of how many).
    """
    sheet = shopify_csv.read(stream)
    report = ImportReport(skipped=list(sheet.refused))
    products = _beside_other_skus(sheet.products)
    images = _images(products, progress)
    for number, product in enumerate(products, 1):
        _import_one(product, images, report)
        progress("products", number, len(products))
    report.skipped.sort(key=lambda refused: refused.line)
    return report


def _import_one(
    product: SheetProduct, images: Mapping[str, pictures.Fetched], report: ImportReport
) -> None:
    try:
        with transaction.atomic():
            _take_turns()
            saved = services.save_product(_spec(product, images))
            counted = [line for line in map(_count, product.variants) if line]
    except services.SkuTaken as error:
        line = next(v.line for v in product.variants if v.sku == error.sku)
        report.skipped.append(_refused(product, line, str(error)))
        return
    except _CountTooLow as error:
        report.skipped.append(_refused(product, error.line, str(error)))
        return
    except DatabaseError as error:
        # A rule of the database that no check here foresaw: this product's trouble alone.
        log.exception("product %s could not be written", product.handle)
        reason = f"the database refused it: {str(error).splitlines()[0]}"
        report.skipped.append(_refused(product, product.line, reason))
        return
    report.notes += _notes(product, images)
    entry = Entry(product.line, product.handle, (*saved.changes, *counted))
    if saved.is_new:
        report.created.append(Entry(product.line, product.handle))
    elif entry.changes:
        report.updated.append(entry)
    else:
        report.unchanged.append(entry)


def _beside_other_skus(products: Sequence[SheetProduct]) -> list[SheetProduct]:
    """The products, with derived SKUs that another product of the shop has told apart."""
    derived = [v.sku for product in products for v in product.variants if v.is_derived]
    owners = dict(Variant.objects.filter(sku__in=derived).values_list("sku", "product__slug"))
    return [
        replace(
            product,
            variants=tuple(
                shopify_csv.told_apart(product.handle, variant)
                if variant.is_derived and owners.get(variant.sku, product.handle) != product.handle
                else variant
                for variant in product.variants
            ),
        )
        for product in products
    ]


def _take_turns() -> None:
    # Without this two imports that both miss a shelf make it twice.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [IMPORT_LOCK])


def _refused(product: SheetProduct, line: int, reason: str) -> Refused:
    return Refused(product.line, product.handle, (Problem(line, reason),))


# --- Stock ----------------------------------------------------------------------------------------


class _CountTooLow(Exception):
    """The file counts fewer units than orders hold."""

    def __init__(self, line: int, quantity: int, reason: str) -> None:
        super().__init__(f"a stock of {quantity} is not possible: {reason}")
        self.line = line


def _count(sheet: SheetVariant) -> str:
    """Move stock as the file's count says; what changed, for people, or ""."""
    if sheet.quantity is None:
        return ""
    variant = Variant.objects.select_for_update().get(sku=sheet.sku)
    if variant.imported_quantity == sheet.quantity:
        return ""
    reason = f"counted {sheet.quantity} in an imported file"
    if variant.imported_quantity is None:
        shelf = StockItem.objects.filter(variant=variant, warehouse=stock.default_warehouse())
        on_hand = shelf.values_list("on_hand", flat=True).first()
    else:
        on_hand = variant.imported_quantity
    if on_hand is None:
        kind = StockMovement.Kind.INITIAL
        stock.receive(sku=sheet.sku, quantity=sheet.quantity, kind=kind, reason=reason, actor=ACTOR)
    elif sheet.quantity != on_hand:
        change = sheet.quantity - on_hand
        try:
            stock.adjust(sku=sheet.sku, change=change, reason=reason, actor=ACTOR)
        except stock.WouldGoBelowReserved as error:
            raise _CountTooLow(sheet.line, sheet.quantity, str(error)) from error
    # No signal: what a file counted is no part of any page.
    Variant.objects.filter(pk=variant.pk).update(imported_quantity=sheet.quantity)
    return f"{sheet.sku}: stock {sheet.quantity - (on_hand or 0):+d}"


# --- Pictures -------------------------------------------------------------------------------------


def _images(products: Iterable[SheetProduct], progress: Progress) -> Mapping[str, pictures.Fetched]:
    """Where each picture of the file lies. One that is there already is not fetched again."""
    wanted = list(dict.fromkeys(url for product in products for url in _urls(product)))
    there = dict(
        ProductImage.objects.filter(source_url__in=wanted)
        .exclude(path=pictures.PLACEHOLDER)
        .values_list("source_url", "path")
    )
    missing = [url for url in wanted if url not in there]
    fetched = pictures.fetch_all(
        missing, progress=lambda done: progress("pictures", done, len(missing))
    )
    return {url: pictures.Fetched(path) for url, path in there.items()} | dict(fetched)


def _urls(product: SheetProduct) -> list[str]:
    urls = [picture.url for picture in product.pictures]
    return urls + [variant.picture for variant in product.variants if variant.picture]


def _notes(product: SheetProduct, images: Mapping[str, pictures.Fetched]) -> list[Note]:
    lines = {picture.url: picture.line for picture in reversed(product.pictures)}
    for variant in product.variants:
        lines.setdefault(variant.picture, variant.line)
    return [
        Note(lines[url], product.handle, f"placeholder for {url}: {images[url].trouble}")
        for url in dict.fromkeys(_urls(product))
        if images[url].trouble
    ]


# --- From the sheet to the catalogue --------------------------------------------------------------


def _spec(product: SheetProduct, images: Mapping[str, pictures.Fetched]) -> services.ProductSpec:
    gallery = [
        services.PictureSpec(images[picture.url].path, picture.url, picture.alt or product.title)
        for picture in product.pictures
    ]
    of_variants = [
        services.PictureSpec(
            images[variant.picture].path, variant.picture, product.title, variant.sku
        )
        for variant in product.variants
        if variant.picture
    ]
    return services.ProductSpec(
        slug=product.handle,
        name=product.title,
        description=product.body,
        vendor=product.vendor,
        category=product.category,
        tags=product.tags,
        published=product.published,
        options=product.options,
        variants=tuple(
            services.VariantSpec(
                sku=variant.sku,
                name=" / ".join(variant.options.values())[:255],
                options=variant.options,
                price_amount=variant.price_amount,
                compare_at_amount=variant.compare_at_amount,
                weight_grams=variant.weight_grams,
                barcode=variant.barcode,
                taxable=variant.taxable,
                requires_shipping=variant.requires_shipping,
            )
            for variant in product.variants
        ),
        pictures=tuple(gallery + of_variants),
    )
