"""A purchase from acceptance to its end, at the real sandbox: every row that it leaves."""

from __future__ import annotations

import pytest
from django.conf import settings

from apps.inventory import holds
from apps.orders.models import OrderEvent
from apps.payments.models import GatewayCall
from apps.promos.models import Promo
from apps.shipping.models import Shipment
from tests.factories import ADDRESS, PromoFactory, a_kettle
from tests.orders.purchases import MUG_PRICE, TOTAL, Shop

CHALLENGE = "pm_card_threeDSecure2Required"


def test_good_card_is_charged_once_and_leaves_every_row_of_a_sale(shop: Shop) -> None:
    order_id = shop.place((shop.mug, 2))
    assert shop.stock() == (10, 2)
    assert shop.holds(order_id) == ["active"]

    shop.run()

    total = shop.order(order_id).total_amount
    assert total == 2 * MUG_PRICE + 599 + 297
    assert shop.statuses(order_id) == ["PENDING", "PAYMENT_AUTHORIZED", "CONFIRMED"]
    assert shop.stock() == (8, 0)
    assert shop.movements() == [("initial", 10), ("confirmed", -2)]
    assert shop.holds(order_id) == ["confirmed"]
    payment = shop.payment(order_id)
    (intent,) = shop.intents()
    assert (payment.intent_id, payment.status) == (intent["id"], "captured")
    assert (payment.captured_amount, payment.refunded_amount) == (total, 0)
    assert (intent["status"], intent["amount_received"]) == ("succeeded", total)
    assert intent["metadata"] == {
        "payment_id": str(payment.pk),
        "order_id": str(order_id),
        "shop": settings.SHOP_URL,
        "order": shop.order(order_id).number,
        "email": "alice@example.com",
        "billing_name": ADDRESS["name"],
    }
    assert shop.log(order_id) == [
        "do authorize_payment: done",
        "do confirm_stock: done",
        "do capture_payment: done",
        "do create_shipment: done",
        "do notify: done",
    ]
    assert shop.saga(order_id).epoch == 2, "two claims: one for each step that asks"
    assert shop.mails(order_id) == ["order_confirmed"]
    assert Shipment.objects.get().state == "labelled"
    calls = GatewayCall.objects.order_by("created_at")
    assert [(call.purpose, call.outcome, call.key) for call in calls] == [
        ("authorize", "answered", f"{payment.pk}:authorize:1"),
        ("capture", "answered", f"{payment.pk}:capture:1"),
    ]
    shop.assert_audit_clean()


@pytest.mark.usefixtures("declines_are_final")
def test_many_orders_go_together_and_none_is_mixed_up(shop: Shop) -> None:
    kettle = a_kettle(stock=10)
    good = [shop.place((kettle, 1)) for _ in range(4)]
    declined = [shop.place(card="pm_card_visa_chargeDeclined") for _ in range(3)]

    rounds = 0
    while shop.run(rounds=20):
        rounds += 1

    assert rounds == 1
    for order_id in good:
        shop.assert_confirmed(order_id)
    for order_id in declined:
        shop.assert_cancelled(order_id)
    assert shop.stock(kettle) == (6, 0)
    assert shop.stock() == (10, 0)


def test_free_order_is_confirmed_without_asking_the_gateway(shop: Shop) -> None:
    everything = PromoFactory(code="GIFT", percent_bp=10_000, stackable=True)
    shipping = PromoFactory(code="SHIP", free_shipping=True, stackable=True)
    order_id = shop.place(promo=(everything, shipping))

    shop.run()

    assert shop.order(order_id).total_amount == 0
    assert shop.statuses(order_id)[-1] == "CONFIRMED"
    assert shop.intents() == []
    shop.assert_audit_clean()


@pytest.mark.usefixtures("declines_are_final")
@pytest.mark.parametrize(
    ("card", "code", "message"),
    [
        ("pm_card_visa_chargeDeclined", "generic_decline", "Your card was declined."),
        (
            "pm_card_visa_chargeDeclinedInsufficientFunds",
            "insufficient_funds",
            "Your card has insufficient funds.",
        ),
        ("pm_card_visa_chargeDeclinedLostCard", "lost_card", "Your card was declined."),
        ("pm_card_visa_chargeDeclinedStolenCard", "stolen_card", "Your card was declined."),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "Your card has expired."),
        (
            "pm_card_chargeDeclinedIncorrectCvc",
            "incorrect_cvc",
            "Your card's security code is incorrect.",
        ),
        (
            "pm_card_chargeDeclinedProcessingError",
            "processing_error",
            "An error occurred while processing your card. Try again in a little bit.",
        ),
    ],
)
def test_decline_gives_stock_and_promo_back(shop: Shop, card: str, code: str, message: str) -> None:
    promo = PromoFactory(one_use=True)
    order_id = shop.place(card=card, promo=promo)
    assert Promo.objects.get().used == 1

    shop.run()

    assert shop.statuses(order_id) == ["PENDING", "PAYMENT_FAILED", "CANCELLED"]
    failed = OrderEvent.objects.get(order_id=order_id, status="PAYMENT_FAILED")
    assert failed.message == message
    assert shop.payment(order_id).decline_code == code
    assert shop.stock() == (10, 0)
    assert shop.movements() == [("initial", 10)]
    assert Promo.objects.get().used == 0
    assert shop.mails(order_id) == ["order_cancelled"]
    assert shop.log(order_id) == [
        "do authorize_payment: refused",
        "undo authorize_payment: done",
        "undo reserve_stock: done",
        "undo redeem_promo: done",
    ]
    shop.assert_cancelled(order_id)


