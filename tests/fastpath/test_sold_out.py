"""Sold out in a flash sale: a valid checkout is refused without Django, in the view's words."""

import json
from typing import Any

import pytest

from apps.catalog.models import Variant
from apps.core import rate_limits
from apps.fastpath.checkout import CheckoutShortcut
from apps.orders.models import Order
from storefront.wsgi import application
from tests.factories import ADDRESS, a_flash_sale, a_mug
from tests.fastpath import wsgi_client

pytestmark = pytest.mark.usefixtures("open_shop")


@pytest.fixture
def rarity(open_shop: None) -> Variant:
    made = a_mug(stock=1)
    a_flash_sale(made)
    return made


def a_body(*lines: tuple[Variant, Any], **changes: Any) -> dict[str, Any]:
    return {
        "lines": [{"sku": variant.sku, "quantity": quantity} for variant, quantity in lines],
        "email": "alice@example.com",
        "shipping_address": ADDRESS,
        "shipping_method": "standard",
        "payment_method": "pm_card_visa",
    } | changes


def environ(body: Any, *, key: str = "k", **changes: str) -> dict[str, Any]:
    given = {"HTTP_IDEMPOTENCY_KEY": key} | changes
    return wsgi_client.request("/api/v1/checkouts/", body, **given)


def answer(application: Any, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    started: list[str] = []
    parts = application(request, lambda status, headers, error=None: started.append(status))
    body = b"".join(parts)
    return int(started[0].split()[0]), json.loads(body)


class Shop:
    """Stands for Django behind the shortcut: remembers the bodies that it was sent."""

    def __init__(self) -> None:
        self.read: list[bytes] = []

    def __call__(self, request: dict[str, Any], start_response: Any) -> list[bytes]:
        self.read.append(request["wsgi.input"].read())
        start_response("200 OK", [])
        return [b"{}"]


@pytest.fixture
def behind() -> Shop:
    return Shop()


def test_too_late_is_told_what_is_left_in_the_shops_own_words(
    rarity: Variant, behind: Shop
) -> None:
    assert answer(application, environ(a_body((rarity, 1)), key="alice"))[0] == 202
    plain = a_mug(stock=0)

    status, turned_away = answer(CheckoutShortcut(behind), environ(a_body((rarity, 1)), key="bob"))
    _, by_the_shop = answer(application, environ(a_body((plain, 1)), key="carol"))

    assert (status, turned_away["code"]) == (409, "out_of_stock")
    assert turned_away["errors"][0]["available"] == 0
    by_the_shop["errors"][0]["field"] = rarity.sku
    assert turned_away == by_the_shop
    assert behind.read == []
    assert Order.objects.count() == 1


def test_two_lines_of_one_sku_are_counted_together(rarity: Variant, behind: Shop) -> None:
    body = a_body((rarity, 1), (rarity, 1))

    assert answer(CheckoutShortcut(behind), environ(body))[0] == 409


def test_key_that_has_its_order_goes_on_to_its_answer(rarity: Variant) -> None:
    first = answer(application, environ(a_body((rarity, 1)), key="alice"))

    assert answer(application, environ(a_body((rarity, 1)), key="alice")) == first


def test_what_is_left_is_ordered_without_django(rarity: Variant, behind: Shop) -> None:
    assert answer(CheckoutShortcut(behind), environ(a_body((rarity, 1))))[0] == 202
    assert behind.read == []


@pytest.mark.parametrize(
    "change",
    [
        {"PATH_INFO": "/api/v1/carts/"},
        {"REQUEST_METHOD": "PUT"},
        {"HTTP_IDEMPOTENCY_KEY": ""},
        {"HTTP_IDEMPOTENCY_KEY": " "},
        {"CONTENT_LENGTH": ""},
        {"CONTENT_LENGTH": "x"},
        {"CONTENT_LENGTH": str(10**9)},
    ],
)
def test_request_that_is_no_plain_checkout_goes_on_to_django(
    rarity: Variant, behind: Shop, change: dict[str, str]
) -> None:
    request = environ(a_body((rarity, 9)), **change)

    assert answer(CheckoutShortcut(behind), request)[0] == 200


@pytest.mark.parametrize("quantity", [0, -1, 1.5, "1", True, None, 2**63])
def test_quantity_that_is_none_goes_on_to_django(
    rarity: Variant, behind: Shop, quantity: Any
) -> None:
    assert answer(CheckoutShortcut(behind), environ(a_body((rarity, quantity))))[0] == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"lines": 7}',
        b'{"lines": [7]}',
        b'{"lines": [{"sku": 7, "quantity": 7}]}',
        b'{"lines": [], "lines": []}',
    ],
)
def test_body_that_is_none_goes_on_to_django(rarity: Variant, behind: Shop, body: bytes) -> None:
    assert answer(CheckoutShortcut(behind), environ(body))[0] == 200
    assert behind.read == [body]


def test_card_number_is_refused_before_sold_out_is_said(rarity: Variant) -> None:
    body = a_body((rarity, 9), email="4242 4242 4242 4242")

    status, refused = answer(application, environ(body))

    assert (status, refused["code"]) == (400, "card_data_refused")


def test_cart_goes_on_to_django(rarity: Variant, behind: Shop) -> None:
    assert answer(CheckoutShortcut(behind), environ(a_body((rarity, 9), cart="x")))[0] == 200


def test_sold_out_goods_outside_a_sale_are_refused_in_the_same_words(
    rarity: Variant, behind: Shop
) -> None:
    plain = a_mug(stock=0)
    bodies = [a_body((variant, 9)) for variant in (plain, rarity)]

    outside, inside = (
        answer(CheckoutShortcut(behind), environ(body, key=key))
        for body, key in zip(bodies, "ab", strict=True)
    )

    assert (outside[0], inside[0]) == (409, 409)
    inside[1]["errors"][0] |= {"field": plain.sku, "message": "Sold out.", "available": 0}
    assert outside == inside


def test_refused_checkout_is_counted_like_any_other(
    rarity: Variant,
    behind: Shop,
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
) -> None:
    settings.RATE_LIMITS = True
    two = (rate_limits.Limit("two-checkouts", 2, 3600),)
    monkeypatch.setattr("apps.api.checkouts.Checkouts.limits", two)
    body = a_body((rarity, 9))

    told = [answer(CheckoutShortcut(behind), environ(body, key=key))[0] for key in "abc"]

    assert told == [409, 409, 429]
    assert behind.read == []
