"""Money taken at the gateway's dashboard on other terms than the order's never ships the goods."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from apps.backoffice.models import Decision
from apps.orders import audit
from apps.orders.errors import NotInReview
from apps.orders.fulfilment.cancellation import request_cancellation
from apps.orders.models import Order
from apps.orders.saga import review
from apps.payments import inbox
from apps.payments.models import Discrepancy, Payment, WebhookInbox
from tests.factories import make_clerk
from tests.orders.purchases import TOTAL, Shop, an_event
from tests.payments.books import aged, compare, compare_all

__all__ = ["aged"]

CHALLENGE = "pm_card_threeDSecure2Required"
PART = 100
WHY = (
    "Only $1.00 of $25.48 was taken, and the rest cannot be taken any more."
    " Undo the order: $1.00 goes back. Or accept the part: it goes on for $1.00."
)


@pytest.fixture
def authorized(shop: Shop) -> UUID:
    """An order that waits for its shopper's bank by our books; the bank has said yes."""
    order_id = shop.place(card=CHALLENGE)
    shop.run()
    shop.answer_challenge(order_id, "approve")
    return order_id


def capture_at_dashboard(shop: Shop, order_id: UUID, amount: int = PART) -> None:
    (intent,) = shop.intents(order_id)
    shop.sandbox.control(
        "dashboard", {"do": "capture", "payment_intent": intent["id"], "amount": amount}
    )


def by_webhook(shop: Shop) -> None:
    shop.hear()


def by_reconciler(shop: Shop) -> None:
    compare()


SEEN_BY = pytest.mark.parametrize("see", [by_webhook, by_reconciler])


def assert_in_review(shop: Shop, order_id: UUID, why: str = WHY) -> None:
    saga = shop.saga(order_id)
    assert (saga.state, saga.review_reason, saga.due_at) == ("review", why, None)
    assert "CONFIRMED" not in shop.statuses(order_id)
    assert shop.mails(order_id) == []
    assert review.waiting().filter(pk=order_id).exists()


@SEEN_BY
@pytest.mark.usefixtures("aged")
def test_part_that_was_taken_is_a_case_at_once_and_confirms_nothing(
    shop: Shop, authorized: UUID, see: Callable[[Shop], None]
) -> None:
    capture_at_dashboard(shop, authorized)

    see(shop)
    shop.run()

    assert_in_review(shop, authorized)
    payment = shop.payment(authorized)
    assert (payment.status, payment.captured_amount) == ("partly_captured", PART)
    assert shop.stock() == (10, 1), "held, not sold"
    shop.assert_audit_clean()
    # The other way of seeing it adds nothing.
    by_reconciler(shop)
    compare_all()
    by_webhook(shop)
    assert shop.run() == 0
    assert Discrepancy.objects.count() == 0
    assert not inbox.undecided().exists()
    assert_in_review(shop, authorized)


def test_part_taken_between_authorization_and_our_own_capture(shop: Shop) -> None:
    order_id = shop.place()
    shop.run_until_step(order_id, "capture_payment")
    capture_at_dashboard(shop, order_id)

    shop.end_leases()
    shop.run()

    assert_in_review(shop, order_id)
    assert shop.stock() == (9, 0)
    shop.assert_audit_clean()


def test_undone_by_staff_the_part_goes_back(shop: Shop, authorized: UUID) -> None:
    capture_at_dashboard(shop, authorized)
    shop.hear()
    shop.run()

    review.undo(authorized, actor="clerk", reason="a slip at the dashboard")
    shop.run_hurried(authorized)

    assert shop.at_gateway(authorized) == [("succeeded", PART, PART)]
    shop.assert_cancelled(authorized)


