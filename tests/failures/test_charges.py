"""Money: charged twice, refunded by mistake, kept without an order, or never asked for again."""

from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from django.test import Client

from apps.orders import intake_rows, moves, saga
from apps.orders.models import Order
from apps.payments import charging, inbox
from apps.payments import gateway as gateways
from apps.payments.models import Payment, Refund
from apps.payments.refunds import send_due
from tests.admin.conftest import form_id, order_page, signed_in, told
from tests.api.conftest import problem
from tests.factories import a_mug, make_clerk
from tests.failures.shoppers import (
    CHALLENGE,
    Shopper,
    meet,
    no_row_locks,
    without,
)
from tests.orders.checkouts import everything
from tests.orders.purchases import TOTAL, Shop, an_event, at_once
from tests.shop.conftest import Visitor

A_DAY = 25 * 3600  # seconds; the gateway has forgotten its keys


# --- Own retry refunds a good order ---------------------------------------------------------------


@pytest.fixture
def captured_unheard(shop: Shop, alice: Shopper) -> UUID:
    """Captured, the answer lost, the key forgotten: asked again, the gateway says "already"."""
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
    def careless(payment: Payment) -> Any:
        def ask(gateway: Any) -> charging.Answer:
            key, intent_id = payment.key("capture"), str(payment.intent_id)
            gateway.capture(intent_id, key=key, amount=payment.amount)
            raise AssertionError("it is captured already")

        return ask

    monkeypatch.setattr(charging, "_capture_later", careless)

    shop.run_hurried(captured_unheard)

    assert alice.sees(captured_unheard) == "CANCELLED"
    assert shop.at_gateway(captured_unheard) == [("succeeded", TOTAL, TOTAL)]


def test_shoppers_own_retry_refunds_nothing(shop: Shop, alice: Shopper) -> None:
    """The answer to her checkout was lost; she sends it again, then once more as another one."""
    cart_id = alice.cart_of((shop.mug, 1))
    body = alice.wish(cart=cart_id)
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
    meet(monkeypatch, intake_rows, "live_orders_of_carts", after=True)  # both saw no order

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
    meet(monkeypatch, intake_rows, "live_orders_of_carts", after=True)

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
    """Approved: browser, app, webhooks and workers all want to finish the order now."""
    body = alice.wish(payment_method=CHALLENGE)
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

    deeds = [come_back, send_again, hear, hear, apply, apply, work, work] * 2

    answers = at_once(len(deeds), lambda n: deeds[n]())

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
    (late,) = saga.claim()  # about to look at the payment, and slow
    shop.end_leases()
    shop.run()
    shop.answer_challenge(order_id, "approve")
    shop.hear()
    shop.run()
    assert alice.sees(order_id) == "CONFIRMED"
    saga.run([late])
    shop.assert_confirmed(order_id)

    monkeypatch.setattr(
        saga,
        "STILL_OURS",
        "SELECT s.order_id, false, '' FROM orders_saga s"
        " JOIN json_to_recordset(%s::json) AS n(id uuid)"
        " ON s.order_id = n.id",
    )
    monkeypatch.setattr(saga, "LOG", "SELECT %s")
    monkeypatch.setitem(moves.MOVES, "PAYMENT_AUTHORIZED", ("CONFIRMED",))  # type: ignore[index]
    saga.run([late])

    assert alice.sees(order_id) == "PAYMENT_AUTHORIZED", "paid, shipped soon, and back at the bank"
    assert 9 in shop.violations(liveness=False)


# --- `processing` webhook makes an order early ----------------------------------------------------


def processing_gateway(patch: pytest.MonkeyPatch) -> list[str]:
    """The bank takes its time: every payment is `processing` until the list is emptied."""
    gateway, thinking = gateways.get_gateway(), ["hm"]

    def slow(verb: Any) -> Any:
        def answer(*given: Any, **named: Any) -> Any:
            intent = verb(*given, **named)
            return replace(intent, status="processing") if thinking else intent

        return answer

    for name in ("authorize", "retrieve"):
        patch.setattr(gateway, name, slow(getattr(gateway, name)))
    return thinking


