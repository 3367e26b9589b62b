"""What an order's answer says of its lines, payments, refunds and returns."""

import json

import pytest

from apps.orders import tokens
from apps.orders.fulfilment import returns
from apps.orders.models import Order
from apps.payments.models import Payment
from tests.factories import (
    OrderEventFactory,
    OrderFactory,
    OrderLineFactory,
    PaymentFactory,
    RefundFactory,
    SagaFactory,
    a_mug,
)

pytestmark = pytest.mark.django_db


def usd(amount):
    return {"amount": amount, "currency": "USD"}


@pytest.fixture
def mug():
    return a_mug()


@pytest.fixture
def order(mug):
    """Two mugs and a lamp, delivered: 10.00 off the mugs, and tax on the lamp alone."""
    placed = OrderFactory(
        status=Order.Status.DELIVERED,
        subtotal_amount=13_600,
        discount_amount=1000,
        tax_amount=880,
        shipping_tax_amount=60,
    )
    OrderLineFactory(order=placed, sku=mug.sku, quantity=2, discount_amount=1000, tax_amount=0)
    OrderLineFactory(
        order=placed, sku="LAMP", name="Lamp", unit_amount=10_000, discount_amount=0, tax_amount=820
    )
    OrderEventFactory(order=placed)
    SagaFactory(order=placed, state="done")
    PaymentFactory(order_id=placed.pk, amount=placed.total_amount, captured=True)
    return placed


@pytest.fixture
def answer(api, order):
    """Reads the order."""
    api.headers["X-Order-Token"] = tokens.order_token(order.pk)
    return lambda: api.get(f"/orders/{order.pk}/").json()


def test_lines_have_their_own_discount_and_tax(answer, mug):
    mugs, lamp = answer()["lines"]

    assert (mugs["line_total"], mugs["discount"], mugs["tax"]) == (
        usd("36.00"),
        usd("10.00"),
        usd("0.00"),
    )
    assert (lamp["line_total"], lamp["discount"], lamp["tax"]) == (
        usd("100.00"),
        usd("0.00"),
        usd("8.20"),
    )
    assert mugs["slug"] == mug.product.slug
    assert mugs["image"].startswith("/")
    assert (lamp["slug"], lamp["image"]) == (None, None), "no longer sold"


def test_all_lines_cost_one_query_of_the_catalog(answer, order, django_assert_max_num_queries):
    with django_assert_max_num_queries(30) as few:
        answer()
    for n in range(20):
        OrderLineFactory(order=order, sku=f"MORE-{n}", discount_amount=0, tax_amount=0)
    with django_assert_max_num_queries(len(few)):
        answer()


def test_payment_is_shown(answer):
    assert answer()["payments"] == [{"status": "captured", "amount": usd("140.79"), "message": ""}]


def test_payment_that_failed_says_why(api):
    placed = OrderFactory(status="CANCELLED")
    OrderEventFactory(order=placed)
    PaymentFactory(order_id=placed.pk, failed=True, message="Your card was declined.")
    api.headers["X-Order-Token"] = tokens.order_token(placed.pk)

    (payment,) = api.get(f"/orders/{placed.pk}/").json()["payments"]

    assert (payment["status"], payment["message"]) == ("failed", "Your card was declined.")


def test_nothing_went_back_yet(answer):
    document = answer()

    assert (document["refunds"], document["returns"]) == ([], [])


def test_returns_and_refunds_are_shown_in_words_for_shoppers(answer, order, mug):
    made = returns.request_return(order.pk, lines=[(mug.sku, 1)], reason="too large")
    (announced,) = answer()["returns"]
    assert announced | {"created_at": ""} == {
        "id": str(made.pk),
        "order": str(order.pk),
        "number": f"{order.number}-R1",
        "state": "requested",
        "reason": "too large",
        "message": "",
        "created_at": "",
        "received_at": None,
        "refused_at": None,
        "lines": [
            {"sku": mug.sku, "name": "Mug", "quantity": 1, "accepted": None, "refund": None}
        ],
        "send_to": [
            "Kettle & Pine, Returns", "48 Mill Lane", "Portland, OR 97209", "United States",
        ],
        "what_to_do": announced["what_to_do"],
    }  # fmt: skip
    assert "write the number of the return on the parcel" in announced["what_to_do"]

    returns.receive_return(made.pk, actor="zoe@shop.test")
    RefundFactory(
        payment=Payment.objects.get(), amount=300,
        purpose="admin:77", reason="Zoe dropped it", actor="zoe@shop.test", status="succeeded",
    )  # fmt: skip

    document = answer()
    (received,) = document["returns"]
    assert (received["state"], received["lines"][0]["refund"]) == ("received", usd("13.00"))
    assert received["received_at"].endswith("Z")
    shown = [(r["amount"], r["reason"], r["status"]) for r in document["refunds"]]
    assert shown == [
        (usd("13.00"), "It is for what you sent back.", "requested"),
        (usd("3.00"), "It comes from our staff.", "succeeded"),
    ]
    for ours in ("zoe", "admin:", f"return:{made.pk}", "dropped"):
        assert ours not in json.dumps(document).lower(), ours


@pytest.mark.parametrize(("again", "shown"), [("", ["failed"]), ("#1", ["succeeded"])])
def test_refund_that_was_sent_again_is_shown_once(answer, order, again, shown):
    payment = Payment.objects.get()
    RefundFactory(payment=payment, amount=300, purpose="admin:77", status="failed")
    if again:
        RefundFactory(payment=payment, amount=300, purpose=f"admin:77{again}", status="succeeded")

    assert [refund["status"] for refund in answer()["refunds"]] == shown
