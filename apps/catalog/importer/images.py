"""The pictures of a file: fetched before anything is written, unless they are stored already."""

from collections.abc import Iterable, Mapping

from apps.catalog import pictures
from apps.catalog.importer.report import Note, Progress
from apps.catalog.models import ProductImage
from apps.catalog.shopify_csv import SheetProduct


def images_of(products: Iterable[SheetProduct], progress: Progress) -> dict[str, pictures.Fetched]:
    """Where each picture of the file is stored. Stored ones are not fetched again."""
    urls = list(dict.fromkeys(url for product in products for url in _urls(product)))
    stored = dict(
        ProductImage.objects.filter(source_url__in=urls)
        .exclude(path=pictures.PLACEHOLDER)
        .values_list("source_url", "path")
    )
    missing = [url for url in urls if url not in stored]
    fetched = pictures.fetch_all(
        missing, progress=lambda done: progress("pictures", done, len(missing))
    )
    return {url: pictures.Fetched(path) for url, path in stored.items()} | dict(fetched)


def notes_of(product: SheetProduct, images: Mapping[str, pictures.Fetched]) -> list[Note]:
    """Which pictures of the product are placeholders, and why."""
    lines = {picture.url: picture.line for picture in reversed(product.pictures)}
    for variant in product.variants:
        lines.setdefault(variant.picture, variant.line)
    return [
        Note(lines[url], product.handle, f"placeholder for {url}: {images[url].trouble}")
        for url in dict.fromkeys(_urls(product))
        if images[url].trouble
    ]


def _urls(product: SheetProduct) -> list[str]:
    urls = [picture.url for picture in product.pictures]
    return urls + [variant.picture for variant in product.variants if variant.picture]
