"""Money: charged twice, or refunded by mistake."""

from typing import Any
from uuid import UUID

import pytest

from apps.orders import transitions
from apps.orders.intake import statements
from apps.orders.models import Order
from apps.orders.saga import claims, engine, updates
from apps.payments import inbox
from apps.payments.charging import GatewayResult, requests
from apps.payments.models import Payment, Refund
from tests.api.conftest import problem
from tests.failures.shoppers import CHALLENGE, Shopper, meet, without
from tests.orders.checkouts import everything
from tests.orders.purchases import TOTAL, Shop, at_once
from tests.web.conftest import Visitor

A_DAY = 25 * 3600  # seconds; the gateway has forgotten its keys


# --- Own retry refunds a good order ---------------------------------------------------------------


@pytest.fixture
def captured_unheard(shop: Shop, alice: Shopper) -> UUID:
    """Captured, the answer lost, the key forgotten: a retry is refused as captured already."""
    shop.sandbox.faults(
        {"fault": "reset_after", "count": 1, "operations": ["payment_intents.capture"]}
    )
    order_id = alice.buys()
    shop.run()
    assert shop.log(order_id)[-1] == "do capture_payment: retry"
    assert shop.at_gateway(order_id) == [("succeeded", TOTAL, 0)]
    shop.sandbox.control("clock", {"advance_s": A_DAY})
    return order_id


def test_own_retry_of_a_capture_refunds_nothing(
    shop: Shop, alice: Shopper, captured_unheard: UUID
) -> None:
    shop.run_hurried(captured_unheard)

    assert shop.at_gateway(captured_unheard) == [("succeeded", TOTAL, 0)]
    assert shop.log(captured_unheard)[-3:] == [
        "do capture_payment: done",
        "do create_shipment: done",
        "do notify: done",
    ]
    assert Refund.objects.count() == 0
    shop.assert_confirmed(captured_unheard)


