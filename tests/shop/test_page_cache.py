"""A crowd before one page: it is rendered once, and a renderer who fails keeps nobody waiting."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from apps.inventory.models import StockItem
from apps.sales.tasks import warm_pages
from apps.shop import page_cache
from tests.factories import a_flash_sale, a_mug

CROWD = 8


@pytest.fixture(autouse=True)
def no_shelves(monkeypatch: pytest.MonkeyPatch) -> None:
    """The frame of the page, without a database."""
    monkeypatch.setattr(page_cache, "shelves", list)


class SlowPage:
    """A page that takes a moment and counts how often it was rendered."""

    def __init__(self, seconds: float = 0.1) -> None:
        self.seconds = seconds
        self.renders = 0

    def __call__(self) -> HttpResponse:
        self.renders += 1
        time.sleep(self.seconds)
        return HttpResponse(f"page {self.renders}")


def ask(page: Any, made_of: object = "a mug") -> str:
    request = RequestFactory().get("/p/mug/")
    request.user = AnonymousUser()
    request.session = {}  # type: ignore[assignment]
    return page_cache.kept_page(request, made_of, render=page).content.decode()


def crowd(page: Any) -> list[str]:
    together = threading.Barrier(CROWD)

    def one(_: int) -> str:
        together.wait()
        return ask(page)

    with ThreadPoolExecutor(CROWD) as visitors:
        return list(visitors.map(one, range(CROWD)))


@pytest.mark.race
def test_without_waiting_everybody_renders(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: this crowd is a stampede when nothing stops it."""
    monkeypatch.setattr(page_cache.cache, "add", lambda *_: True)
    everybody = threading.Barrier(CROWD, timeout=10)
    page = SlowPage()

    def render() -> HttpResponse:
        everybody.wait()  # broken, if one of them had waited for another
        return page()

    crowd(render)

    assert page.renders == CROWD


@pytest.mark.race
def test_page_is_rendered_for_one_of_a_crowd() -> None:
    page = SlowPage()

    assert crowd(page) == ["page 1"] * CROWD
    assert page.renders == 1


def test_page_made_of_something_else_waits_for_nobody() -> None:
    page = SlowPage(0)

    assert [ask(page, "five left"), ask(page, "four left")] == ["page 1", "page 2"]


def test_renderer_that_fails_is_waited_for_by_nobody() -> None:
    def fails() -> HttpResponse:
        raise RuntimeError("in the middle of it")

    with pytest.raises(RuntimeError):
        ask(fails)
    began = time.monotonic()

    assert ask(SlowPage(0)) == "page 1"
    assert time.monotonic() - began < page_cache.RENDERS_FOR / 2


def test_renderer_that_died_is_not_waited_for_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_cache, "RENDERS_FOR", 0.2)
    monkeypatch.setattr(page_cache.cache, "delete", lambda key: None)  # it never came to that

    def dies() -> HttpResponse:
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        ask(dies)

    assert ask(SlowPage(0)) == "page 1"


def test_redis_away_is_a_page_rendered_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that does not answer says None to everything (DJANGO_REDIS_IGNORE_EXCEPTIONS)."""
    for name in ("get", "set", "add", "delete"):
        monkeypatch.setattr(page_cache.cache, name, lambda *_: None)
    page = SlowPage(0)

    assert [ask(page), ask(page)] == ["page 1", "page 2"]


@pytest.mark.django_db
def test_unit_that_is_sold_is_gone_from_warm_pages_and_from_the_api_at_once() -> None:
    """What is left never comes from the cache, though everything else of the page does."""
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