@pytest.mark.parametrize("token", ["pm_card_bogus", "nonsense", "pm_card_visa'; --", "💳"])
def test_token_that_the_gateway_does_not_know_cancels_the_order(shop: Shop, token: str) -> None:
    """Any client can send one; it must not end in the review queue."""
    order_id = shop.place(card=token)

    shop.run()

    assert shop.statuses(order_id) == ["PENDING", "PAYMENT_FAILED", "CANCELLED"]
    assert shop.intents() == []
    assert shop.stock() == (10, 0)
    shop.assert_cancelled(order_id)


# --- 3-D Secure ---------------------------------------------------------------------------------


def test_challenge_shows_the_shopper_where_to_go_and_waits(shop: Shop) -> None:
    order_id = shop.place(card=CHALLENGE)

    shop.run()

    assert shop.statuses(order_id) == ["PENDING", "REQUIRES_ACTION"]
    asked = OrderEvent.objects.get(order_id=order_id, status="REQUIRES_ACTION")
    payment = shop.payment(order_id)
    assert payment.next_action_url.startswith(f"{shop.sandbox.url}/3d-secure/{payment.intent_id}/")
    saga = shop.saga(order_id)
    assert asked.next_action == {
        "type": "redirect",
        "url": payment.next_action_url,
        "until": saga.deadline_at.isoformat().replace("+00:00", "Z"),
    }
    assert (saga.waiting_for, saga.due_at, saga.attempts) == (
        "the shopper's bank",
        saga.deadline_at,
        0,
    )
    assert shop.run() == 0, "the bank is not polled"
    assert shop.holds(order_id) == ["active"]


def test_approved_challenge_goes_on_by_webhook(shop: Shop) -> None:
    promo = PromoFactory(one_use=True)
    order_id = shop.place(card=CHALLENGE, promo=promo)
    shop.run()

    shop.answer_challenge(order_id, "approve")
    shop.hear()
    shop.run()

    assert shop.statuses(order_id) == [
        "PENDING",
        "REQUIRES_ACTION",
        "PAYMENT_AUTHORIZED",
        "CONFIRMED",
    ]
    shop.assert_confirmed(order_id)
    assert Promo.objects.get().used == 1, "3-D Secure counts a promo once"
    shop.hear()  # what came of the capture
    assert shop.run() == 0
    shop.assert_confirmed(order_id)


@pytest.mark.usefixtures("declines_are_final")
def test_refused_challenge_cancels_by_webhook(shop: Shop) -> None:
    order_id = shop.place(card=CHALLENGE, promo=PromoFactory(one_use=True))
    shop.run()

    shop.answer_challenge(order_id, "refuse")
    shop.hear()
    shop.run()

    assert shop.statuses(order_id) == ["PENDING", "REQUIRES_ACTION", "PAYMENT_FAILED", "CANCELLED"]
    assert shop.at_gateway(order_id) == [("canceled", 0, 0)]
    assert shop.stock() == (10, 0)
    assert Promo.objects.get().used == 0
    shop.assert_cancelled(order_id)


@pytest.mark.usefixtures("declines_are_final")
def test_card_declined_after_its_challenge_cancels(shop: Shop) -> None:
    order_id = shop.place(card="pm_card_threeDSecureRequiredChargeDeclined")
    shop.run()

    shop.answer_challenge(order_id, "approve")
    shop.hear()
    shop.run()

    assert shop.statuses(order_id)[-2:] == ["PAYMENT_FAILED", "CANCELLED"]
    shop.assert_cancelled(order_id)


def test_unanswered_challenge_is_cancelled_at_the_gateway_before_the_units_are_free(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = shop.place(card=CHALLENGE, promo=PromoFactory(one_use=True))
    shop.run()
    release, seen = holds.release, []

    def watched(order_ids):
        seen.append((shop.at_gateway(order_id), shop.stock()))
        release(order_ids)

    monkeypatch.setattr(holds, "release", watched)

    shop.pass_deadline(order_id)
    shop.run()

    assert seen == [([("canceled", 0, 0)], (10, 1))]
    assert shop.statuses(order_id) == ["PENDING", "REQUIRES_ACTION", "PAYMENT_FAILED", "CANCELLED"]
    assert shop.stock() == (10, 0)
    assert Promo.objects.get().used == 0
    shop.assert_cancelled(order_id)


def test_unanswered_challenge_keeps_its_units_while_the_gateway_is_away(shop: Shop) -> None:
    order_id = shop.place(card=CHALLENGE)
    shop.run()
    shop.pass_deadline(order_id)
    shop.sandbox.faults({"fault": "outage"})

    for _ in range(3):
        shop.run()
        shop.hurry()

    assert shop.stock() == (10, 1), "a payment that may still come holds its unit"
    assert shop.order(order_id).status == "PAYMENT_FAILED"
    shop.sandbox.faults()
    shop.hurry()
    shop.run()
    assert shop.stock() == (10, 0)
    shop.assert_cancelled(order_id)


def test_totals_are_what_the_shopper_was_asked_for(shop: Shop) -> None:
    order_id = shop.place_confirmed()
    assert shop.order(order_id).total_amount == TOTAL == 2548
    assert shop.intents()[0]["amount"] == 2548
    assert shop.intents()[0]["currency"] == "usd"
