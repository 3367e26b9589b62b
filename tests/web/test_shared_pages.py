"""Lists are made once a second for everybody, and show nothing older than they promise."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.catalog.models import Variant
from apps.customers.models import User
from apps.inventory.models import StockItem
from apps.web import shared_pages
from apps.web.shared_pages import FRESH_SECONDS, USABLE_SECONDS, Shown
from tests.factories import a_mug
from tests.web.conftest import Visitor

PAGES = ("/", "/search/", "/search/?q=mug&sort=price", "/c/kitchen/")


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr(shared_pages, "time", clock)
    yield clock
    shared_pages.forget()


@pytest.fixture
def featured(db: None) -> Variant:
    """A mug that stands on every list."""
    mug = a_mug(stock=3)
    mug.product.featured = True
    mug.product.save()
    return mug


def sell(mug: Variant, left: int) -> None:
    StockItem.objects.filter(variant=mug).update(on_hand=left)


@pytest.mark.parametrize("path", PAGES)
def test_list_is_made_once_for_all_who_come_within_a_second(
    path: str, featured: Variant, clock: Clock
) -> None:
    first = Client().get(path).content

    clock.now += 0.9 * FRESH_SECONDS
    with CaptureQueriesContext(connection) as asked:
        second = Client().get(path).content

    assert (first, len(asked)) == (second, 0)


@pytest.mark.parametrize("path", PAGES)
def test_stock_and_price_on_a_list_are_no_older_than_promised(
    path: str, featured: Variant, clock: Clock
) -> None:
    assert "Only 3 left" in Client().get(path).content.decode()

    sell(featured, 1)
    featured.price_amount = 99_900
    featured.save()
    clock.now += FRESH_SECONDS

    page = Client().get(path).content.decode()
    assert "Only 1 left" in page
    assert "$999.00" in page


@pytest.mark.parametrize("path", PAGES)
def test_same_list_is_not_rendered_again(
    path: str, featured: Variant, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Client().get(path).content
    monkeypatch.setattr(shared_pages.page_cache, "render_for_nobody", None)  # cannot be called

    clock.now += FRESH_SECONDS

    assert Client().get(path).content == first


# --- While one request asks -----------------------------------------------------------------------


class Asking:
    """A look at the database that lasts until it is let go."""

    def __init__(self) -> None:
        self.times = 0
        self.has_begun, self.may_end = threading.Event(), threading.Event()

    def __call__(self) -> Shown:
        self.times += 1
        if self.times > 1:
            self.has_begun.set()
            assert self.may_end.wait(30)
        return Shown("web/parts/icon.html", {"name": str(self.times)}, ())


@pytest.fixture
def no_navigation(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (shared_pages, shared_pages.page_cache):
        monkeypatch.setattr(module, "navigation_categories", tuple)


def test_others_get_the_page_that_is_there(clock: Clock, no_navigation: None) -> None:
    look = Asking()
    before = shared_pages.shared_page("/", look)
    clock.now += FRESH_SECONDS

    with ThreadPoolExecutor(1) as another:
        asking = another.submit(shared_pages.shared_page, "/", look)
        assert look.has_begun.wait(30)
        meanwhile = shared_pages.shared_page("/", look)
        look.may_end.set()
        asking.result(timeout=30)

    assert meanwhile is before
    assert look.times == 2


def test_nobody_gets_a_page_that_is_too_old(clock: Clock, no_navigation: None) -> None:
    """They wait for the one who asks."""
    look = Asking()
    shared_pages.shared_page("/", look)
    clock.now += USABLE_SECONDS

    with ThreadPoolExecutor(2) as others:
        asking = others.submit(shared_pages.shared_page, "/", look)
        assert look.has_begun.wait(30)
        waiting = others.submit(shared_pages.shared_page, "/", look)
        look.may_end.set()
        newest = asking.result(timeout=30)

    assert waiting.result(timeout=30) is newest
    assert look.times == 2


def test_who_cannot_ask_holds_up_no_other(clock: Clock, no_navigation: None) -> None:
    def fails() -> Shown:
        raise ConnectionError("the database is away")

    with pytest.raises(ConnectionError):
        shared_pages.shared_page("/", fails)

    assert shared_pages.shared_page("/", Asking())


def test_invented_addresses_do_not_fill_the_memory(
    clock: Clock, no_navigation: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_pages, "PAGES", 3)
    for number in range(9):
        shared_pages.shared_page(f"/search/?q={number}", Asking())

    assert list(shared_pages._pages) == [f"/search/?q={number}" for number in (6, 7, 8)]


# --- Nothing of one visitor for another -----------------------------------------------------------


def secrets_of(visitor: Visitor, user: User | None = None) -> list[str]:
    """What no other visitor may see: cookies, the cart's id and token, the name."""
    cart = visitor.session.get("cart", {})
    named = [user.name.split()[0], user.email] if user is not None else []
    return [*(morsel.value for morsel in visitor.cookies.values()), *cart.values(), *named]


