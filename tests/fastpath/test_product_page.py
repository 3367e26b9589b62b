"""A cached product page is sent without Django, and is the same page."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError

from apps.catalog import cache
from apps.catalog.models import Product, Variant
from apps.fastpath import http, product_pages
from apps.fastpath.pages import PageShortcut
from apps.inventory import stock
from apps.inventory.models import StockItem
from storefront.wsgi import application, shop
from tests.factories import a_mug
from tests.fastpath.wsgi_client import Answer, Behind, answer, request

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "s" * 32


@pytest.fixture(autouse=True)
def nothing_seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nor do visitors share the questions, or a change would be seen a moment later."""
    monkeypatch.setattr(product_pages, "SHARED_SECONDS", 0.0)
    yield
    product_pages._seen.clear()
    product_pages._neighbours.cache_clear()
    product_pages._cached.cache_clear()


@pytest.fixture
def mug() -> Variant:
    return a_mug(stock=9)


def look(mug: Variant, **changes: str) -> dict[str, Any]:
    plain = {"REQUEST_METHOD": "GET", "CONTENT_TYPE": "absent", "CONTENT_LENGTH": "absent"}
    return request(f"/p/{mug.product.slug}/", b"", **plain | changes)


def past_django(behind: Behind, environ: dict[str, Any]) -> Answer:
    """What the shortcut sends; a first request through Django puts the page into the cache."""
    answer(shop, dict(environ))
    before = behind.times
    shown = answer(PageShortcut(behind), environ)
    assert behind.times == before, "the shortcut passed this on to Django"
    return shown


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"HTTP_COOKIE": f"{settings.CSRF_COOKIE_NAME}={SECRET}"},
        {"HTTP_COOKIE": "theme=dark; =; x"},
        {"QUERY_STRING": "utm_source=newsletter"},
        {"CONTENT_LENGTH": "0"},
        {"HTTP_X_FORWARDED_PROTO": "https"},
    ],
    ids=["first visit", "been here", "odd cookies", "from a newsletter", "no body", "https"],
)
def test_page_is_the_one_that_django_sends(
    behind: Behind, mug: Variant, changes: dict[str, str]
) -> None:
    quick = past_django(behind, look(mug, **changes))
    slow = answer(shop, look(mug, **changes))

    assert quick[0] == slow[0] == "200 OK"
    assert quick[1:] == slow[1:]
    assert "Set-Cookie" not in quick[1]


def test_policies_are_those_of_a_page_behind_https(
    behind: Behind, mug: Variant, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "security_headers", http.security_headers.__wrapped__)
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.SECURE_HSTS_SECONDS = 31_536_000
    environ = look(mug, HTTP_X_FORWARDED_PROTO="https", HTTP_HOST="localhost")

    quick = past_django(behind, environ)

    assert quick[1]["Strict-Transport-Security"]
    assert "script-src 'self'" in quick[1]["Content-Security-Policy"]


def test_who_has_the_page_is_told_so(behind: Behind, mug: Variant) -> None:
    etag = past_django(behind, look(mug))[1]["ETag"]

    status, headers, body = past_django(behind, look(mug, HTTP_IF_NONE_MATCH=etag))

    assert (status, body, headers["ETag"]) == ("304 Not Modified", b"", etag)


def test_who_has_an_older_page_gets_this_one(behind: Behind, mug: Variant) -> None:
    etag = past_django(behind, look(mug))[1]["ETag"]
    sold(mug)

    status, _, body = past_django(behind, look(mug, HTTP_IF_NONE_MATCH=etag))

    assert status == "200 OK"
    assert b"Only 1 left" in body


@pytest.mark.parametrize(
    "changes",
    [
        {"HTTP_COOKIE": f"{settings.SESSION_COOKIE_NAME}=abc"},
        {"HTTP_COOKIE": "messages=abc"},
        {"HTTP_COOKIE": f"{settings.CSRF_COOKIE_NAME}=no-secret"},
        {"HTTP_COOKIE": "a=" + "b" * 1000},
        {"QUERY_STRING": "variant=MUG-1"},
        {"QUERY_STRING": "%76ariant=MUG-1"},
        {"QUERY_STRING": "a=" + "b" * 1000},
        {"REQUEST_METHOD": "HEAD"},
        {"REQUEST_METHOD": "PUT"},
        {"CONTENT_LENGTH": "3", "wsgi.input": "unread"},
        {"HTTP_HOST": "elsewhere.example"},
        {"SCRIPT_NAME": "/shop"},
        {"PATH_INFO": "/p/no-such-thing/"},
        {"PATH_INFO": "/p/"},
    ],
    ids=lambda changes: " ".join(f"{k}={v[:20]}" for k, v in changes.items()),
)
def test_everything_else_goes_on_to_django(
    behind: Behind, mug: Variant, changes: dict[str, Any]
) -> None:
    answer(shop, look(mug))  # the page is in the cache: it is not for want of it
    environ = look(mug, **changes)
    if "wsgi.input" in changes:
        environ["wsgi.input"] = look(mug)["wsgi.input"]

    answer(PageShortcut(behind), environ)

    assert behind.times == 1


