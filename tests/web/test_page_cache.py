"""Many requests for one page render it once, and a renderer that fails delays no other request."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django_redis import get_redis_connection

from apps.flash_sales.tasks import warm_pages
from apps.inventory.models import StockItem
from apps.web import page_cache
from tests.factories import a_flash_sale, a_mug

CROWD = 8


@pytest.fixture(autouse=True)
def no_navigation(monkeypatch: pytest.MonkeyPatch) -> None:
    """The frame of the page, without a database."""
    monkeypatch.setattr(page_cache, "navigation_categories", tuple)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Redis and renderers get a minute. On a busy machine half a second is not enough: a time-out
    reads as an empty cache, and then every request renders. No test here is about those times.
    """
    monkeypatch.setattr(page_cache, "RENDER_TIMEOUT", 60.0)
    pool = get_redis_connection("default").connection_pool
    with pytest.MonkeyPatch.context() as patch:
        for name in ("socket_timeout", "socket_connect_timeout"):
            patch.setitem(pool.connection_kwargs, name, 60.0)
        pool.reset()
        yield
    pool.reset()


class SlowPage:
    """A page that takes `seconds` to render and counts its renders."""

    def __init__(self, seconds: float = 0.1) -> None:
        self.seconds = seconds
        self.renders = 0

    def __call__(self) -> str:
        self.renders += 1
        time.sleep(self.seconds)
        return f"page {self.renders}"


class CacheWithoutLock:
    """The cache, in which every request gets the lock.

    It replaces the name in the module: Django makes a cache object for each thread, so an attribute
    patched on `cache` would hold in the main thread alone.
    """

    def add(self, *_: object) -> bool:
        return True

    def __getattr__(self, name: str) -> Any:
        return getattr(cache, name)


class CacheThatCountsLocking:
    """The cache; `tried` is released once for each attempt to get the lock."""

    def __init__(self) -> None:
        self.tried = threading.Semaphore(0)

    def add(self, *args: Any) -> bool | None:
        got_it: bool | None = cache.add(*args)
        self.tried.release()
        return got_it

    def __getattr__(self, name: str) -> Any:
        return getattr(cache, name)


def ask(page: Any, made_of: object = "a mug") -> str:
    request = RequestFactory().get("/p/mug/")
    return page_cache.kept_page(request, made_of, render=page).content.decode().split("\n")[0]


def crowd(page: Any) -> list[str]:
    together = threading.Barrier(CROWD)

    def one(_: int) -> str:
        together.wait()
        return ask(page)

    with ThreadPoolExecutor(CROWD) as visitors:
        return list(visitors.map(one, range(CROWD)))


@pytest.mark.race
def test_without_waiting_every_request_renders(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: without the lock each of these requests renders."""
    monkeypatch.setattr(page_cache, "cache", CacheWithoutLock())
    all_at_once = threading.Barrier(CROWD, timeout=60)
    page = SlowPage()

    def render() -> str:
        all_at_once.wait()  # breaks if one of them waits for another
        return page()

    crowd(render)

    assert page.renders == CROWD


@pytest.mark.race
def test_page_is_rendered_once_for_many_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """The render ends only after every request has tried to get the lock."""
    watched = CacheThatCountsLocking()
    monkeypatch.setattr(page_cache, "cache", watched)
    page = SlowPage(0)

    def render() -> str:
        for _ in range(CROWD):
            assert watched.tried.acquire(timeout=30)
        return page()

    assert crowd(render) == ["page 1"] * CROWD
    assert page.renders == 1


def test_page_of_other_contents_is_rendered_at_once() -> None:
    page = SlowPage(0)

    assert [ask(page, "five left"), ask(page, "four left")] == ["page 1", "page 2"]


def test_renderer_that_fails_is_not_waited_for() -> None:
    def fails() -> str:
        raise RuntimeError("in the middle of it")

    with pytest.raises(RuntimeError):
        ask(fails)
    began = time.monotonic()

    assert ask(SlowPage(0)) == "page 1"
    assert time.monotonic() - began < page_cache.RENDER_TIMEOUT / 2


def test_renderer_that_died_is_not_waited_for_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_cache, "RENDER_TIMEOUT", 0.2)
    monkeypatch.setattr(page_cache.cache, "delete", lambda key: None)  # it was killed

    def dies() -> str:
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        ask(dies)

    assert ask(SlowPage(0)) == "page 1"


def test_without_redis_every_page_is_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that does not answer returns None each time (DJANGO_REDIS_IGNORE_EXCEPTIONS)."""
    for name in ("get", "set", "add", "delete"):
        monkeypatch.setattr(page_cache.cache, name, lambda *_: None)
    page = SlowPage(0)

    assert [ask(page), ask(page)] == ["page 1", "page 2"]


@pytest.mark.django_db
def test_sold_unit_is_gone_from_cached_pages_and_from_the_api_at_once() -> None:
    """Units left never come from the cache, though everything else of the page does."""
    mug = a_mug(stock=2)
    a_flash_sale(mug)
    warm_pages()
    page, api = f"/p/{mug.product.slug}/", f"/api/v1/products/{mug.product.slug}/"
    browser = Client()
    assert "Only 2 left" in browser.get(page).content.decode()
    assert browser.get(api).json()["variants"][0]["available"] == 2

    StockItem.objects.filter(variant=mug).update(on_hand=1)

    with CaptureQueriesContext(connection) as asked:
        assert "Only 1 left" in browser.get(page).content.decode()
        assert browser.get(api).json()["variants"][0]["available"] == 1
    assert not [each for each in asked if '"catalog_product"."description"' in each["sql"]]