@pytest.mark.parametrize("step", ["authorize_payment", "capture_payment"])
def test_accepted_by_staff_the_order_goes_on_for_the_part(shop: Shop, step: str) -> None:
    if step == "authorize_payment":
        order_id = shop.place(card=CHALLENGE)
        shop.run()
        shop.answer_challenge(order_id, "approve")
    else:
        order_id = shop.place()
        shop.run_until_step(order_id, step)
    capture_at_dashboard(shop, order_id)
    shop.hear()
    shop.end_leases()
    shop.run()

    review.accept_part(order_id, actor="clerk", reason="the rest came by bank transfer")
    shop.run_hurried(order_id)

    assert shop.order(order_id).status == "CONFIRMED"
    payment = shop.payment(order_id)
    assert (payment.status, payment.captured_amount) == ("captured", PART)
    assert shop.at_gateway(order_id) == [("succeeded", PART, 0)]
    decision = Decision.objects.get(kind="saga")
    assert (decision.decision, decision.actor) == ("accept_part", "clerk")
    shop.assert_audit_clean()
    with pytest.raises(NotInReview):
        review.accept_part(order_id, actor="clerk", reason="twice")

    request_cancellation(order_id)
    shop.run_hurried(order_id)
    assert shop.at_gateway(order_id) == [("succeeded", PART, PART)]
    shop.assert_audit_clean()


def test_audit_finds_a_part_that_nobody_accepted(shop: Shop, authorized: UUID) -> None:
    capture_at_dashboard(shop, authorized)
    shop.hear()
    shop.run()

    Payment.objects.update(status="captured")

    assert [found.number for found in audit.check() if not found.holds] == [4, 16]


def test_only_a_part_can_be_accepted(shop: Shop) -> None:
    """Of an order that is in review for another reason."""
    order_id = shop.place(card=CHALLENGE)
    shop.run()
    saga = shop.saga(order_id)
    saga.state, saga.reviewed_from, saga.due_at = "review", "forward", None
    saga.review_reason = "poisoned"
    saga.save()

    with pytest.raises(NotInReview):
        review.accept_part(order_id, actor="clerk", reason="why not")

    assert Decision.objects.count() == 0


def test_part_of_an_order_that_its_shopper_cancels_goes_back(shop: Shop, authorized: UUID) -> None:
    capture_at_dashboard(shop, authorized)
    request_cancellation(authorized)

    shop.run_hurried(authorized)

    assert shop.at_gateway(authorized) == [("succeeded", PART, PART)]
    shop.assert_cancelled(authorized)


def test_whole_amount_taken_at_the_dashboard_confirms_as_before(
    shop: Shop, authorized: UUID
) -> None:
    capture_at_dashboard(shop, authorized, TOTAL)
    shop.hear()
    shop.run()
    shop.assert_confirmed(authorized)


# --- Siblings: more than ordered, another amount, another currency -------------------------------


def in_webhook_case() -> str:
    (case,) = inbox.undecided()
    return case.error


@pytest.mark.usefixtures("aged")
def test_more_than_ordered_was_taken(shop: Shop, authorized: UUID) -> None:
    capture_at_dashboard(shop, authorized, TOTAL + 500)

    shop.hear("payment_intent.succeeded")
    assert "$30.48 were taken by pi_" in in_webhook_case()
    compare()
    assert [row.kind for row in Discrepancy.objects.all()] == ["other_capture"]
    shop.wake(authorized)
    shop.run()

    saga = shop.saga(authorized)
    assert saga.state == "review"
    assert saga.review_reason.startswith("$30.48 were taken by pi_")
    assert saga.review_reason.endswith(
        "the payment is over $25.48. Nothing was done. Give back at the gateway what was taken"
        " there, then undo the order."
    )
    assert shop.payment(authorized).captured_amount == 0

    (intent,) = shop.intents(authorized)
    shop.sandbox.client().v1.refunds.create({"payment_intent": intent["id"]})
    review.undo(authorized, actor="clerk", reason="given back at the dashboard")
    shop.run_hurried(authorized)

    assert Order.objects.get().status == "CANCELLED"
    assert shop.payment(authorized).status == "voided"


