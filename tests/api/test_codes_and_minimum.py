"""Codes that this customer has used, codes that cannot be combined, totals too small for a card."""

from typing import Any

import pytest

from apps.catalog.models import Variant
from apps.orders.models import Order
from tests.api.conftest import Api, problem
from tests.factories import PromoFactory, RedemptionFactory, a_product

TOLD = "The smallest amount we can charge is $0.50, and this comes to $0.30."


def cart_with(api: Api, variant: Variant, quantity: int = 1) -> str:
    cart = f"/carts/{api.new_cart()['id']}/"
    assert api.put(f"{cart}lines/{variant.sku}/", {"quantity": quantity}).status_code == 200
    return cart


@pytest.fixture
def download(db: None) -> Variant:
    return a_product("Download", price=30, requires_shipping=False, taxable=False)


# --- The gateway's minimum -----------------------------------------------------------------------


def test_cart_below_the_minimum_says_so(api: Api, download: Variant) -> None:
    cart = cart_with(api, download)
    assert api.get(cart).json()["problems"] == [
        {
            "sku": None,
            "code": "below_minimum",
            "available": None,
            "message": TOLD,
            "minimum": {"amount": "0.50", "currency": "USD"},
        }
    ]
    more = api.put(f"{cart}lines/{download.sku}/", {"quantity": 2}).json()
    assert more["problems"] == []


def test_checkout_below_the_minimum_is_refused_before_it_is_accepted(
    api: Api, buy: Any, download: Variant
) -> None:
    answer = api.checkout(buy(lines=[{"sku": download.sku, "quantity": 1}]))

    document = problem(answer, 409, "below_minimum")
    assert document["detail"] == TOLD
    assert document["minimum"] == {"amount": "0.50", "currency": "USD"}
    assert Order.objects.count() == 0


def test_what_else_is_wrong_comes_before_the_minimum(api: Api, buy: Any, download: Variant) -> None:
    lines = [{"sku": download.sku, "quantity": 1}]
    problem(api.checkout(buy(lines=lines, promo_code="NOPE")), 400, "promo_invalid")


def test_order_over_nothing_is_accepted(api: Api, buy: Any, download: Variant) -> None:
    free = a_product("Sample", price=0, requires_shipping=False)
    answer = api.checkout(buy(lines=[{"sku": free.sku, "quantity": 1}]))
    assert answer.status_code == 202, answer.content
    assert answer.json()["order"]["total"]["amount"] == "0.00"


# --- A code that this customer has used ----------------------------------------------------------


@pytest.mark.parametrize("expected", [None, "23.99", "22.19"])
def test_used_code_is_told_at_the_checkout_whatever_total_is_expected(
    api: Api, buy: Any, expected: str | None
) -> None:
    promo = PromoFactory(code="WELCOME", customer_limit=1)
    RedemptionFactory(promo=promo, customer_key="alice@example.com", paid=True)
    body = buy(promo_code="welcome", email="Alice+2@example.com")
    if expected:
        body["expected_total"] = {"amount": expected, "currency": "USD"}

    document = problem(api.checkout(body), 409, "promo_used")

    assert document["detail"] == "You have used WELCOME before."
    assert document["errors"][0]["field"] == "promo_code"
    without = {**body, "promo_code": None} | {
        "expected_total": {"amount": "23.99", "currency": "USD"}
    }
    assert api.checkout(without).status_code == 202


# --- Codes that cannot be combined ---------------------------------------------------------------


@pytest.fixture
def kettle(db: None) -> Variant:
    return a_product("Kettle", price=10_000)


def test_worse_code_does_not_replace_the_better_one(api: Api, kettle: Variant) -> None:
    PromoFactory(code="GOOD", percent_bp=2000)
    PromoFactory(code="WORSE", percent_bp=500)
    cart = cart_with(api, kettle)
    api.put(f"{cart}promo/", {"code": "GOOD"})

    answer = api.put(f"{cart}promo/", {"code": "worse"})

    assert answer.status_code == 200
    document = answer.json()
    assert document["promo_codes"] == ["GOOD"]
    assert document["totals"]["discount"]["amount"] == "20.00"
    assert document["notes"] == [
        {
            "code": "better_code_kept",
            "message": "GOOD saves you $20.00 here and cannot be combined with WORSE, which saves"
            " $5.00. So GOOD stays.",
        }
    ]
    again = api.get(cart).json()
    assert (again["promo_codes"], "notes" in again) == (["GOOD"], False)


def test_better_code_replaces_the_worse_one_and_says_so(api: Api, kettle: Variant) -> None:
    PromoFactory(code="GOOD", percent_bp=2000)
    PromoFactory(code="WORSE", percent_bp=500)
    cart = cart_with(api, kettle)
    api.put(f"{cart}promo/", {"code": "WORSE"})

    document = api.put(f"{cart}promo/", {"code": "GOOD"}).json()

    assert document["promo_codes"] == ["GOOD"]
    (note,) = document["notes"]
    assert note["code"] == "code_replaced"
    assert note["message"] == "GOOD took the place of WORSE: they cannot be combined."


def test_two_codes_together_are_not_given_up_for_a_worse_one(api: Api, kettle: Variant) -> None:
    for name in ("ONE", "TWO"):
        PromoFactory(code=name, percent_bp=1000, stackable=True)
    PromoFactory(code="ALONE", percent_bp=1500)
    cart = cart_with(api, kettle)
    for name in ("ONE", "TWO"):
        api.put(f"{cart}promo/", {"code": name})

    document = api.put(f"{cart}promo/", {"code": "ALONE"}).json()

    assert document["promo_codes"] == ["ONE", "TWO"]
    assert document["notes"][0]["code"] == "better_code_kept"


def test_code_that_has_ended_makes_way_for_any_other_and_is_told(api: Api, kettle: Variant) -> None:
    ended = PromoFactory(code="ENDED", percent_bp=5000)
    PromoFactory(code="SMALL", percent_bp=100)
    cart = cart_with(api, kettle)
    api.put(f"{cart}promo/", {"code": "ENDED"})
    ended.active = False
    ended.save()

    document = api.put(f"{cart}promo/", {"code": "SMALL"}).json()

    assert document["promo_codes"] == ["SMALL"]
    (note,) = document["notes"]
    assert note == {
        "code": "code_left_out",
        "message": "SMALL counts. We do not know the code ENDED.",
    }


@pytest.mark.parametrize(("first", "second"), [("POST", "OFF"), ("OFF", "POST")])
def test_free_shipping_cannot_be_compared_yet_so_the_last_one_counts(
    api: Api, kettle: Variant, first: str, second: str
) -> None:
    PromoFactory(code="POST", free_shipping=True)
    PromoFactory(code="OFF", percent_bp=5000)
    cart = cart_with(api, kettle)
    api.put(f"{cart}promo/", {"code": first})

    document = api.put(f"{cart}promo/", {"code": second}).json()

    assert document["promo_codes"] == [second]
    assert document["notes"][0]["message"].startswith(f"{second} took the place of {first}")


def test_typed_again_it_is_the_same_code(api: Api, kettle: Variant) -> None:
    PromoFactory(code="GOOD", percent_bp=2000)
    cart = cart_with(api, kettle)
    for typed in ("GOOD", "go-od"):
        document = api.put(f"{cart}promo/", {"code": typed}).json()
        assert (document["promo_codes"], "notes" in document) == (["GOOD"], False)
