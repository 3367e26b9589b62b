"""What webhooks do to the books: forward only, once, in any order, and never against them."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core import leases
from apps.orders.models import Saga
from apps.orders.saga import engine, steps
from apps.orders.saga.steps import authorize_payment
from apps.payments import charging, inbox
from apps.payments.inbox import apply_due, applying, resolve
from apps.payments.models import Payment, WebhookInbox
from apps.payments.refunds import request_refund
from apps.payments.signals import payments_settled
from tests.orders.purchases import TOTAL, Killed, Shop, an_event, at_once

CHALLENGE = "pm_card_threeDSecure2Required"


@pytest.fixture
def waiting(shop: Shop) -> UUID:
    """An order that waits for its shopper's bank."""
    order_id = shop.place(card=CHALLENGE)
    shop.run()
    return order_id


def intent_of(shop: Shop, order_id: UUID, **changes: Any) -> dict[str, Any]:
    """The order's payment as the gateway shows it, with `changes`."""
    listed = shop.sandbox.client().raw_request("get", "/v1/payment_intents", limit=100).data
    (intent,) = (i for i in listed["data"] if i["metadata"].get("order_id") == str(order_id))
    return dict(intent) | changes


def states() -> list[tuple[str, str]]:
    rows = WebhookInbox.objects.order_by("received_at")
    return list(rows.values_list("state", "error"))


def leases_end() -> None:
    WebhookInbox.objects.filter(state="received").update(due_at="2020-01-01T00:00Z")


# --- In whatever order they come ----------------------------------------------------------------


