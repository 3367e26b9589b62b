"""What programs ask a shop for: robots.txt, sitemap.xml and favicon.ico.

/sitemap.xml is an index: one file of categories, and as many of products as there are thousands. A
file is sent while it is read, so a catalog of 100,000 products never stands in memory, and is then
kept, compressed, for an hour.
"""

import zlib
from collections.abc import Iterable, Iterator
from math import ceil
from pathlib import Path

from django.conf import settings
from django.core.cache import cache
from django.db.models import QuerySet
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_safe

from apps.catalog import browse
from apps.catalog.browse import CategoryNode
from apps.catalog.models import Product

PRODUCTS_A_FILE = 5_000  # the protocol allows 50,000 addresses or 50 MB
KEPT = 3600  # seconds
ROWS_AT_ONCE = 1_000
NOT_FOR_ROBOTS = ("/account/", "/admin/", "/api/", "/cart/", "/checkout/", "/orders/", "/queue/")
XML = "application/xml"
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
NAMESPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
ICON = Path(settings.BASE_DIR) / "static" / "favicon.ico"


@require_safe
def robots(request: HttpRequest) -> HttpResponseBase:
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in NOT_FOR_ROBOTS)]
    lines += ["", f"Sitemap: {settings.SHOP_URL}{reverse('web:sitemap')}", ""]
    return _for_an_hour(HttpResponse("\n".join(lines), content_type="text/plain; charset=utf-8"))


@require_safe
def favicon(request: HttpRequest) -> HttpResponseBase:
    """For browsers and programs that look at this address without reading the page."""
    return _for_an_hour(FileResponse(ICON.open("rb"), content_type="image/x-icon"))


@require_safe
def sitemap(request: HttpRequest) -> HttpResponseBase:
    """The index of the files."""

    def lines() -> Iterator[str]:
        yield f"{HEAD}<sitemapindex {NAMESPACE}>\n"
        yield f"<sitemap><loc>{_url('web:sitemap-categories')}</loc></sitemap>\n"
        for number in range(1, ceil(_products().count() / PRODUCTS_A_FILE) + 1):
            yield f"<sitemap><loc>{_url('web:sitemap-products', number)}</loc></sitemap>\n"
        yield "</sitemapindex>\n"

    return _kept("index", lines())


@require_safe
def sitemap_categories(request: HttpRequest) -> HttpResponseBase:
    def places() -> Iterator[str]:
        yield _place(_url("web:home"))
        for node in _every(browse.category_tree()):
            yield _place(_url("web:category", node.slug))

    return _kept("categories", _urlset(places()))


@require_safe
def sitemap_products(request: HttpRequest, number: int) -> HttpResponseBase:
    """The products of file `number`, from 1, in the order of their ids."""
    first = (number - 1) * PRODUCTS_A_FILE
    if number < 1 or not _products().order_by("pk")[first : first + 1].exists():
        raise Http404

    def places() -> Iterator[str]:
        rows = _products().order_by("pk").values_list("slug", "updated_at")
        for slug, changed in rows[first : first + PRODUCTS_A_FILE].iterator(ROWS_AT_ONCE):
            yield _place(_url("web:product", slug), changed.date().isoformat())

    return _kept(f"products-{number}", _urlset(places()))


def _products() -> QuerySet[Product]:
    """What the lists of the shop show, unsorted."""
    return browse.products().order_by()


def _every(nodes: Iterable[CategoryNode]) -> Iterator[CategoryNode]:
    for node in nodes:
        yield node
        yield from _every(node.children)


def _url(name: str, *args: object) -> str:
    # Slugs are ASCII letters, digits and hyphens (urls.py): nothing has to be escaped.
    return f"{settings.SHOP_URL}{reverse(name, args=args)}"


def _urlset(places: Iterable[str]) -> Iterator[str]:
    yield f"{HEAD}<urlset {NAMESPACE}>\n"
    yield from places
    yield "</urlset>\n"


def _place(url: str, changed: str = "") -> str:
    when = f"<lastmod>{changed}</lastmod>" if changed else ""
    return f"<url><loc>{url}</loc>{when}</url>\n"


def _kept(name: str, lines: Iterator[str]) -> HttpResponseBase:
    """`lines` as a file; what was kept of it is not computed again."""
    key = f"web:sitemap:{name}"
    known: bytes | None = cache.get(key)
    if known is not None:
        return _for_an_hour(HttpResponse(zlib.decompress(known), content_type=XML))
    return _for_an_hour(StreamingHttpResponse(_keeping(key, lines), content_type=XML))


def _keeping(key: str, lines: Iterator[str]) -> Iterator[bytes]:
    packer = zlib.compressobj()
    packed = []
    for line in lines:
        text = line.encode()
        packed.append(packer.compress(text))
        yield text
    packed.append(packer.flush())
    cache.set(key, b"".join(packed), KEPT)


def _for_an_hour(response: HttpResponseBase) -> HttpResponseBase:
    response["Cache-Control"] = f"public, max-age={KEPT}"
    return response