def test_control_retry_that_believes_the_refusal_refunds_a_good_order(
    shop: Shop, alice: Shopper, captured_unheard: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    def careless(gateway: Any, payment: Payment) -> GatewayResult:
        key, intent_id = payment.key("capture"), str(payment.intent_id)
        gateway.capture(intent_id, key=key, amount=payment.amount, currency="USD")
        raise AssertionError("it is captured already")

    monkeypatch.setattr(requests, "capture", careless)

    shop.run_hurried(captured_unheard)

    assert alice.sees(captured_unheard) == "CANCELLED"
    assert shop.at_gateway(captured_unheard) == [("succeeded", TOTAL, TOTAL)]


def test_shoppers_own_retry_refunds_nothing(shop: Shop, alice: Shopper) -> None:
    """The answer to a checkout was lost; it is sent again, then once more under another key."""
    cart_id = alice.cart_of((shop.mug, 1))
    body = alice.body(cart=cart_id)
    first = alice.orders(body, key="k-1")
    order_id = UUID(first.json()["order"]["id"])
    shop.run()
    before = everything()

    again, as_another = alice.orders(body, key="k-1"), alice.orders(body, key="k-2")

    assert (again.status_code, again.json()) == (202, first.json())
    assert problem(as_another, 409, "cart_already_ordered")["order"]["id"] == str(order_id)
    assert shop.run() == 0
    assert everything() == before
    assert shop.at_gateway(order_id) == [("succeeded", TOTAL, 0)]
    shop.assert_confirmed(order_id)


# --- Two payment pages, two charges ---------------------------------------------------------------


def two_tabs(mug: Any) -> tuple[list[Visitor], list[dict[str, str]]]:
    """Two tabs of one browser with the same cart, each with a checkout of its own filled in."""
    first, second = (Visitor(raise_request_exception=False) for _ in range(2))
    first.add(mug)
    second.cookies = first.cookies
    forms = [first.checkout_form(), second.checkout_form()]
    assert forms[0]["key"] != forms[1]["key"]
    return [first, second], forms


@pytest.mark.race
def test_two_payment_pages_are_one_order_and_one_charge(
    shop: Shop, two_processes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    tabs, forms = two_tabs(shop.mug)
    meet(monkeypatch, statements, "live_orders_of_carts", after=True)  # both saw no order

    answers = at_once(2, lambda n: tabs[n].post("/checkout/", forms[n]))
    shop.run()

    order = Order.objects.get()
    ordered, told_so = sorted(answers, key=lambda answer: answer.status_code)
    assert (ordered.status_code, told_so.status_code) == (302, 409)
    assert f"/orders/{order.pk}/" in told_so.content.decode()
    assert shop.at_gateway(order.pk) == [("succeeded", TOTAL, 0)]
    assert len(shop.intents()) == 1
    assert shop.stock() == (9, 0)
    shop.assert_confirmed(order.pk)


@pytest.mark.race
def test_control_two_payment_pages_without_the_unique_cart_are_two_charges(
    shop: Shop, two_processes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    tabs, forms = two_tabs(shop.mug)
    meet(monkeypatch, statements, "live_orders_of_carts", after=True)

    with without("one_live_order_per_cart"):
        answers = at_once(2, lambda n: tabs[n].post("/checkout/", forms[n]))
        shop.run()

        assert [answer.status_code for answer in answers] == [302, 302]
        charges = [(i["status"], i["amount_received"]) for i in shop.intents()]
        assert charges == [("succeeded", TOTAL)] * 2
        assert shop.stock() == (8, 0)


# --- Client's confirm races the webhook -----------------------------------------------------------


@pytest.mark.race
def test_clients_confirm_and_the_webhook_at_once_are_one_order(shop: Shop, alice: Shopper) -> None:
    """Approved: browser, app, webhooks and workers go on with the order at the same time."""
    body = alice.body(payment_method=CHALLENGE)
    order_id = UUID(alice.orders(body, key="k-1").json()["order"]["id"])
    shop.run()
    shop.answer_challenge(order_id, "approve")
    events = shop.events()
    shop.endpoint()
    token = alice.tokens[order_id]

    def come_back() -> int:
        page = Visitor(raise_request_exception=False)
        return page.get(f"/orders/{order_id}/?token={token}&redirect_status=succeeded").status_code

    def send_again() -> int:
        answer = Shopper(shop, "alice").orders(body, key="k-1")
        if answer.status_code == 409:  # two of them met
            problem(answer, 409, "idempotency_in_flight")
        return 202

    def hear() -> int:
        return max(shop.post_webhook(event) for event in events)

    def apply() -> int:
        return 200 if inbox.apply_due() >= 0 else 500

    def work() -> int:
        return 200 if shop.run() >= 0 else 500

    actions = [come_back, send_again, hear, hear, apply, apply, work, work] * 2

    answers = at_once(len(actions), lambda n: actions[n]())

    assert set(answers) <= {200, 202, 302}, answers
    shop.hear()
    shop.run()
    assert shop.statuses(order_id) == [
        "PENDING",
        "REQUIRES_ACTION",
        "PAYMENT_AUTHORIZED",
        "CONFIRMED",
    ]
    done = shop.log(order_id, "done")
    assert len(done) == len(set(done)) == 5
    assert shop.stock() == (9, 0)
    assert len(shop.intents()) == 1
    shop.assert_confirmed(order_id)


def test_control_late_confirm_without_fence_and_move_table_takes_a_confirmed_order_back(
    shop: Shop, alice: Shopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = alice.buys(payment_method=CHALLENGE)
    (late,) = engine.claim()  # about to look at the payment, and slow
    shop.end_leases()
    shop.run()
    shop.answer_challenge(order_id, "approve")
    shop.hear()
    shop.run()
    assert alice.sees(order_id) == "CONFIRMED"
    engine.run([late])
    shop.assert_confirmed(order_id)

    monkeypatch.setattr(
        claims.SAGAS,
        "still_ours_statement",
        "SELECT s.order_id, false, '' FROM orders_saga s"
        " JOIN json_to_recordset(%s::json) AS n(claimed_key uuid)"
        " ON s.order_id = n.claimed_key",
    )
    monkeypatch.setattr(updates, "LOG_STEPS", "SELECT %s")
    monkeypatch.setitem(transitions.TRANSITIONS, "PAYMENT_AUTHORIZED", ("CONFIRMED",))  # type: ignore[index]
    engine.run([late])

    assert alice.sees(order_id) == "PAYMENT_AUTHORIZED", "paid, shipped soon, and back at the bank"
    assert 9 in shop.violations(liveness=False)