def test_event_before_the_answer_to_our_own_question_is_written(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = shop.place(card=CHALLENGE)
    really = steps.BY_NAME["authorize_payment"].do
    assert really is not None
    intent_ids = []

    def late(claimed: Any, results: Any) -> Any:
        if not intent_ids:
            intent_ids.append(shop.payment(order_id).intent_id)
            at_once(1, lambda _: shop.hear())
            intent_ids.append(shop.payment(order_id).intent_id)
        return really(claimed, results)

    step = steps.BY_NAME["authorize_payment"]
    monkeypatch.setitem(
        steps.BY_NAME,
        step.name,
        replace(step, do=late),
    )

    # The payment is found by the id that its metadata carries; ours is not known here yet.
    shop.run()

    assert intent_ids[0] is None
    assert intent_ids[1] == shop.intents()[0]["id"]
    assert {state for state, _ in states()} <= {"applied", "ignored"}
    assert shop.statuses(order_id) == ["PENDING", "REQUIRES_ACTION"]


def test_approval_before_the_answer_is_recorded_needs_no_second_request(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client's confirmation races the webhook."""
    order_id = shop.place(card=CHALLENGE)
    write = engine._write
    done = []

    def webhooks_arrive_first(*given: Any) -> Any:
        if not done:
            done.append(True)
            approved = intent_of(shop, order_id, status="requires_capture", next_action=None)
            event = an_event("payment_intent.amount_capturable_updated", approved)
            assert shop.post_webhook(event) == 200
            apply_due()
        return write(*given)

    monkeypatch.setattr(engine, "_write", webhooks_arrive_first)
    engine.advance()

    assert shop.statuses(order_id)[:2] == ["PENDING", "PAYMENT_AUTHORIZED"]


def test_webhook_that_comes_while_a_worker_holds_the_saga_is_not_lost(
    shop: Shop, waiting: UUID
) -> None:
    """The worker looked before the approval and writes after it."""
    shop.pass_deadline(waiting)
    Saga.objects.update(deadline_at="2099-01-01T00:00Z")
    (claimed,) = engine.claim()
    results = charging.ask(authorize_payment.ask([claimed]))
    shop.answer_challenge(waiting, "approve")
    shop.hear()
    assert shop.saga(waiting).lease_until is not None

    engine._write_group([claimed], results)

    shop.end_leases()
    shop.run()
    shop.assert_confirmed(waiting)


@pytest.mark.parametrize(
    "status", ["requires_action", "requires_payment_method", "requires_capture", "processing"]
)
def test_old_news_about_a_captured_payment_changes_nothing(shop: Shop, status: str) -> None:
    order_id = shop.place_confirmed()
    before = Payment.objects.values().get()
    old = intent_of(shop, order_id, status=status, amount_received=0)

    assert shop.post_webhook(an_event("payment_intent.payment_failed", old)) == 200
    apply_due()

    assert Payment.objects.values().get() == before
    assert states() == [("applied", "")]
    assert shop.run() == 0
    shop.assert_confirmed(order_id)


def test_webhook_that_says_what_the_answers_said_takes_no_lock(shop: Shop) -> None:
    """Nothing moves backwards: what a payment knows already need not be held against it."""

    def locks_of_hearing() -> int:
        with CaptureQueriesContext(connection) as asked:
            shop.hear()
        return sum(
            'FROM "payments_payment"' in q["sql"] and "FOR NO KEY" in q["sql"] for q in asked
        )

    order_id = shop.place_confirmed()
    assert locks_of_hearing() == 0
    states = set(WebhookInbox.objects.values_list("state", flat=True))
    assert states == {"applied", "ignored"}
    assert shop.payment(order_id).status == Payment.Status.CAPTURED

    WebhookInbox.objects.all().delete()
    Payment.objects.update(status=Payment.Status.AUTHORIZED, captured_amount=0)
    assert locks_of_hearing() > 0, "the control"
    assert shop.payment(order_id).status == Payment.Status.CAPTURED


def test_events_of_a_whole_purchase_backwards_are_the_same_as_forwards(shop: Shop) -> None:
    order_id = shop.place_confirmed()
    for event in reversed(shop.events()):
        assert shop.post_webhook(event) == 200
        apply_due()
    assert shop.run() == 0
    shop.assert_confirmed(order_id)


# --- Against our books --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"amount": 1}, "is over $0.01, the payment over $25.48"),
        ({"amount": TOTAL + 1}, "is over $25.49"),
        ({"currency": "eur"}, "is over €25.48"),
        ({"id": "pi_somebody_elses"}, "claims a payment that has pi_"),
    ],
)
def test_event_that_contradicts_our_books_is_put_aside(
    shop: Shop, waiting: UUID, changes: dict[str, Any], why: str
) -> None:
    intent = intent_of(shop, waiting, status="requires_capture", next_action=None, **changes)
    event = an_event("payment_intent.amount_capturable_updated", intent)

    shop.post_webhook(event)
    apply_due()

    ((state, error),) = states()
    assert (state, why in error) == ("quarantined", True), error
    assert shop.payment(waiting).status == "requires_action"
    assert shop.run() == 0
    shop.assert_audit_clean()


def test_payments_that_are_not_ours_are_ignored(shop: Shop, waiting: UUID) -> None:
    intent = intent_of(shop, waiting, id="pi_other", status="succeeded")
    for metadata in ({}, {"payment_id": str(uuid4())}, {"payment_id": "x'; --"}):
        shop.post_webhook(an_event("payment_intent.succeeded", intent | {"metadata": metadata}))
    shop.post_webhook(an_event("customer.created", {"id": "cus_1"}))
    apply_due()
    assert states() == [("ignored", "no payment of ours")] * 3 + [("ignored", "not acted on")]
    assert shop.payment(waiting).status == "requires_action"


def test_payment_is_found_by_its_intent_without_metadata(shop: Shop, waiting: UUID) -> None:
    """Together with strangers of the same kind, which must not push it out."""
    changes = {"status": "requires_capture", "next_action": None, "metadata": {}}
    shop.post_webhook(
        an_event("payment_intent.amount_capturable_updated", intent_of(shop, waiting, **changes))
    )
    stranger = intent_of(shop, waiting, **changes) | {"id": "pi_stranger"}
    shop.post_webhook(an_event("payment_intent.amount_capturable_updated", stranger))
    apply_due()
    assert states() == [("applied", ""), ("ignored", "no payment of ours")]
    assert shop.payment(waiting).status == "authorized"