def test_processing_webhook_does_not_make_an_order_early(
    shop: Shop, alice: Shopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    thinking = processing_gateway(monkeypatch)
    order_id = alice.buys()
    shop.run()
    (intent,) = shop.sandbox.client().raw_request("get", "/v1/payment_intents").data["data"]
    processing = dict(intent) | {"status": "processing", "amount_capturable": 0}

    assert shop.post_webhook(an_event("payment_intent.processing", processing)) == 200
    assert inbox.apply_due() == 1
    shop.run()

    assert alice.sees(order_id) == "PENDING"
    assert shop.payment(order_id).status == "created"
    assert shop.at_gateway(order_id) == [("requires_capture", 0, 0)], "nothing was captured"
    assert (shop.stock(), shop.movements()) == ((10, 1), [("initial", 10)])
    assert shop.mails(order_id) == []
    assert shop.run() == 0, "it waits for the gateway's word"

    thinking.clear()
    shop.hear("payment_intent.amount_capturable_updated")
    shop.run()
    assert alice.sees(order_id) == "CONFIRMED"
    assert len(shop.intents()) == 1
    shop.assert_confirmed(order_id)


# --- Failed webhook ignored, thousands stuck pending ----------------------------------------------


@pytest.fixture
def thirty_refused(shop: Shop) -> tuple[Any, list[UUID]]:
    """Thirty orders of one mug each, all of it, whose shoppers said no at their bank."""
    mug = a_mug(stock=30)
    order_ids = [
        shop.place((mug, 1), card=CHALLENGE, email=f"shopper{n}@example.com") for n in range(30)
    ]
    shop.run()
    for order_id in order_ids:
        shop.answer_challenge(order_id, "refuse")
    return mug, order_ids


def test_failed_webhooks_end_every_order_and_free_its_unit(
    shop: Shop, alice: Shopper, thirty_refused: tuple[Any, list[UUID]]
) -> None:
    mug, order_ids = thirty_refused
    assert shop.stock(mug) == (30, 30)

    shop.hear("payment_intent.payment_failed")
    shop.run()

    assert set(Order.objects.values_list("status", flat=True)) == {"CANCELLED"}
    assert shop.stock(mug) == (30, 0)
    assert {i["status"] for i in shop.intents()} == {"canceled"}
    for order_id in order_ids[:3]:
        shop.assert_cancelled(order_id)
    shop.assert_confirmed(bought(shop, alice.buys((mug, 30))))


def test_failed_webhooks_that_never_come_leave_no_order_pending_past_its_deadline(
    shop: Shop, thirty_refused: tuple[Any, list[UUID]]
) -> None:
    mug, order_ids = thirty_refused
    assert shop.run() == 0, "nobody has told us"

    for order_id in order_ids:
        shop.pass_deadline(order_id)
    shop.run()

    assert set(Order.objects.values_list("status", flat=True)) == {"CANCELLED"}
    assert shop.stock(mug) == (30, 0)
    assert not any(i["amount_received"] for i in shop.intents())
    shop.assert_cancelled(order_ids[0])


def bought(shop: Shop, order_id: UUID) -> UUID:
    shop.run()
    return order_id


# --- Auto-cancel though the payment came ----------------------------------------------------------


def test_deadline_does_not_cancel_an_order_whose_payment_came_unheard(
    shop: Shop, alice: Shopper
) -> None:
    order_id = alice.buys(payment_method=CHALLENGE)
    shop.run()
    shop.answer_challenge(order_id, "approve")  # and its webhook is lost

    shop.pass_deadline(order_id)
    shop.run()

    assert alice.sees(order_id) == "CONFIRMED"
    assert shop.at_gateway(order_id) == [("succeeded", TOTAL, 0)]
    shop.assert_confirmed(order_id)
    shop.hear()  # it comes after all
    assert shop.run() == 0
    shop.assert_confirmed(order_id)


@pytest.mark.parametrize("also_captured", [False, True])
def test_payment_that_comes_while_the_order_is_cancelled_goes_back(
    shop: Shop, alice: Shopper, monkeypatch: pytest.MonkeyPatch, also_captured: bool
) -> None:
    """Between the worker's last look and its void she approves; perhaps somebody even captures."""
    order_id = alice.buys(payment_method=CHALLENGE)
    shop.run()
    gateway, bank_page = gateways.get_gateway(), urlsplit(shop.payment(order_id).next_action_url)
    void, came = gateway.void, []

    def just_before(intent_id: str, *, key: str) -> Any:
        # In a thread of the gateway's: it has no connection to the database, and takes none.
        if not came:
            came.append(intent_id)
            shop.sandbox.raw("POST", bank_page.path, "decision=approve", key="")
            if also_captured:
                shop.sandbox.client().raw_request(
                    "post", f"/v1/payment_intents/{intent_id}/capture"
                )
        return void(intent_id, key=key)

    monkeypatch.setattr(gateway, "void", just_before)

    shop.pass_deadline(order_id)
    shop.run_hurried(order_id)
    shop.hear()
    shop.run()

    back = ("succeeded", TOTAL, TOTAL) if also_captured else ("canceled", 0, 0)
    assert (came != [], shop.at_gateway(order_id)) == (True, [back])
    assert alice.sees(order_id) == "CANCELLED"
    assert shop.stock() == (10, 0)
    shop.assert_cancelled(order_id)


# --- Double-click refund; two concurrent partial refunds above the total --------------------------


@pytest.fixture
def clerks(shop: Shop) -> list[Client]:
    """Two people in the back office."""
    return [signed_in(make_clerk(email=f"clerk{n}@kettleandpine.example")) for n in range(2)]


def refund_rows() -> list[tuple[int, str]]:
    return list(Refund.objects.order_by("created_at").values_list("amount", "status"))


@pytest.mark.race
def test_double_click_refunds_once(shop: Shop, clerks: list[Client]) -> None:
    url = order_page(shop.place_confirmed(), "refund")
    entry = {"form_id": form_id(clerks[0], url), "amount": "15.00", "reason": "a chip"}
    fingers = [Client() for _ in range(4)]
    for finger in fingers:
        finger.cookies = clerks[0].cookies

    answers = at_once(4, lambda n: fingers[n].post(url, entry).status_code)
    at_once(3, lambda _: send_due())

    assert set(answers) <= {200, 302}
    order_id = Order.objects.get().pk
    assert refund_rows() == [(1500, "succeeded")]
    assert shop.at_gateway(order_id) == [("succeeded", TOTAL, 1500)]
    assert shop.payment(order_id).refunded_amount == 1500
    assert (shop.stock(), shop.order(order_id).status) == ((9, 0), "CONFIRMED"), "money only"
    shop.assert_audit_clean()


def two_partial_refunds(clerks: list[Client], url: str) -> list[Any]:
    """Both forms were opened while the whole amount was left; both are sent at once."""
    forms = [form_id(clerk, url) for clerk in clerks]
    return at_once(
        2,
        lambda n: clerks[n].post(
            url, {"form_id": forms[n], "amount": "15.00", "reason": f"clerk {n}"}
        ),
    )


@pytest.mark.race
def test_two_partial_refunds_at_once_do_not_pass_the_total(
    shop: Shop, clerks: list[Client]
) -> None:
    order_id = shop.place_confirmed()

    answers = two_partial_refunds(clerks, order_page(order_id, "refund"))
    send_due()

    done, refused = sorted(answers, key=lambda answer: -answer.status_code)
    assert (done.status_code, refused.status_code) == (302, 200)
    assert refused.context["form"].errors == {"amount": ["At most $10.48 is left to refund."]}
    assert refund_rows() == [(1500, "succeeded")]
    assert shop.at_gateway(order_id) == [("succeeded", TOTAL, 1500)]
    shop.assert_audit_clean()


@pytest.mark.race
def test_control_two_partial_refunds_without_the_lock_pass_the_total(
    shop: Shop, clerks: list[Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = shop.place_confirmed()
    no_row_locks(monkeypatch)
    meet(monkeypatch, Refund.objects, "create")

    answers = two_partial_refunds(clerks, order_page(order_id, "refund"))

    assert [answer.status_code for answer in answers] == [302, 302], [told(a) for a in answers]
    assert sum(amount for amount, _ in refund_rows()) == 3000 > TOTAL