@pytest.fixture(params=["stranger first", "stranger last"])
def order(request: Any) -> str:
    return str(request.param)


@pytest.mark.parametrize("who", ["with a cart", "signed in"])
def test_no_page_shows_one_visitor_to_another(
    who: str, order: str, visitor: Visitor, mug: Variant, alice: User
) -> None:
    alice.name = "Xanthippe Quince"
    alice.save()
    mug.product.featured = True
    mug.product.save()
    paths = (*PAGES, f"/p/{mug.product.slug}/")
    if order == "stranger first":
        plain = {path: Client().get(path).content.decode() for path in paths}
    if who == "signed in":
        visitor.force_login(alice)
    visitor.add(mug, 2)
    secrets = secrets_of(visitor, alice if who == "signed in" else None)
    assert len(secrets) >= 2

    own = {path: visitor.get(path).content.decode() for path in paths}
    stranger = Client()
    seen = {path: stranger.get(path) for path in paths}

    for path in paths:
        assert 'count num">2<' in own[path], path
        assert ("Xanthippe" in own[path]) == (who == "signed in"), path
        text = seen[path].content.decode()
        assert not [secret for secret in secrets if secret in text], path
        assert "count num" not in text
        assert ", empty" in text
        assert "csrfmiddlewaretoken" not in text
        assert not seen[path].cookies
        if order == "stranger first":
            assert text == plain[path]


def test_message_is_shown_to_its_visitor_alone(visitor: Visitor, mug: Variant) -> None:
    visitor.add(mug)

    assert "in your cart." in visitor.get("/").content.decode()
    assert "in your cart." not in visitor.get("/").content.decode()
    assert "in your cart." not in Client().get("/").content.decode()


# --- Caches in front of the shop ------------------------------------------------------------------


@pytest.mark.parametrize("path", [*PAGES, "product"])
def test_page_may_be_kept_by_a_shared_cache_for_a_moment(path: str, featured: Variant) -> None:
    page = Client().get(f"/p/{featured.product.slug}/" if path == "product" else path)

    assert page["Cache-Control"] == "public, max-age=0, s-maxage=1, stale-while-revalidate=1"
    assert page["Vary"] == "Cookie"
    assert page["Cache-Tag"].split(",") == page["Surrogate-Key"].split(" ")
    assert "Set-Cookie" not in page


def test_page_names_what_it_shows(featured: Variant) -> None:
    slug = featured.product.slug
    tags = {path: Client().get(path)["Cache-Tag"] for path in ("/", "/c/kitchen/", f"/p/{slug}/")}

    assert tags == {
        "/": "home",
        "/c/kitchen/": "list,category-kitchen",
        f"/p/{slug}/": f"product-{slug},category-kitchen",
    }


@pytest.mark.parametrize("path", PAGES)
def test_who_has_the_page_gets_304(path: str, featured: Variant, clock: Clock) -> None:
    etag = Client().get(path)["ETag"]

    again = Client().get(path, headers={"If-None-Match": etag})
    sell(featured, 1)
    clock.now += FRESH_SECONDS
    changed = Client().get(path, headers={"If-None-Match": etag})

    assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)
    assert changed.status_code == 200
    assert changed["ETag"] != etag


def test_visitor_with_a_cart_is_not_told_that_the_page_is_the_one_they_have(
    visitor: Visitor, mug: Variant
) -> None:
    """They have it from before they had a cart."""
    etag = visitor.get("/")["ETag"]
    visitor.add(mug)

    page = visitor.get("/", headers={"If-None-Match": etag})

    assert page.status_code == 200
    assert "ETag" not in page
    assert "private" in page["Cache-Control"]


def test_refused_filter_is_answered_as_such(featured: Variant) -> None:
    page = Client().get("/search/?min_price=cheap")

    assert page.status_code == 400
    assert "Write prices as plain numbers" in page.content.decode()
    assert "s-maxage" not in page.headers.get("Cache-Control", "")