@pytest.mark.parametrize(
    "changes", [{"amount": 499}, {"payment_intent": "pi_other"}, {"payment_intent": None}]
)
def test_refund_that_does_not_fit_is_put_aside(shop: Shop, changes: dict[str, Any]) -> None:
    order_id = shop.place_confirmed()
    refund = request_refund(order_id, amount=500, purpose="a", reason="b", actor="c")
    shown = {
        "id": "re_1",
        "object": "refund",
        "amount": 500,
        "currency": "usd",
        "status": "succeeded",
        "payment_intent": shop.payment(order_id).intent_id,
        "metadata": {"refund_id": str(refund.pk)},
    }
    shop.post_webhook(an_event("refund.updated", shown | changes))
    apply_due()
    assert states()[0][0] == "quarantined"
    assert shop.payment(order_id).refunded_amount == 0
    shop.post_webhook(an_event("refund.updated", shown))
    apply_due()
    assert shop.payment(order_id).refunded_amount == 500


@pytest.mark.parametrize("refund_id", [None, "", "x", "0192a5c4-7b1e-7000-8000-000000000000"])
def test_refund_that_is_not_ours_is_ignored(shop: Shop, refund_id: str | None) -> None:
    metadata = {} if refund_id is None else {"refund_id": refund_id}
    shown = {"id": "re_1", "amount": 5, "currency": "usd", "status": "succeeded"}
    shown["payment_intent"] = "pi_1"
    shop.post_webhook(an_event("refund.updated", shown | {"metadata": metadata}))
    apply_due()
    assert states() == [("ignored", "no refund of ours")]


# --- Crashes and events that cannot be applied --------------------------------------------------


def test_worker_that_dies_between_settling_and_the_signal_is_repeated(
    shop: Shop, waiting: UUID
) -> None:
    shop.answer_challenge(waiting, "approve")
    for event in shop.events():
        shop.post_webhook(event)

    def die(**_: Any) -> None:
        raise Killed

    payments_settled.connect(die, weak=False, dispatch_uid="die")
    try:
        with pytest.raises(Killed):
            apply_due()
    finally:
        payments_settled.disconnect(dispatch_uid="die")
    assert shop.payment(waiting).status == "authorized"
    assert shop.run() == 0, "the saga is not resumed yet"

    assert apply_due() == 0, "leased"
    leases_end()
    assert apply_due() > 0

    shop.run()
    shop.assert_confirmed(waiting)


def test_unreadable_event_does_not_hold_up_its_mates_and_dies_in_the_end(
    shop: Shop, waiting: UUID
) -> None:
    broken = an_event("payment_intent.succeeded", {"object": "payment_intent"})
    headless = an_event("payment_intent.succeeded", {})
    del headless["data"]
    shop.answer_challenge(waiting, "approve")
    good = an_event("payment_intent.amount_capturable_updated", intent_of(shop, waiting))
    for event in (broken, good, headless):
        shop.post_webhook(event)

    apply_due()

    assert shop.payment(waiting).status == "authorized"
    assert states() == [("received", ""), ("applied", ""), ("received", "")]
    for _ in range(inbox.MAX_ATTEMPTS * 2):
        leases_end()
        apply_due()
    assert [state for state, _ in states()] == ["dead", "applied", "dead"]
    assert WebhookInbox.objects.get(pk=broken["id"]).error == "KeyError: 'metadata'"
    assert WebhookInbox.objects.get(pk=broken["id"]).attempts == inbox.MAX_ATTEMPTS
    leases_end()
    assert apply_due() == 0
    shop.run()
    shop.assert_confirmed(waiting)


