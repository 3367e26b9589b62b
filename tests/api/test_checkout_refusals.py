"""POST /checkouts/: every wrong field is named, and nothing is ordered."""

import pytest

from apps.orders.models import IdempotencyKey, Order
from tests.api.conftest import held, problem
from tests.factories import a_kettle, a_mug, sold_out_mug


def test_every_wrong_field_is_named(api, shop):
    answer = api.checkout({"lines": [{"sku": "", "quantity": 0}], "email": "alice"})

    errors = problem(answer, 400, "invalid")["errors"]
    assert {(error["field"], error["code"]) for error in errors} >= {
        ("lines[0].sku", "blank"),
        ("lines[0].quantity", "min_value"),
        ("email", "invalid"),
        ("shipping_address", "required"),
        ("shipping_method", "required"),
        ("payment_method", "required"),
    }


def test_wrong_fields_of_the_address_are_named_by_path(api, buy):
    address = {"name": "", "line1": "1 Pine", "city": "P", "country": "XX", "phone": "call me"}

    errors = problem(api.checkout(buy(shipping_address=address)), 400, "invalid")["errors"]

    assert {error["field"] for error in errors} == {
        "shipping_address.name",
        "shipping_address.country",
        "shipping_address.phone",
    }


@pytest.mark.parametrize(
    "quantity", [0, -1, 1.5, 1.0, 2**31, 2**63, "1e9", "1", True, None, [1], {"n": 1}]
)
def test_quantity_is_a_whole_number_above_nothing(api, buy, mug, quantity):
    answer = api.checkout(buy(lines=[{"sku": mug.sku, "quantity": quantity}]))

    errors = problem(answer, 400, "invalid")["errors"]
    assert [error["field"] for error in errors] == ["lines[0].quantity"]
    assert not Order.objects.exists()


def test_quantity_not_a_number(api, buy, mug):
    body = b'{"lines": [{"sku": "%s", "quantity": NaN}]}' % mug.sku.encode()

    problem(api.raw("/checkouts/", body, Idempotency_Key="k"), 400, "malformed_body")


@pytest.mark.parametrize("changes", [{"lines": []}, {"lines": ...}, {"cart": "not-a-uuid"}])
def test_an_order_of_nothing_is_refused(api, buy, changes):
    problem(api.checkout(buy(**changes)), 400, "invalid")


def test_cart_and_lines_together_are_refused(api, buy):
    answer = api.checkout(buy(cart=api.new_cart()["id"]))

    assert problem(answer, 400, "invalid")["errors"][0]["field"] == "lines"


def test_client_price_status_and_user_are_ignored(api, buy, mug):
    forged = buy(
        lines=[{"sku": mug.sku, "quantity": 1, "price": "0.01", "unit_amount": 1}],
        total="0.01",
        price=1,
        status="DELIVERED",
        user=1,
        user_id=1,
        currency="EUR",
    )

    placed = Order.objects.get(pk=api.checkout(forged).json()["order"]["id"])

    assert (placed.total_amount, placed.status, placed.user_id) == (2399, "PENDING", None)


def test_other_currency_in_expected_total_is_refused(api, buy):
    answer = api.checkout(buy(expected_total={"amount": "23.99", "currency": "EUR"}))

    assert problem(answer, 400, "invalid")["errors"][0]["field"] == "expected_total.currency"


@pytest.mark.parametrize("amount", [23.99, "23,99", "-1", "1e3", "NaN", "", None, "9" * 40])
def test_expected_total_is_a_decimal_string(api, buy, amount):
    answer = api.checkout(buy(expected_total={"amount": amount, "currency": "USD"}))

    assert problem(answer, 400, "invalid")["errors"][0]["field"] == "expected_total.amount"


def test_sold_out_line_names_its_sku_and_holds_nothing(api, buy, mug):
    kettle = a_kettle(stock=1)
    gone = sold_out_mug()
    answer = api.checkout(
        buy(
            lines=[
                {"sku": mug.sku, "quantity": 1},
                {"sku": kettle.sku, "quantity": 2},
                {"sku": gone.sku, "quantity": 1},
            ]
        )
    )

    errors = problem(answer, 409, "out_of_stock")["errors"]
    assert {(error["field"], error["available"]) for error in errors} == {
        (kettle.sku, 1),
        (gone.sku, 0),
    }
    assert held(mug) == 0
    assert not Order.objects.exists()


def test_two_lines_of_one_sku_are_checked_together(api, buy, mug):
    twice = [{"sku": mug.sku, "quantity": 2}, {"sku": mug.sku, "quantity": 2}]

    errors = problem(api.checkout(buy(lines=twice)), 409, "out_of_stock")["errors"]

    assert [(error["field"], error["available"]) for error in errors] == [(mug.sku, 3)]


def test_unknown_sku_is_a_bad_request(api, buy):
    answer = api.checkout(buy(lines=[{"sku": "NO-SUCH-THING", "quantity": 1}]))

    assert problem(answer, 400, "invalid")["errors"][0]["field"] == "NO-SUCH-THING"


def test_unknown_shipping_method_is_a_bad_request(api, buy):
    answer = api.checkout(buy(shipping_method="by-dragon"))

    assert problem(answer, 400, "invalid")["errors"][0]["field"] == "shipping_method"


@pytest.mark.parametrize("token", ["visa", "pm_", "pm_x; DROP", "tok visa", "", None, 7])
def test_payment_method_is_a_token_of_the_gateway(api, buy, token):
    answer = api.checkout(buy(payment_method=token))

    assert problem(answer, 400, "invalid")["errors"][0]["field"] == "payment_method"


def test_card_number_is_refused_neither_stored_nor_logged(api, buy, caplog):
    with caplog.at_level("DEBUG"):
        answer = api.checkout(buy(payment_method="4242 4242 4242 4242"), key="k-1")

    problem(answer, 400, "card_data_refused")
    assert b"4242" not in answer.content
    assert "4242" not in caplog.text
    assert not IdempotencyKey.objects.exists()


def test_a_mug_more_than_there_are(api, buy):
    scarce = a_mug(stock=1)

    answer = api.checkout(buy(lines=[{"sku": scarce.sku, "quantity": 999}]))

    assert problem(answer, 409, "out_of_stock")["errors"][0]["available"] == 1


def test_token_that_asks_for_trouble_is_taken(api, buy):
    """The sandbox's own tokens (docs/sandbox.md) are cards like any other here."""
    answer = api.checkout(buy(payment_method="pm_sandbox_capture_timeout_after_1__webhook_drop"))
    assert answer.status_code == 202, answer.content


def test_token_longer_than_its_column_is_refused(api, buy):
    answer = api.checkout(buy(payment_method="pm_" + "x" * 118))
    assert answer.status_code == 400
    assert Order.objects.count() == 0
