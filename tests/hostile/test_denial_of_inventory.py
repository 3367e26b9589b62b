"""A stranger who never pays cannot hold all stock of a product or all uses of a code.

Over HTTP, as an attacker would. The caps themselves: tests/orders/test_unpaid_limits.py.
"""

from typing import Any

import pytest

from apps.catalog.models import Product, Variant
from apps.inventory.models import StockItem
from apps.orders.models import Order
from storefront import settings as shops
from tests.api.conftest import Api
from tests.factories import ADDRESS, PromoFactory, a_mug

pytestmark = pytest.mark.django_db(transaction=True)

CHALLENGED = "pm_card_threeDSecure2Required"


@pytest.fixture(autouse=True)
def production_caps(settings: Any) -> None:
    for name in ("UNPAID_UNITS_OF_ADDRESS", "UNPAID_ORDERS_OF_CUSTOMER"):
        if hasattr(shops, name):
            setattr(settings, name, getattr(shops, name))


@pytest.fixture
def mugs(mug: Variant) -> Variant:
    return a_mug(stock=4001)


def order(variant: Variant, quantity: int, **changes: Any) -> dict[str, Any]:
    return {
        "lines": [{"sku": variant.sku, "quantity": quantity}],
        "email": "mallory@example.com",
        "shipping_address": ADDRESS,
        "shipping_method": "standard",
        "payment_method": CHALLENGED,
    } | changes


def held(variant: Variant) -> int:
    return StockItem.objects.get(variant=variant).reserved


EMAILS = {
    "different e-mails": [f"mallory{n}@example.com" for n in range(5)],
    "plus-aliases": [f"mallory+{n}@example.com" for n in range(5)],
}


@pytest.mark.parametrize("kind", EMAILS)
def test_five_unpaid_orders_do_not_hold_all_units(api: Api, mugs: Variant, kind: str) -> None:
    units = [801, 800, 800, 800, 800]

    for email, quantity in zip(EMAILS[kind], units, strict=True):
        api.checkout(order(mugs, quantity, email=email))

    assert held(mugs) <= 4001 * 0.2


def test_nor_do_many_small_ones(api: Api, mugs: Variant) -> None:
    codes = [
        api.checkout(order(mugs, 100, email=f"m{n}@example.com")).status_code for n in range(41)
    ]

    assert held(mugs) == 800
    assert codes == [202] * 8 + [429] * 33
    refused = api.checkout(order(mugs, 100, email="m42@example.com"))
    assert refused.json()["code"] == "too_many_unpaid"
    assert refused["Retry-After"] == "30"


def test_refusal_of_a_line_names_the_limit(api: Api, mugs: Variant) -> None:
    answer = api.checkout(order(mugs, 101))

    assert answer.status_code == 409
    assert answer.json()["code"] == "quantity_limit"
    assert answer.json()["errors"] == [
        {
            "field": mugs.sku,
            "code": "quantity_limit",
            "message": "At most 100 of Stoneware Mug in one order.",
            "available": 100,
        }
    ]
    assert Order.objects.count() == 0


def test_cart_says_the_same_before_the_checkout(api: Api, mugs: Variant) -> None:
    cart = api.new_cart()
    line = f"/carts/{cart['id']}/lines/{mugs.sku}/"

    answer = api.put(line, {"quantity": 101})
    assert (answer.status_code, answer.json()["code"]) == (409, "quantity_limit")
    assert answer.json()["available"] == 100
    assert api.get(f"/carts/{cart['id']}/").json()["lines"] == []

    assert api.put(line, {"quantity": 100}).status_code == 200
    Product.objects.update(units_per_customer=2)  # since it lies in the cart
    (problem,) = api.get(f"/carts/{cart['id']}/").json()["problems"]
    assert problem == {
        "sku": mugs.sku,
        "code": "quantity_limit",
        "available": 2,
        "message": "At most 2 of Stoneware Mug in one order.",
    }


def test_refusal_by_a_customers_limit_names_what_is_left(api: Api, mugs: Variant) -> None:
    Product.objects.update(units_per_customer=3)
    assert api.checkout(order(mugs, 2)).status_code == 202

    answer = api.checkout(order(mugs, 2, email="Mallory+again@example.com"))

    assert (answer.status_code, answer.json()["code"]) == (409, "customer_limit")
    assert [error["available"] for error in answer.json()["errors"]] == [1]


def test_code_of_a_customer_is_not_burnt_by_a_strangers_unpaid_order(
    api: Api, mug: Variant
) -> None:
    PromoFactory(code="WELCOME15", customer_limit=1)
    strangers = order(mug, 1, email="alice@example.com", promo_code="WELCOME15")
    assert api.checkout(strangers).status_code == 202

    of_alice = order(
        mug, 1, email="alice@example.com", promo_code="WELCOME15", payment_method="pm_card_visa"
    )

    assert api.checkout(of_alice).status_code == 202
