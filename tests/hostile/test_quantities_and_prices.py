"""Numbers that are not quantities, and fields that a client must not set."""

import json
from decimal import Decimal

import pytest

from apps.inventory.models import StockItem
from apps.orders.models import Order, OrderLine
from tests.api.conftest import problem
from tests.factories import ADDRESS, make_bob

# As written in JSON; NaN and Infinity are not valid JSON.
NO_QUANTITY = ["-1", "1.5", "2147483648", "9223372036854775808", '"1e9"', "1e9", "true", '"2"',
               "null", "[]", "{}", "NaN", "Infinity", "-0.0", "1" * 5000]  # fmt: skip


@pytest.mark.parametrize("quantity", ["0", *NO_QUANTITY])
def test_no_order_is_made_of_what_is_no_quantity(api, mug, buy, quantity):
    # As text, because no encoder would write some of these.
    body = json.dumps(buy(lines=[{"sku": mug.sku, "quantity": "HERE"}]))

    answer = api.raw("/checkouts/", body.replace('"HERE"', quantity).encode(), Idempotency_Key="k")

    assert answer.status_code == 400, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    assert not Order.objects.exists()
    assert StockItem.objects.get().reserved == 0


@pytest.mark.parametrize("quantity", NO_QUANTITY)
def test_no_line_is_made_of_what_is_no_quantity(api, mug, quantity):
    cart = api.new_cart()["id"]

    answer = api._send(
        "put", f"/carts/{cart}/lines/{mug.sku}/", {},
        data=f'{{"quantity": {quantity}}}', content_type="application/json",
    )  # fmt: skip

    assert answer.status_code == 400, answer.content
    assert api.get(f"/carts/{cart}/").json()["lines"] == []


@pytest.mark.parametrize(
    "quantity",
    ["-1", "1.5", "2147483648", "9223372036854775808", "1e9", "true", "NaN", "", " ", "٣", "0x1",
     "1\x00", "+1", "1_0", "९" * 50],
)  # fmt: skip
def test_pages_take_no_such_quantity_either(visitor, mug, quantity):
    visitor.add(mug, 2)

    assert visitor.add(mug, quantity).status_code == 400
    assert visitor.post(f"/cart/lines/{mug.sku}/", {"quantity": quantity}).status_code == 400
    assert visitor.session["count"] == 2


def test_price_status_and_owner_cannot_be_set_by_the_client(api, mug, buy):
    bob = make_bob()
    claims = {
        "total": {"amount": "0.01", "currency": "USD"}, "price": "0.01", "status": "CONFIRMED",
        "user": bob.pk, "user_id": bob.pk, "currency": "JPY", "discount": "17.99", "id": "1",
        "is_staff": True, "number": "KP-MINE",
    }  # fmt: skip
    line = {"sku": mug.sku, "quantity": 1, "unit_price": {"amount": "0.01", "currency": "USD"},
            "price": 1, "unit_amount": 1, "name": "Free mug"}  # fmt: skip

    answer = api.checkout(buy(lines=[line], **claims))

    assert answer.status_code == 202, answer.content
    order = Order.objects.get()
    assert (order.total_amount, order.currency, order.user_id) == (2399, "USD", None)
    assert order.status == "PENDING"
    assert order.number != "KP-MINE"
    assert OrderLine.objects.values_list("unit_amount", "name").get() == (1800, mug.product.name)


@pytest.mark.parametrize(
    "total",
    [{"amount": "23.99", "currency": "JPY"}, {"amount": 23.99, "currency": "USD"},
     {"amount": "-23.99", "currency": "USD"}, {"amount": "1e3", "currency": "USD"}, "23.99", 2399],
)  # fmt: skip
def test_total_in_another_form_or_currency_is_refused(api, buy, total):
    problem(api.checkout(buy(expected_total=total)), 400, "invalid")

    assert not Order.objects.exists()


def test_page_has_its_own_price_whatever_the_form_says(visitor, mug):
    visitor.add(mug)
    form = visitor.checkout_form() | {
        "total": "1",
        "price": "1",
        "status": "CONFIRMED",
        "user": "1",
    }

    answer = visitor.post("/checkout/", form)

    assert answer.status_code == 302
    order = Order.objects.get()
    assert Decimal(order.total_amount) == 2399
    assert (order.status, order.user_id) == ("PENDING", None)


def test_cheaper_total_in_the_form_is_shown_and_not_charged(visitor, mug):
    visitor.add(mug)

    answer = visitor.post("/checkout/", visitor.checkout_form(expected_total="1"))

    assert answer.status_code == 409
    assert not Order.objects.exists()


def test_profile_makes_no_one_staff(api, alice):
    claims = {"name": "A", "is_staff": True, "is_superuser": True, "email": "root@example.com"}

    assert api.as_user(alice).patch("/me/", claims).status_code == 200

    alice.refresh_from_db()
    assert (alice.is_staff, alice.is_superuser, alice.email) == (False, False, "alice@example.com")


def test_address_is_not_put_into_anothers_book(api, alice):
    bob = make_bob()

    made = api.as_user(alice).post("/me/addresses/", ADDRESS | {"user": bob.pk, "id": 1})

    assert made.status_code == 201
    assert not bob.addresses.exists()