def test_undo_before_the_money_is_given_back_asks_again(shop: Shop, authorized: UUID) -> None:
    capture_at_dashboard(shop, authorized, TOTAL + 500)
    shop.wake(authorized)
    shop.run()

    review.undo(authorized, actor="clerk", reason="too early")
    shop.run()

    saga = shop.saga(authorized)
    assert (saga.state, saga.reviewed_from) == ("review", "undoing")
    assert "$30.48 were taken" in saga.review_reason


def test_amount_that_was_changed_at_the_dashboard(shop: Shop) -> None:
    order_id = shop.place(card=CHALLENGE)
    shop.run()
    (intent,) = shop.intents(order_id)
    shop.sandbox.control(
        "dashboard", {"do": "change_amount", "payment_intent": intent["id"], "amount": 100}
    )
    shop.answer_challenge(order_id, "approve")
    shop.hear("payment_intent.amount_capturable_updated")
    assert in_webhook_case().endswith("is over $1.00, the payment over $25.48")

    shop.wake(order_id)
    shop.run()

    saga = shop.saga(order_id)
    assert saga.state == "review"
    assert "is over $1.00, the payment over $25.48. Nothing was done." in saga.review_reason

    review.undo(order_id, actor="clerk", reason="start anew")
    shop.run_hurried(order_id)
    shop.assert_cancelled(order_id)


def test_another_currency_is_put_aside(shop: Shop, authorized: UUID) -> None:
    (shown,) = shop.sandbox.client().raw_request("get", "/v1/payment_intents").data["data"]
    taken = {"currency": "eur", "status": "succeeded", "amount_received": TOTAL}

    shop.post_webhook(an_event("payment_intent.succeeded", dict(shown) | taken))
    inbox.apply_due()

    assert in_webhook_case().endswith("is over €25.48, the payment over $25.48")
    assert shop.payment(authorized).status == "requires_action"


def test_payment_confirmed_elsewhere_with_another_card_is_taken_for_the_order(shop: Shop) -> None:
    """Declined here, then paid there by the same intent before the undo: one charge, no second."""
    order_id = shop.place(card=CHALLENGE)
    shop.run()
    shop.answer_challenge(order_id, "refuse")
    (intent,) = shop.intents(order_id)
    shop.sandbox.client().v1.payment_intents.confirm(
        intent["id"], {"payment_method": "pm_card_visa"}
    )
    shop.hear()
    shop.run()

    shop.assert_confirmed(order_id)
    assert set(WebhookInbox.objects.values_list("state", flat=True)) <= {"applied", "ignored"}


@pytest.mark.usefixtures("aged")
def test_cancelled_on_other_terms_is_over(shop: Shop) -> None:
    """Nothing is taken, and nothing can be: the terms do not matter any more."""
    order_id = shop.place(card=CHALLENGE)
    shop.run()
    (intent,) = shop.intents(order_id)
    shop.sandbox.control(
        "dashboard", {"do": "change_amount", "payment_intent": intent["id"], "amount": 100}
    )
    shop.sandbox.client().v1.payment_intents.cancel(intent["id"])

    shop.hear("payment_intent.canceled")
    shop.run()

    assert shop.payment(order_id).status == "voided"
    shop.assert_cancelled(order_id)


# --- The office ----------------------------------------------------------------------------------


def test_staff_see_the_case_with_its_words_and_can_accept_it(shop: Shop, authorized: UUID) -> None:
    capture_at_dashboard(shop, authorized)
    shop.hear()
    shop.run()
    office = Client()
    office.force_login(make_clerk())

    listed = office.get(reverse("admin:review_cases")).content.decode()
    assert "Only $1.00 of $25.48 was taken" in listed
    page = office.get(reverse("admin:orders_order_change", args=[authorized])).content.decode()
    assert "Accept the part" in page

    review.accept_part(authorized, actor="clerk", reason="known")
    page = office.get(reverse("admin:orders_order_change", args=[authorized])).content.decode()
    assert "Accept the part" not in page
