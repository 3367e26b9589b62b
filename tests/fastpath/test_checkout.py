"""A plain checkout is answered without Django, and the answer is the same."""

from typing import Any

import pytest

from apps.catalog.models import Product, Variant
from apps.core import rate_limits
from apps.fastpath import http
from apps.fastpath.checkout import CheckoutShortcut
from apps.orders import intake
from apps.orders.errors import Overloaded
from apps.orders.models import Order
from storefront.wsgi import application, shop
from tests.factories import a_mug
from tests.fastpath.checkouts import answer, both, request, without
from tests.fastpath.wsgi_client import Behind

pytestmark = pytest.mark.usefixtures("open_shop")


def test_order_is_accepted_without_django_and_the_answer_is_the_same(
    behind: Behind, body: dict[str, Any]
) -> None:
    quick, slow = both(behind, lambda key: request(body, key=key))

    assert quick[0] == slow[0] == "202 Accepted"
    first, second = quick[2]["order"], slow[2]["order"]
    assert (first["status"], first["total"]) == (second["status"], second["total"])
    of_this_order = {"Location", "Content-Length"}
    assert without(quick[1], of_this_order) == without(slow[1], of_this_order)
    assert quick[1]["Location"] == quick[2]["links"]["self"]
    for name, link in quick[2]["links"].items():
        told = link.replace(first["id"], second["id"]).replace(first["token"], second["token"])
        assert told == slow[2]["links"][name]
    assert Order.objects.count() == 2


def test_same_key_is_replayed_with_the_shortcut_and_without(
    behind: Behind, body: dict[str, Any]
) -> None:
    first = answer(CheckoutShortcut(behind), request(body))
    quick, slow = answer(CheckoutShortcut(behind), request(body)), answer(shop, request(body))

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


def test_more_than_one_order_may_have_is_the_same(behind: Behind, body: dict[str, Any]) -> None:
    Product.objects.update(units_per_order=2)
    body["lines"][0]["quantity"] = 3

    quick, slow = both(behind, lambda key: request(body, key=key))

    assert quick == slow
    assert quick[0].startswith("409")
    assert quick[2]["code"] == "quantity_limit"


def test_more_than_one_customer_may_have_is_the_same(behind: Behind, body: dict[str, Any]) -> None:
    Product.objects.update(units_per_customer=1)
    answer(CheckoutShortcut(behind), request(body, key="first"))

    quick, slow = both(behind, lambda key: request(body, key=key))

    assert quick == slow
    assert (quick[0][:3], quick[2]["code"]) == ("409", "customer_limit")


def test_more_than_an_address_may_hold_unpaid_is_the_same(
    behind: Behind, body: dict[str, Any], settings: Any
) -> None:
    settings.UNPAID_UNITS_OF_ADDRESS = settings.UNPAID_SHARE_OF_ADDRESS = 0
    answer(CheckoutShortcut(behind), request(body, key="first"))

    quick, slow = both(behind, lambda key: request(body, key=key))

    assert quick == slow
    assert (quick[0][:3], quick[2]["code"]) == ("429", "too_many_unpaid")
    assert quick[1]["Retry-After"] == "30"


def test_key_for_another_body_is_the_same(behind: Behind, body: dict[str, Any]) -> None:
    answer(CheckoutShortcut(behind), request(body))
    other = body | {"email": "bob@example.com"}
    quick, slow = answer(CheckoutShortcut(behind), request(other)), answer(shop, request(other))

    assert behind.times == 0
    assert quick == slow
    assert quick[0].startswith("422")


@pytest.mark.parametrize("error", [Overloaded(retry_after=2), RuntimeError("a defect")], ids=repr)
def test_error_of_the_intake_is_the_same(
    behind: Behind, body: dict[str, Any], error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(asked: object) -> None:
        raise error

    monkeypatch.setattr(intake, "place_order", fails)
    quick, slow = both(behind, lambda key: request(body, key=key))

    assert quick == slow
    assert quick[0][:3] in ("503", "500")


def test_reached_rate_limit_is_the_same(
    behind: Behind, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.RATE_LIMITS = True
    few = (rate_limits.Limit("few-checkouts", 1, 3600),)
    monkeypatch.setattr("apps.api.checkouts.Checkouts.limits", few)
    assert answer(CheckoutShortcut(behind), request(body, key="first"))[0] == "202 Accepted"

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
def test_request_that_is_not_plain_is_left_to_django_unchanged(
    behind: Behind, body: dict[str, Any], changes: dict[str, str]
) -> None:
    through = answer(CheckoutShortcut(behind), request(body, **changes))

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
    through = answer(CheckoutShortcut(behind), request(sent))

    assert behind.times == 1
    assert through == answer(shop, request(sent))
    assert through[0][0] == "4"


def test_mistake_is_counted_once(
    behind: Behind, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.RATE_LIMITS = True
    two = (rate_limits.Limit("two-checkouts", 2, 3600),)
    monkeypatch.setattr("apps.api.checkouts.Checkouts.limits", two)

    first, second = (answer(CheckoutShortcut(behind), request(b"{", key=key))[0] for key in "ab")

    assert (first, second) == ("400 Bad Request", "400 Bad Request")


def test_over_https_it_says_so(
    behind: Behind, body: dict[str, Any], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SECURE_HSTS_SECONDS = 60
    monkeypatch.setattr(http, "security_headers", http.security_headers.__wrapped__)

    made = answer(CheckoutShortcut(behind), request(body, **{"wsgi.url_scheme": "https"}))

    assert made[1]["Strict-Transport-Security"] == "max-age=60"
    assert made[2]["links"]["self"].startswith("https://127.0.0.1:8000/")


def test_without_https_django_redirects_to_it(
    behind: Behind, body: dict[str, Any], settings: Any
) -> None:
    settings.SECURE_SSL_REDIRECT = True
    http._origin.cache_clear()
    answer(CheckoutShortcut(behind), request(body))
    http._origin.cache_clear()

    assert behind.times == 1


def test_server_has_this_shortcut(body: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.core.handlers.wsgi.WSGIHandler.__call__", _no_application)

    assert answer(application, request(body))[0] == "202 Accepted"


def _no_application(self: object, environ: object, start_response: object) -> None:
    raise AssertionError("this went through Django")
