"""A guest's plain checkout does not pass through Django, and hears the same to the letter."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from apps.api.express import Express
from apps.catalog.models import Variant
from apps.customers.models import User
from apps.orders import intake
from apps.orders.errors import Overloaded
from apps.orders.models import Order
from storefront import in_front, rate_limits
from storefront.wsgi import application, shop
from tests import in_front as in_front_requests
from tests.factories import ADDRESS, a_mug
from tests.in_front import Behind
from tests.orders.checkouts import open_shop
from tests.orders.purchases import committed_database

__all__ = ["committed_database", "open_shop"]

pytestmark = pytest.mark.usefixtures("open_shop")

Answer = tuple[str, dict[str, str], Any]


@pytest.fixture
def behind() -> Behind:
    return Behind()


@pytest.fixture
def mug(open_shop: None) -> Variant:
    return a_mug(stock=100)


@pytest.fixture
def body(mug: Variant) -> dict[str, Any]:
    return {
        "lines": [{"sku": mug.sku, "quantity": 1}],
        "email": "alice@example.com",
        "shipping_address": ADDRESS,
        "shipping_method": "standard",
        "payment_method": "pm_card_visa",
    }


def request(body: Any, *, key: str = "k", **changes: str) -> dict[str, Any]:
    given = {"HTTP_IDEMPOTENCY_KEY": key} | changes
    return in_front_requests.request("/api/v1/checkouts/", body, **given)


def answer(way: Any, environ: dict[str, Any]) -> Answer:
    status, headers, text = in_front_requests.answer(way, environ)
    return status, headers, json.loads(text) if text else None


def both(behind: Behind, make: Callable[[str], dict[str, Any]]) -> tuple[Answer, Answer]:
    """The answers past Django and through it, to two requests that differ only in the key."""
    quick = answer(Express(behind), make("a"))
    assert behind.times == 0, "this was not answered in front of Django"
    return quick, answer(shop, make("b"))


def test_order_is_accepted_without_django_and_in_the_same_words(
    behind: Behind, body: dict[str, Any]
) -> None:
    quick, slow = both(behind, lambda key: request(body, key=key))

    assert quick[0] == slow[0] == "202 Accepted"
    first, second = quick[2]["order"], slow[2]["order"]
    assert (first["status"], first["total"]) == (second["status"], second["total"])
    of_this_order = {"Location", "Content-Length"}
    assert _without(quick[1], of_this_order) == _without(slow[1], of_this_order)
    assert quick[1]["Location"] == quick[2]["links"]["self"]
    for name, link in quick[2]["links"].items():
        told = link.replace(first["id"], second["id"]).replace(first["token"], second["token"])
        assert told == slow[2]["links"][name]
    assert Order.objects.count() == 2


def test_same_key_is_replayed_whichever_way_it_comes(behind: Behind, body: dict[str, Any]) -> None:
    first = answer(Express(behind), request(body))
    quick, slow = answer(Express(behind), request(body)), answer(shop, request(body))

    assert behind.times == 0
    assert quick == slow
    assert quick[1]["Idempotent-Replayed"] == "true"
    assert quick[2] == first[2]
    assert Order.objects.count() == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"lines": [{"sku": "NO-SUCH-SKU", "quantity": 1}]},
        {"expected_total": {"amount": "1.00", "currency": "USD"}},
        {"promo_code": "NO-SUCH-CODE"},
        {"shipping_method": "by-owl"},
    ],
    ids=str,
)
def test_refusal_is_the_same(behind: Behind, body: dict[str, Any], changes: dict[str, Any]) -> None:
    quick, slow = both(behind, lambda key: request(body | changes, key=key))

    assert quick == slow
    assert quick[0][0] == "4"
    assert not Order.objects.exists()


def test_sold_out_is_the_same(behind: Behind, body: dict[str, Any], mug: Variant) -> None:
    rare = a_mug(stock=0)
    body["lines"] = [{"sku": mug.sku, "quantity": 1}, {"sku": rare.sku, "quantity": 1}]
    quick, slow = both(behind, lambda key: request(body, key=key))

    assert quick == slow
    assert quick[0] == "409 Conflict"
    assert quick[2]["errors"][0]["field"] == rare.sku


def test_key_for_another_body_is_the_same(behind: Behind, body: dict[str, Any]) -> None:
    answer(Express(behind), request(body))
    other = body | {"email": "bob@example.com"}
    quick, slow = answer(Express(behind), request(other)), answer(shop, request(other))

    assert behind.times == 0
    assert quick == slow
    assert quick[0].startswith("422")


@pytest.mark.parametrize("error", [Overloaded(retry_after=2), RuntimeError("a defect")], ids=repr)
def test_trouble_behind_is_the_same(
    behind: Behind, body: dict[str, Any], error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trouble(asked: object) -> None:
        raise error

    monkeypatch.setattr(intake, "place_order", trouble)
    quick, slow = both(behind, lambda key: request(body, key=key))

    assert quick == slow
    assert quick[0][:3] in ("503", "500")


def test_who_comes_too_often_hears_the_same(
    behind: Behind, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.RATE_LIMITS = True
    few = (rate_limits.Limit("few-checkouts", 1, 3600),)
    monkeypatch.setattr("apps.api.checkouts.Checkouts.limits", few)
    assert answer(Express(behind), request(body, key="first"))[0] == "202 Accepted"

    quick, slow = both(behind, lambda key: request(body, key=key))

    assert quick == slow
    assert quick[0] == "429 Too Many Requests"
    assert quick[1]["RateLimit-Limit"] == "1"
    assert Order.objects.count() == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"REQUEST_METHOD": "GET"},
        {"HTTP_COOKIE": "sessionid=somebody"},
        {"HTTP_AUTHORIZATION": "Bearer somebody"},
        {"QUERY_STRING": "x=%00"},
        {"CONTENT_TYPE": "text/plain"},
        {"CONTENT_TYPE": "absent"},
        {"CONTENT_LENGTH": "70000"},
        {"CONTENT_LENGTH": "²"},
        {"CONTENT_LENGTH": "absent"},
        {"HTTP_HOST": "evil.example"},
        {"HTTP_IDEMPOTENCY_KEY": "absent"},
        {"HTTP_IDEMPOTENCY_KEY": "with a space"},
        {"PATH_INFO": "/api/v1/checkouts"},
    ],
    ids=str,
)
def test_whatever_is_not_plain_is_left_to_django_as_it_was(
    behind: Behind, body: dict[str, Any], changes: dict[str, str]
) -> None:
    through = answer(Express(behind), request(body, **changes))

    assert behind.times == 1
    again = answer(shop, request(body, **changes))
    assert through[0] == again[0]
    assert through[0][0] == "2" or through == again  # the second of two orders is a replay


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"{",
        b"[]",
        b'{"lines": [], "lines": []}',
        b'{"cart": "01a218ad-0a1c-70fd-9044-9e6ec747df75"}',
        b'{"lines": [{"sku": "MUG", "quantity": "1e9"}]}',
        b'{"card_number": "4242424242424242"}',
        b'{"email": "\\u0000"}',
    ],
    ids=repr,
)
def test_mistakes_are_left_to_django_with_the_whole_body(behind: Behind, sent: bytes) -> None:
    through = answer(Express(behind), request(sent))

    assert behind.times == 1
    assert through == answer(shop, request(sent))
    assert through[0][0] == "4"


def test_mistake_is_counted_once(
    behind: Behind, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.RATE_LIMITS = True
    two = (rate_limits.Limit("two-checkouts", 2, 3600),)
    monkeypatch.setattr("apps.api.checkouts.Checkouts.limits", two)

    first, second = (answer(Express(behind), request(b"{", key=key))[0] for key in "ab")

    assert (first, second) == ("400 Bad Request", "400 Bad Request")


def test_over_https_it_says_so(
    behind: Behind, body: dict[str, Any], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SECURE_HSTS_SECONDS = 60
    monkeypatch.setattr(in_front, "policies", in_front.policies.__wrapped__)

    made = answer(Express(behind), request(body, **{"wsgi.url_scheme": "https"}))

    assert made[1]["Strict-Transport-Security"] == "max-age=60"
    assert made[2]["links"]["self"].startswith("https://127.0.0.1:8000/")


def test_without_https_django_leads_over_to_it(
    behind: Behind, body: dict[str, Any], settings: Any
) -> None:
    settings.SECURE_SSL_REDIRECT = True
    in_front._origin.cache_clear()
    answer(Express(behind), request(body))
    in_front._origin.cache_clear()

    assert behind.times == 1


def test_real_server_has_this_way(body: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.core.handlers.wsgi.WSGIHandler.__call__", _nobody)

    assert answer(application, request(body))[0] == "202 Accepted"


def test_signed_in_order_is_hers(behind: Behind, body: dict[str, Any], alice: User) -> None:
    from apps.api.auth import tokens_for

    bearer = f"Bearer {tokens_for(alice)['access']}"
    answer(Express(behind), request(body, HTTP_AUTHORIZATION=bearer))

    assert Order.objects.get().user == alice
    assert behind.times == 1


def _nobody(self: object, environ: object, start_response: object) -> None:
    raise AssertionError("this went through Django")


def _without(headers: dict[str, str], names: set[str]) -> dict[str, str]:
    return {name: text for name, text in headers.items() if name not in names}