def test_page_that_was_not_rendered_yet_goes_on_and_is_cached(behind: Behind, mug: Variant) -> None:
    shown = [answer(PageShortcut(behind), look(mug)) for _ in range(2)]

    assert behind.times == 1
    assert shown[0] == shown[1]


def sold(mug: Variant) -> None:
    StockItem.objects.filter(variant=mug).update(on_hand=1)


def renamed(mug: Variant) -> None:
    mug.product.name = "Another name"
    mug.product.save()


def dearer(mug: Variant) -> None:
    mug.price_amount = 99_900
    mug.save()


def category_renamed(mug: Variant) -> None:
    mug.product.category.name = "Another shelf"
    mug.product.category.save()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (sold, b"Only 1 left"),
        (renamed, b"Another name"),
        (dearer, b"$999.00"),
        (category_renamed, b"Another shelf"),
    ],
)
def test_what_changed_is_seen_at_once(
    behind: Behind, mug: Variant, change: Callable[[Variant], None], words: bytes
) -> None:
    """Though the page was sent a moment ago, and is still in the cache."""
    assert words not in past_django(behind, look(mug))[2]

    change(mug)

    assert words in answer(PageShortcut(behind), look(mug))[2]
    assert words in past_django(behind, look(mug))[2]


def test_crowd_shares_the_questions_for_no_longer_than_it_says(
    behind: Behind, mug: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [time.monotonic()]
    monkeypatch.setattr(product_pages.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(product_pages, "SHARED_SECONDS", 0.02)
    asked: list[Any] = []
    levels = stock.levels
    monkeypatch.setattr(stock, "levels", lambda skus: asked.append(skus) or levels(skus))
    answer(shop, look(mug))
    asked.clear()

    for _ in range(10):
        assert b"Only 1 left" not in page_of(behind, mug)
    assert len(asked) == 1

    sold(mug)
    clock[0] += 0.019
    assert b"Only 1 left" not in page_of(behind, mug)
    clock[0] += 0.002
    assert b"Only 1 left" in page_of(behind, mug)


def page_of(behind: Behind, mug: Variant) -> bytes:
    return answer(PageShortcut(behind), look(mug))[2]


def test_product_that_was_taken_down_is_gone(behind: Behind, mug: Variant) -> None:
    past_django(behind, look(mug))

    Product.objects.filter(pk=mug.product.pk).update(published=False)
    cache.forget("product", mug.product.slug)

    assert answer(PageShortcut(behind), look(mug))[0] == "404 Not Found"


def test_change_while_it_is_read_is_not_remembered(
    behind: Behind, mug: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read under the old stamp and remembered under the new one, it would stay for minutes."""
    answer(shop, look(mug))
    read = product_pages.browse.product_detail

    def read_and_changed(slug: str) -> Any:
        detail = read(slug)
        renamed(mug)
        return detail

    monkeypatch.setattr(product_pages.browse, "product_detail", read_and_changed)
    answer(PageShortcut(behind), look(mug))
    monkeypatch.setattr(product_pages.browse, "product_detail", read)

    assert b"Another name" in answer(PageShortcut(behind), look(mug))[2]
    assert b"Another name" in answer(PageShortcut(behind), look(mug))[2]


def test_past_its_time_the_page_is_filled_anew(
    behind: Behind, mug: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    past_django(behind, look(mug))

    monkeypatch.setattr(cache, "STALE", cache.FRESH + cache.STALE + timedelta(seconds=1))
    answer(PageShortcut(behind), look(mug))

    assert behind.times == 1


def test_without_redis_django_answers(
    behind: Behind, mug: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    past_django(behind, look(mug))
    monkeypatch.setattr(cache, "_unavailable_until", float("inf"))

    assert answer(PageShortcut(behind), look(mug))[0] == "200 OK"
    assert behind.times == 1


def test_without_the_database_django_answers(
    behind: Behind, mug: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    past_django(behind, look(mug))

    def away(_: Any) -> dict[str, stock.Level]:
        raise OperationalError

    monkeypatch.setattr(stock, "levels", away)

    assert answer(PageShortcut(behind), look(mug))[0] == "503 Service Unavailable"
    assert behind.times == 1


def test_stranger_pages_do_not_fill_the_memory(
    behind: Behind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(product_pages, "PAGES", 2)
    mugs = [a_mug(sku=f"MUG-{number}", stock=9) for number in range(3)]

    for mug in mugs:
        past_django(behind, look(mug))

    assert set(product_pages._seen) == {mug.product.slug for mug in mugs[1:]}


def test_server_sends_pages_through_the_shortcut(mug: Variant) -> None:
    for _ in range(2):
        answer(application, look(mug))

    assert mug.product.slug in product_pages._seen
