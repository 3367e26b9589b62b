"""Carts over the API: guests by token, customers by who they are, strangers not at all."""

from datetime import timedelta

import pytest
import redis
from django.utils import timezone

from apps.taxes import rates
from tests.api.conftest import Api, problem
from tests.factories import (
    PromoFactory,
    TaxRateFactory,
    a_kettle,
    a_mug,
    a_sales_tax,
    make_bob,
    ship_everywhere,
    sold_out_mug,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def mug(db):
    return a_mug(stock=5, price=1800)


@pytest.fixture(params=["guest", "customer"])
def shopper(request, alice):
    return Api().as_user(alice) if request.param == "customer" else Api()


@pytest.fixture
def cart(shopper):
    return f"/carts/{shopper.new_cart()['id']}/"


def put(shopper, cart, variant, quantity=2):
    return shopper.put(f"{cart}lines/{variant.sku}/", {"quantity": quantity})


def test_new_cart_of_a_guest_has_a_token(api):
    document = api.post("/carts/").json()

    assert document["lines"] == document["problems"] == document["promo_codes"] == []
    assert len(document["token"]) >= 32
    assert document["totals"]["total"] == {"amount": "0.00", "currency": "USD"}


def test_new_cart_of_a_customer_is_hers(alice):
    api = Api().as_user(alice)
    first, second = api.post("/carts/"), api.post("/carts/")

    assert first.status_code == second.status_code == 201
    assert first.json()["token"] is None
    assert first.json()["id"] == second.json()["id"]


def test_cart_shows_lines_and_totals(shopper, cart, mug):
    assert put(shopper, cart, mug).status_code == 200

    document = shopper.get(cart).json()

    assert document["lines"] == [
        {
            "sku": mug.sku,
            "name": "Stoneware Mug",
            "quantity": 2,
            "unit_price": {"amount": "18.00", "currency": "USD"},
            "line_total": {"amount": "36.00", "currency": "USD"},
            "available": 5,
            "back_ordered": 0,
        }
    ]
    assert document["totals"]["subtotal"]["amount"] == "36.00"
    assert set(document["totals"]) == {"subtotal", "discount", "shipping", "tax", "total"}
    assert "token" not in document


def test_totals_with_a_destination_have_shipping_and_tax(shopper, cart, mug):
    ship_everywhere(price=599)
    a_sales_tax(rate_bp=1000)
    put(shopper, cart, mug)

    query = {"country": "us", "region": "OR", "shipping_method": "standard"}
    totals = shopper.get(cart, query).json()["totals"]

    assert totals["shipping"]["amount"] == "5.99"
    assert float(totals["tax"]["amount"]) >= 3.6


def test_destination_is_read_without_invisible_characters(shopper, cart, mug):
    a_sales_tax(rate_bp=1000)
    put(shopper, cart, mug)
    query = {"country": "\u202aUS\u202c", "region": "O\u200bR"}

    assert shopper.get(cart, query).json()["totals"]["tax"] is not None


def test_line_is_replaced_and_removed(shopper, cart, mug):
    put(shopper, cart, mug, 2)
    assert put(shopper, cart, mug, 1).json()["lines"][0]["quantity"] == 1
    assert put(shopper, cart, mug, 0).json()["lines"] == []


def test_more_than_available_is_told_how_many(shopper, cart, mug):
    put(shopper, cart, mug, 2)

    document = problem(put(shopper, cart, mug, 6), 409, "insufficient_stock")

    assert document["available"] == 5
    assert document["errors"][0]["available"] == 5
    assert shopper.get(cart).json()["lines"][0]["quantity"] == 2


def test_sold_out_is_told(shopper, cart):
    assert (
        problem(put(shopper, cart, sold_out_mug(), 1), 409, "insufficient_stock")["available"] == 0
    )


def test_unknown_sku_is_not_found(shopper, cart):
    answer = shopper.put(f"{cart}lines/NO-SUCH-THING/", {"quantity": 1})

    problem(answer, 404, "unknown_sku")


def test_sku_with_a_slash(shopper, cart):
    odd = a_mug(stock=2, sku="MUG/LARGE 10%")

    answer = shopper.put(f"{cart}lines/MUG%2FLARGE%2010%25/", {"quantity": 1})

    assert answer.json()["lines"][0]["sku"] == odd.sku


@pytest.mark.parametrize("quantity", [-1, 1.5, 2**31, 2**63, "1e9", "2", True, None, [], 1000])
def test_quantity_is_a_whole_number(shopper, cart, mug, quantity):
    answer = put(shopper, cart, mug, quantity)

    assert problem(answer, 400, "invalid")["errors"][0]["field"] == "quantity"
    assert shopper.get(cart).json()["lines"] == []


def test_line_sold_out_since_is_a_problem(shopper, cart, mug):
    put(shopper, cart, mug, 2)
    mug.stock.update(on_hand=1)

    problems = shopper.get(cart).json()["problems"]

    assert [(p["sku"], p["code"], p["available"]) for p in problems] == [
        (mug.sku, "insufficient_stock", 1)
    ]
    assert problems[0]["message"]


def test_line_no_longer_sold_stays_listed_without_a_price(shopper, cart, mug):
    put(shopper, cart, mug, 2)
    mug.active = False
    mug.save()

    document = shopper.get(cart).json()

    assert document["lines"][0]["unit_price"] is None
    assert document["problems"][0]["sku"] == mug.sku
    assert put(shopper, cart, mug, 0).json()["lines"] == []


# --- Promos -------------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["MORNING", " morning ", "Mor ning", "ＭＯＲＮＩＮＧ", "МORNING"])
def test_promo_in_any_spelling(shopper, cart, mug, typed):
    PromoFactory(code="MORNING")
    put(shopper, cart, mug)

    answer = shopper.put(f"{cart}promo/", {"code": typed})

    assert answer.status_code == 200, answer.content
    assert answer.json()["promo_codes"] == ["MORNING"]
    assert answer.json()["totals"]["discount"]["amount"] == "3.60"
    assert shopper.get(cart).json()["promo_codes"] == ["MORNING"]


@pytest.mark.parametrize(
    ("code", "promo"),
    [
        ("promo_invalid", None),
        ("promo_invalid", {"active": False}),
        ("promo_expired", {"over": True}),
        ("promo_exhausted", {"total_limit": 1, "used": 1}),
        ("promo_not_applicable", {"min_subtotal_amount": 100_000}),
    ],
)
def test_promo_that_gives_nothing_says_why(shopper, cart, mug, code, promo):
    if promo is not None:
        PromoFactory(code="MORNING", **promo)
    put(shopper, cart, mug)

    answer = shopper.put(f"{cart}promo/", {"code": "MORNING"})

    assert problem(answer, 400, code)["errors"][0]["field"] == "code"
    assert shopper.get(cart).json()["promo_codes"] == []


def test_second_promo_takes_the_place_of_one_it_cannot_join(shopper, cart, mug):
    PromoFactory(code="FIRST")
    PromoFactory(code="SECOND", percent_bp=2000)
    put(shopper, cart, mug)
    shopper.put(f"{cart}promo/", {"code": "FIRST"})

    answer = shopper.put(f"{cart}promo/", {"code": "SECOND"})

    assert answer.json()["promo_codes"] == ["SECOND"]


def test_stackable_promos_stay_together(shopper, cart, mug):
    PromoFactory(code="FIRST", stackable=True)
    PromoFactory(code="SECOND", stackable=True)
    put(shopper, cart, mug)
    shopper.put(f"{cart}promo/", {"code": "FIRST"})

    assert shopper.put(f"{cart}promo/", {"code": "SECOND"}).json()["promo_codes"] == [
        "FIRST",
        "SECOND",
    ]


def test_sixth_promo_is_refused_by_name_and_the_others_stay(shopper, cart, mug):
    codes = [PromoFactory(code=f"CODE{n}", stackable=True, percent_bp=100).code for n in range(6)]
    put(shopper, cart, mug)
    for code in codes[:5]:
        shopper.put(f"{cart}promo/", {"code": code})

    answer = shopper.put(f"{cart}promo/", {"code": "code 5"})

    (error,) = problem(answer, 400, "promo_not_applicable")["errors"]
    assert error["message"] == "CODE5 does not count: an order takes 5 codes. Take one off first."
    assert shopper.get(cart).json()["promo_codes"] == codes[:5]
    assert shopper.put(f"{cart}promo/", {"code": "NOSUCH"}).json()["code"] == "promo_invalid"


def test_promo_that_has_expired_makes_room_and_is_told(shopper, cart, mug):
    first = PromoFactory(code="FIRST", stackable=True)
    for code in ("SECOND", "THIRD"):
        PromoFactory(code=code, stackable=True)
    put(shopper, cart, mug)
    shopper.put(f"{cart}promo/", {"code": "FIRST"})
    shopper.put(f"{cart}promo/", {"code": "SECOND"})
    first.ends_at = timezone.now() - timedelta(minutes=1)
    first.save()

    answer = shopper.put(f"{cart}promo/", {"code": "THIRD"}).json()

    assert answer["promo_codes"] == ["SECOND", "THIRD"]
    assert answer["notes"] == [
        {"code": "code_left_out", "message": "THIRD counts. FIRST has expired."}
    ]


@pytest.mark.parametrize(
    ("query", "tax", "total"),
    [
        ("", None, "36.00"),
        ("?country=US", None, "36.00"),
        ("?country=US&region=Nowhereland", None, "36.00"),
        ("?country=US&region=Calif.", {"amount": "2.97", "currency": "USD"}, "38.97"),
        ("?country=DE", {"amount": "0.00", "currency": "USD"}, "36.00"),
    ],
)
def test_tax_is_null_until_the_address_decides_it(shopper, cart, mug, query, tax, total):
    TaxRateFactory(country="US", region="CA", rate_bp=825)
    TaxRateFactory(country="US", region="", rate_bp=500)
    rates.forget()
    put(shopper, cart, mug)

    totals = shopper.get(f"{cart}{query}").json()["totals"]

    assert totals["tax"] == tax
    assert totals["total"]["amount"] == total


def test_promo_is_taken_out(shopper, cart, mug):
    PromoFactory(code="MORNING")
    put(shopper, cart, mug)
    shopper.put(f"{cart}promo/", {"code": "MORNING"})

    answer = shopper.delete(f"{cart}promo/")

    assert answer.json()["promo_codes"] == []
    assert answer.json()["totals"]["discount"]["amount"] == "0.00"


@pytest.mark.parametrize("code", ["", "   ", None, 5, "x" * 201, "a\u202eb" * 70])
def test_promo_that_is_no_code(shopper, cart, code):
    assert shopper.put(f"{cart}promo/", {"code": code}).status_code == 400


# --- Shipping -----------------------------------------------------------------------------------


def test_shipping_methods_have_price_and_days(shopper, cart, mug):
    ship_everywhere(price=599, min_days=2, max_days=5)
    put(shopper, cart, mug)

    assert shopper.get(f"{cart}shipping-methods/", {"country": "US"}).json() == [
        {
            "code": "standard",
            "name": "Standard",
            "price": {"amount": "5.99", "currency": "USD"},
            "estimated_days": {"min": 2, "max": 5},
        }
    ]


def test_free_shipping_shows_in_the_price(shopper, cart, mug):
    ship_everywhere(price=599)
    PromoFactory(code="POST", free_shipping=True)
    put(shopper, cart, mug)
    shopper.put(f"{cart}promo/", {"code": "POST"})

    methods = shopper.get(f"{cart}shipping-methods/", {"country": "US"}).json()

    assert methods[0]["price"]["amount"] == "0.00"


@pytest.mark.parametrize("country", ["", "XX", "USA", "' OR 1=1 --", "u s"])
def test_shipping_methods_need_a_country(shopper, cart, country):
    answer = shopper.get(f"{cart}shipping-methods/", {"country": country})

    assert problem(answer, 400, "invalid")["errors"][0]["field"] == "country"


# --- Strangers ----------------------------------------------------------------------------------


def test_strangers_find_no_cart(shopper, cart, other, mug):
    put(shopper, cart, mug)
    bob = Api("203.0.113.9").as_user(make_bob())

    for stranger in (other, bob):
        for token in ("", "guess", "x" * 300, "ümlaut"):
            stranger.headers["X-Cart-Token"] = token
            problem(stranger.get(cart), 404, "not_found")
        problem(put(stranger, cart, mug, 1), 404, "not_found")
        problem(stranger.put(f"{cart}promo/", {"code": "X"}), 404, "not_found")
        problem(stranger.delete(f"{cart}promo/"), 404, "not_found")
        problem(stranger.get(f"{cart}shipping-methods/", {"country": "US"}), 404, "not_found")
    assert shopper.get(cart).json()["lines"][0]["quantity"] == 2


@pytest.mark.parametrize("cart_id", ["1", "abc", "0198b2c4", "..", "%00"])
def test_id_that_is_no_uuid_is_not_found(api, cart_id):
    assert api.get(f"/carts/{cart_id}/").status_code in (400, 404)
    assert api.get(f"/carts/{cart_id}/")["Content-Type"] == "application/problem+json"


def test_ordered_cart_is_not_changed_but_the_next_one(alice, mug):
    api = Api().as_user(alice)
    cart = api.new_cart()["id"]
    alice.carts.update(open=False)

    following = api.put(f"/carts/{cart}/lines/{mug.sku}/", {"quantity": 1}).json()

    assert following["id"] == api.new_cart()["id"] != cart
    assert [line["quantity"] for line in following["lines"]] == [1]
    seen = api.get(f"/carts/{cart}/").json()
    assert (seen["lines"], seen["next_cart"]) == ([], following["id"])
    assert "next_cart" not in api.get(f"/carts/{following['id']}/").json()


def test_carts_without_redis_are_a_503(api, monkeypatch):
    def away():
        raise redis.ConnectionError("away")

    monkeypatch.setattr("apps.cart.guests.connection.client", away)
    answer = api.post("/carts/")

    problem(answer, 503, "overloaded")
    assert int(answer["Retry-After"]) >= 1


def test_expired_promo_in_a_cart_is_a_problem(shopper, cart, mug):
    promo = PromoFactory(code="MORNING")
    put(shopper, cart, mug)
    shopper.put(f"{cart}promo/", {"code": "MORNING"})
    promo.ends_at = timezone.now() - timedelta(minutes=1)
    promo.save()

    document = shopper.get(cart).json()

    assert document["problems"][0]["code"] == "promo_expired"
    assert document["totals"]["discount"]["amount"] == "0.00"


def test_two_skus_keep_their_order(shopper, cart, mug):
    kettle = a_kettle()
    put(shopper, cart, mug, 1)
    document = put(shopper, cart, kettle, 1).json()

    assert [line["sku"] for line in document["lines"]] == [mug.sku, kettle.sku]
