"""What webhooks do to the books: forward only, once, in any order, and never against them."""

from __future__ import annotations

import contextlib
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.orders import checkout, saga
from apps.orders.models import Saga
from apps.payments import inbox
from apps.payments.inbox import apply_due, resolve
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
    really = checkout.BY_NAME["authorize_payment"].do
    assert really is not None
    heard = []

    def late(works: Any, answers: Any) -> Any:
        if not heard:
            heard.append(shop.payment(order_id).intent_id)
            at_once(1, lambda _: shop.hear())
            heard.append(shop.payment(order_id).intent_id)
        return really(works, answers)

    step = checkout.BY_NAME["authorize_payment"]
    monkeypatch.setitem(
        checkout.BY_NAME,
        step.name,
        checkout.Step(step.name, late, step.undo, step.ask, step.undo_ask),
    )

    # The payment is found by the id that its metadata carries; ours is not known here yet.
    shop.run()

    assert heard[0] is None
    assert heard[1] == shop.intents()[0]["id"]
    assert {state for state, _ in states()} <= {"applied", "ignored"}
    assert shop.statuses(order_id) == ["PENDING", "REQUIRES_ACTION"]


def test_approval_heard_before_the_answer_is_written_needs_no_second_question(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client's confirmation races the webhook."""
    order_id = shop.place(card=CHALLENGE)
    write = saga._write
    done = []

    def hear_first(*given: Any) -> Any:
        if not done:
            done.append(True)
            approved = intent_of(shop, order_id, status="requires_capture", next_action=None)
            event = an_event("payment_intent.amount_capturable_updated", approved)
            assert shop.post_webhook(event) == 200
            apply_due()
        return write(*given)

    monkeypatch.setattr(saga, "_write", hear_first)
    saga.advance()

    assert shop.statuses(order_id)[:2] == ["PENDING", "PAYMENT_AUTHORIZED"]


def test_word_that_comes_while_a_worker_holds_the_saga_is_not_lost(
    shop: Shop, waiting: UUID
) -> None:
    """The worker looked before the approval and writes after it."""
    shop.pass_deadline(waiting)
    Saga.objects.update(deadline_at="2099-01-01T00:00Z")
    (work,) = saga.claim()
    questions = checkout.ask_authorization([work])
    answers = checkout.charging.ask(questions)
    shop.answer_challenge(waiting, "approve")
    shop.hear()
    assert shop.saga(waiting).lease_until is not None

    saga._write_group(checkout.BY_NAME[work.step], work.state, [work], answers)

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
        ({"amount": 1}, "is over 1 USD, the payment over 2548 USD"),
        ({"amount": TOTAL + 1}, "is over 2549 USD"),
        ({"currency": "eur"}, "is over 2548 EUR"),
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


def test_payment_is_known_by_its_intent_when_the_metadata_is_gone(
    shop: Shop, waiting: UUID
) -> None:
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


@pytest.mark.parametrize("refund_id", [None, "", "x", str(uuid4())])
def test_refund_that_is_not_ours_is_ignored(shop: Shop, refund_id: str | None) -> None:
    metadata = {} if refund_id is None else {"refund_id": refund_id}
    shown = {"id": "re_1", "amount": 5, "status": "succeeded", "payment_intent": "pi_1"}
    shop.post_webhook(an_event("refund.updated", shown | {"metadata": metadata}))
    apply_due()
    assert states() == [("ignored", "no refund of ours")]


# --- Crashes and events that cannot be applied --------------------------------------------------


def test_worker_that_dies_between_the_books_and_the_word_is_made_up_for(
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
    assert shop.run() == 0, "nobody has told the saga"

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
    really = inbox._apply
    together = []

    def digest(events: Any) -> Any:
        if any(event.event_id == poison["id"] for event in events):
            together.append(len(events))
            raise Killed
        return really(events)

    monkeypatch.setattr(inbox, "_apply", digest)

    for _ in range(2 * inbox.MAX_ATTEMPTS + 4):
        with contextlib.suppress(Killed):
            apply_due()
        leases_end()

    assert together == [4] * inbox.ALONE_AFTER + [1] * (inbox.MAX_ATTEMPTS - inbox.ALONE_AFTER)
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


# --- What a person decides ----------------------------------------------------------------------


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
