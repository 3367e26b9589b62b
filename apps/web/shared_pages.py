"""Lists that everybody sees alike, made at most once a second in each process.

The front page, a category and a search ask the database four questions, which cost fifty times what
sending the page costs. Their answers are shared by all who come to this process within
FRESH_SECONDS. After that one request asks again, and those that come meanwhile get the page that
is there, until it is USABLE_SECONDS old; then they wait. So prices and stock words on a list are no
older than USABLE_SECONDS, counted from before the questions were asked.

A product's own page is newer (apps/fastpath/product_pages.py), and what is bought is priced and
counted by the checkout itself.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from apps.web import page_cache
from apps.web.context_processors import navigation_categories
from apps.web.page_cache import Page

FRESH_SECONDS = 1.0
USABLE_SECONDS = 2.0
WAIT_SECONDS = 5.0  # for another request that makes the same page
PAGES = 512  # kept in this process: about 30 KB each


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page shows, by its template, and the tags of what that is."""

    template_name: str
    context: Mapping[str, Any]
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    asked_at: float  # monotonic
    key: str
    page: Page


_pages: dict[str, _Kept] = {}
_making_room = threading.Lock()
# Of an address, while its page is made. Two addresses may share one; then they wait for each other.
_making = [threading.Lock() for _ in range(64)]


def shared_page(address: str, look: Callable[[], Shown]) -> Page:
    """The page at `address` (path and query), of now or of a moment ago.

    `look` asks what it shows. What it raises reaches the request that asked.
    """
    if (page := fresh_page(address)) is not None:
        return page
    lock = _making[hash(address) % len(_making)]
    mine = lock.acquire(blocking=False)
    if not mine and (page := _not_older_than(USABLE_SECONDS, address)) is not None:
        return page
    mine = mine or lock.acquire(timeout=WAIT_SECONDS)
    try:
        return fresh_page(address) or _make(address, look)
    finally:
        if mine:
            lock.release()


def address_of(request: HttpRequest) -> str:
    """The address as it was asked for. Two spellings of one question are two pages."""
    query = request.META.get("QUERY_STRING", "")
    return f"{request.path}?{query}" if query else request.path


def fresh_page(address: str) -> Page | None:
    """The page at `address` if nothing has to be asked for it; else None."""
    return _not_older_than(FRESH_SECONDS, address)


def forget() -> None:
    """Ask anew for every page."""
    _pages.clear()


def _not_older_than(seconds: float, address: str) -> Page | None:
    kept = _pages.get(address)
    if kept is None or time.monotonic() - kept.asked_at >= seconds:
        return None
    return kept.page


def _make(address: str, look: Callable[[], Shown]) -> Page:
    asked_at = time.monotonic()
    shown, before = look(), _pages.get(address)
    made_of = (shown.template_name, sorted(shown.context.items()))
    key = page_cache.key_of(made_of, navigation_categories())
    if before is not None and before.key == key:
        page = before.page
    else:
        page = Page.of(page_cache.render_for_nobody(shown.template_name, shown.context), shown.tags)
    with _making_room:
        _pages.pop(address, None)
        while len(_pages) >= PAGES:
            _pages.pop(next(iter(_pages)))
        _pages[address] = _Kept(asked_at, key, page)
    return page