def test_event_that_kills_its_worker_is_tried_alone_and_dies_in_the_end(
    shop: Shop, waiting: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    intent = intent_of(shop, waiting, status="requires_capture", next_action=None)
    poison = an_event("payment_intent.succeeded", {"id": "pi_poison"})
    mates = [an_event("payment_intent.amount_capturable_updated", intent) for _ in range(3)]
    for event in (poison, *mates):
        shop.post_webhook(event)
    really = applying._apply
    together = []

    def apply_or_fail(events: Any) -> Any:
        if any(event.event_id == poison["id"] for event in events):
            together.append(len(events))
            raise Killed
        return really(events)

    monkeypatch.setattr(applying, "_apply", apply_or_fail)

    for _ in range(2 * inbox.MAX_ATTEMPTS + 4):
        with contextlib.suppress(Killed):
            apply_due()
        leases_end()

    assert together == [4] * leases.ALONE_AFTER + [1] * (inbox.MAX_ATTEMPTS - leases.ALONE_AFTER)
    assert [state for state, _ in states()] == ["dead", "applied", "applied", "applied"]
    assert shop.payment(waiting).status == "authorized"


@pytest.mark.race
def test_four_workers_apply_each_event_once(shop: Shop) -> None:
    order_ids = [shop.place(card=CHALLENGE) for _ in range(8)]
    shop.run()
    for order_id in order_ids:
        shop.answer_challenge(order_id, "approve")
    events = shop.events()
    for event in events:
        shop.post_webhook(event)

    counts = at_once(4, lambda _: apply_due(limit=3) + apply_due(limit=100))

    assert sum(counts) == len(events)
    assert set(WebhookInbox.objects.values_list("attempts", flat=True)) == {1}
    shop.run()
    for order_id in order_ids:
        shop.assert_confirmed(order_id)


# --- Decisions of staff ------------------------------------------------------------------------


@pytest.fixture
def dead(shop: Shop, waiting: UUID) -> str:
    """An approval that died although there is nothing wrong with it."""
    shop.answer_challenge(waiting, "approve")
    event = an_event("payment_intent.amount_capturable_updated", intent_of(shop, waiting))
    shop.post_webhook(event)
    WebhookInbox.objects.update(state="dead", attempts=8, error="KeyError: 'id'")
    return str(event["id"])


def test_dead_event_applied_again_takes_effect(shop: Shop, waiting: UUID, dead: str) -> None:
    assert resolve(dead, actor="clerk", reason="the parser was mended", again=True)
    apply_due()
    kept = WebhookInbox.objects.get()
    assert (kept.state, kept.resolved_by, kept.resolution) == (
        "applied",
        "clerk",
        "the parser was mended",
    )
    assert kept.resolved_at is not None
    shop.run()
    shop.assert_confirmed(waiting)


def test_dead_event_left_be_has_no_effect(shop: Shop, waiting: UUID, dead: str) -> None:
    assert resolve(dead, actor="clerk", reason="settled by hand", again=False)
    assert apply_due() == 0
    assert shop.payment(waiting).status == "requires_action"
    assert not resolve(dead, actor="clerk", reason="again", again=True), "decided once"
    shop.assert_audit_clean()


def test_event_that_dies_again_is_an_open_case_again(shop: Shop, waiting: UUID) -> None:
    event = an_event("payment_intent.succeeded", {"object": "payment_intent"})
    shop.post_webhook(event)
    for _ in range(2):
        for _ in range(inbox.MAX_ATTEMPTS * 2):
            leases_end()
            apply_due()
        kept = WebhookInbox.objects.get()
        assert (kept.state, kept.resolved_at, kept.resolved_by) == ("dead", None, "")
        assert resolve(event["id"], actor="clerk", reason="once more", again=True)


@pytest.mark.parametrize(("actor", "reason"), [("", "why"), ("clerk", ""), (" ", " ")])
def test_decision_without_actor_or_reason_is_none(
    shop: Shop, dead: str, actor: str, reason: str
) -> None:
    with pytest.raises(ValueError, match="actor and a reason"):
        resolve(dead, actor=actor, reason=reason, again=True)
    assert WebhookInbox.objects.get().state == "dead"


@pytest.mark.parametrize("state", ["received", "applied", "ignored"])
def test_event_that_is_no_case_cannot_be_decided(shop: Shop, dead: str, state: str) -> None:
    WebhookInbox.objects.update(state=state)
    assert not resolve(dead, actor="clerk", reason="a slip", again=True)
    assert WebhookInbox.objects.get().resolved_at is None
