"""The kept page of a product, as it is now.

    product_pages.of("stoneware-mug")  ->  its Page, or None: Django renders it

Redis is asked whether product and categories are still those that the page was made of, PostgreSQL
how many units are available. What was built from the answers stays in this process: equal answers
are equal pages, so a changed price or one unit sold is another page.

Requests that come to one process within SHARED_SECONDS share these two queries. A thousand
requests a second cause fifty pairs of them, and what visitors see is older by at most those 20 ms
and the queries themselves, which is less than a response takes to reach them.
"""

import threading
import time
from dataclasses import dataclass
from functools import lru_cache

from django.db import DatabaseError, InterfaceError

from apps.catalog import browse, cache
from apps.catalog.browse import ProductDetail
from apps.core.connections import drop_dead_connections
from apps.web import page_cache
from apps.web.context_processors import NavigationCategory, navigation_categories
from apps.web.page_cache import Page
from apps.web.product_cards import Card
from apps.web.product_page import StockShown, made_of, related, stock_shown, tags_of

PAGES = 256  # kept in this process: about 20 KB each
NEIGHBOURS_SECONDS = 1.0
SHARED_SECONDS = 0.02  # counted from before the questions


@dataclass(eq=False, slots=True)
class _Seen:
    """What was read from the catalog; true for as long as Redis holds the same bytes."""

    held: tuple[bytes | None, ...]
    detail: ProductDetail
    frame: tuple[NavigationCategory, ...]
    # Until when the page is shared, and the page. One value, so that threads swap both at once.
    shown: tuple[float, Page | None] = (0.0, None)


class _NotCached(Exception):
    """No request has rendered this very page yet, or the cache has dropped it."""


_seen: dict[str, _Seen] = {}
_making_room = threading.Lock()  # two threads that evict the oldest at once: one finds it gone


def of(slug: str) -> Page | None:
    """The page of the product `slug`; None where Django has to answer."""
    now = time.monotonic()
    seen = _seen.get(slug)
    if seen is not None:
        until, page = seen.shown
        if now < until:
            return page
    drop_dead_connections()
    try:
        seen = _read(slug)
        if seen is None:
            return None
        page = _cached(
            seen,
            stock_shown(seen.detail),
            _neighbours(seen, int(now // NEIGHBOURS_SECONDS)),
            int(now // page_cache.SECONDS),
        )
    except (_NotCached, DatabaseError, InterfaceError):
        return None  # the view renders the page, or says what is wrong
    seen.shown = (now + SHARED_SECONDS, page)
    return page


def _read(slug: str) -> _Seen | None:
    """The product as Redis holds it now; None where the view has to fill the cache first."""
    held = cache.raw_pages(*_entries(slug))
    if held is None:
        return None
    seen = _seen.get(slug)
    if seen is not None and seen.held == held:
        return seen
    detail, frame = browse.product_detail(slug), navigation_categories()
    # Where the entries changed meanwhile, what was read may be of before or after the change.
    if detail is None or cache.raw_pages(*_entries(slug)) != held:
        return None
    seen = _Seen(held, detail, frame)
    with _making_room:
        while len(_seen) >= PAGES:
            _seen.pop(next(iter(_seen)))
        _seen[slug] = seen
    return seen


def _entries(slug: str) -> tuple[tuple[str, str], ...]:
    return ("product", slug), ("tree", "categories")


@lru_cache(maxsize=PAGES)
def _neighbours(seen: _Seen, _second: int) -> tuple[Card, ...]:
    return tuple(related(seen.detail))


@lru_cache(maxsize=PAGES)
def _cached(
    seen: _Seen, left: tuple[StockShown, ...], neighbours: tuple[Card, ...], _minutes: int
) -> Page:
    """The kept page. Raises _NotCached, which lru_cache does not keep."""
    key = page_cache.key_of(made_of(seen.detail, left, list(neighbours)), seen.frame)
    page = page_cache.kept(key, tags_of(seen.detail))
    if page is None:
        raise _NotCached
    return page
