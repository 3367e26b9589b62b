"""The gateway's books held against ours: what no webhook and no answer told."""

from __future__ import annotations

import pytest

from apps.payments import gateway as gateways
from apps.payments.models import Reconciliation, Refund
from tests.orders.purchases import TOTAL, Killed, Shop
from tests.payments.books import Scope, compare, rows
from tests.payments.reconciling import die_at, unheard, watch

pytestmark = pytest.mark.usefixtures("aged")

# --- What no webhook told -------------------------------------------------------------------------


def test_approved_challenge_without_a_webhook_is_settled(shop: Shop) -> None:
    order_id = shop.place(card="pm_card_threeDSecure2Required")
    shop.run()
    shop.answer_challenge(order_id, "approve")

    compare()
    shop.run()

    shop.assert_confirmed(order_id)
    assert Reconciliation.objects.get(scope=Scope.OPEN).settled == 1


@pytest.mark.usefixtures("declines_are_final")
def test_refused_challenge_without_a_webhook_is_settled(shop: Shop) -> None:
    order_id = shop.place(card="pm_card_threeDSecure2Required")
    shop.run()
    shop.answer_challenge(order_id, "refuse")

    compare()

    assert shop.payment(order_id).decline_code == "payment_intent_authentication_failure"
    shop.run()
    shop.assert_cancelled(order_id)


def test_unanswered_challenge_keeps_waiting(shop: Shop) -> None:
    order_id = shop.place(card="pm_card_threeDSecure2Required")
    shop.run()

    compare()

    assert shop.run() == 0
    assert (shop.payment(order_id).status, rows()) == ("requires_action", [])


@pytest.mark.parametrize(
    ("method", "status", "captured"), [("capture", "captured", TOTAL), ("cancel", "voided", 0)]
)
def test_what_was_done_at_the_dashboard_is_settled(
    shop: Shop, method: str, status: str, captured: int
) -> None:
    order_id = shop.place()
    shop.run_until_step(order_id, "capture_payment")
    intents = shop.sandbox.client().v1.payment_intents
    getattr(intents, method)(shop.payment(order_id).intent_id)

    compare(Scope.OPEN)

    payment = shop.payment(order_id)
    assert (payment.status, payment.captured_amount) == (status, captured)
    shop.end_leases()
    shop.run_hurried(order_id)
    assert shop.order(order_id).status == ("CONFIRMED" if captured else "CANCELLED")
    shop.assert_audit_clean()


@pytest.mark.parametrize(
    ("card", "status", "refunded"),
    [("pm_card_pendingRefund", "succeeded", 500), ("pm_card_refundFail", "failed", 0)],
)
def test_end_of_a_refund_without_a_webhook_is_settled(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, card: str, status: str, refunded: int
) -> None:
    order_id = shop.place_confirmed(card=card)
    payment = shop.payment(order_id)
    refund = Refund.objects.create(payment=payment, amount=500, purpose="admin:1", actor="clerk")
    gateways.get_gateway().refund(
        str(payment.intent_id),
        key=f"refund:{refund.pk}",
        amount=500,
        currency="USD",
        metadata={"refund_id": str(refund.pk), "payment_id": str(payment.pk)},
    )

    compare()

    refund.refresh_from_db()
    assert (refund.status, shop.payment(order_id).refunded_amount) == (status, refunded)
    assert rows() == []
    shop.assert_audit_clean()


def test_order_settled_by_a_run_that_died_is_announced_by_the_next_run(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = shop.place(card="pm_card_threeDSecure2Required")
    shop.run()
    shop.answer_challenge(order_id, "approve")
    with monkeypatch.context() as patch:
        die_at(patch, "reconcile.settle.after_commit")
        with pytest.raises(Killed):
            compare(Scope.OPEN)
    assert (shop.payment(order_id).status, shop.run()) == ("authorized", 0), (
        "the saga is not resumed yet"
    )

    compare(Scope.OPEN)

    shop.run()
    shop.assert_confirmed(order_id)


def test_payments_without_trouble_are_never_asked_for_one_by_one(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_ids = [shop.place_confirmed() for _ in range(2)]
    asked = watch(monkeypatch, "retrieve", "search", "retrieve_refunds", "list_intents")

    compare()
    compare()

    assert asked == ["list_intents", "list_intents"], "a page each: nothing was in doubt"
    for order_id in order_ids:
        shop.assert_confirmed(order_id)


# --- Charges whose answer was lost ----------------------------------------------------------------


@pytest.mark.parametrize("found_by", ["search", "list"])
def test_charge_whose_answer_was_lost_is_adopted(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, found_by: str
) -> None:
    order_id = unheard(shop)
    (intent,) = shop.intents()
    if found_by == "list":
        monkeypatch.setattr(type(gateways.get_gateway()), "search", lambda self, payment_id: None)

    compare()

    payment = shop.payment(order_id)
    assert (payment.status, payment.intent_id) == ("authorized", intent["id"])
    shop.run_hurried(order_id)
    shop.assert_confirmed(order_id)
    assert len(shop.intents()) == 1
