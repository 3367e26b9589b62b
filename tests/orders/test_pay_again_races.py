"""Two cards on one order: whatever meets whatever, one at most is charged."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.db import IntegrityError, transaction

from apps.core import sql
from apps.orders.errors import NotCancellable, NotPayable
from apps.orders.fulfilment.cancellation import request_cancellation
from apps.orders.models import OrderEvent
from apps.orders.saga import engine
from apps.orders.saga.claims import claim
from apps.orders.saga.pay_again import GO_ON
from apps.payments import attempts, charging, refunds
from apps.payments.models import Payment
from tests.orders.purchases import TOTAL, Shop, at_once

DECLINED = "pm_card_visa_chargeDeclined"
CHALLENGE = "pm_card_threeDSecure2Required"


@pytest.fixture
def order_id(shop: Shop) -> UUID:
    """An order that waits for another card; its first one may still be paid at the gateway."""
    order_id = shop.place(card=CHALLENGE)
    shop.run()
    shop.answer_challenge(order_id, "refuse")
    shop.hear()
    shop.run()
    assert shop.order(order_id).status == "PAYMENT_FAILED"
    return order_id


def pay_first_card_late(shop: Shop, order_id: UUID, *, capture: bool = False) -> None:
    """The declined payment is confirmed once more, at the gateway itself."""
    payment = Payment.objects.get(order_id=order_id, attempt=1)
    intents = shop.sandbox.client().v1.payment_intents
    intents.confirm(str(payment.intent_id), {"payment_method": "pm_card_visa"})
    if capture:
        intents.capture(str(payment.intent_id))


def charged(shop: Shop, order_id: UUID) -> int:
    """What the gateway keeps of all cards together."""
    return sum(taken - back for _, taken, back in shop.at_gateway(order_id))


# --- Two requests -----------------------------------------------------------------------------


def going_on(order_id: UUID, statement: str) -> list[int]:
    """How many rows two requests at once change, each."""
    given = {
        "order": order_id,
        "waits_for": "another card",
        "hold": settings.HOLD_TIME,
        "cap": settings.HOLD_TIME_CAP,
    }
    return sorted(at_once(2, lambda _: len(sql.fetch(statement, given))))


@pytest.mark.race
def test_control_without_its_condition_the_update_lets_both_tabs_through(
    shop: Shop, order_id: UUID
) -> None:
    blind = GO_ON.replace("AND s.waiting_for = %(waits_for)s", "")
    assert blind != GO_ON
    assert going_on(order_id, blind) == [1, 1]


@pytest.mark.race
def test_of_two_tabs_one_goes_on(shop: Shop, order_id: UUID) -> None:
    assert going_on(order_id, GO_ON) == [0, 1]


@pytest.mark.race
def test_ten_cards_at_once_are_one_attempt_and_one_charge(shop: Shop, order_id: UUID) -> None:
    answers = at_once(10, lambda _: shop.pay_again(order_id))

    assert sorted(map(str, map(type, answers))) == sorted([str(type(None))] + [str(NotPayable)] * 9)
    shop.run()
    assert shop.attempts(order_id) == [("voided", False), ("captured", True)]
    assert charged(shop, order_id) == TOTAL
    shop.assert_confirmed(order_id)


@pytest.mark.race
def test_paying_and_giving_up_at_once_ends_whole(shop: Shop, order_id: UUID) -> None:
    def one(number: int) -> Any:
        return request_cancellation(order_id) if number else shop.pay_again(order_id)

    answers = at_once(2, one)

    assert not [a for a in answers if a is not None and not isinstance(a, NotPayable)]
    shop.run()
    assert charged(shop, order_id) == 0, "cancelling is allowed until it is shipped"
    shop.assert_cancelled(order_id)


@pytest.mark.race
def test_worker_and_second_card_at_once(shop: Shop, order_id: UUID) -> None:
    shop.wake(order_id)  # as a webhook does

    at_once(3, lambda number: engine.advance() if number else shop.pay_again(order_id))

    shop.end_leases()
    shop.run_hurried(order_id)
    shop.assert_confirmed(order_id)


def test_worker_that_had_claimed_it_before_writes_nothing(shop: Shop, order_id: UUID) -> None:
    shop.wake(order_id)
    claimed = claim()
    assert [step.order_id for step in claimed] == [order_id]

    shop.pay_again(order_id)
    events = OrderEvent.objects.filter(order_id=order_id).count()
    engine.run(claimed)

    assert OrderEvent.objects.filter(order_id=order_id).count() == events
    assert (shop.saga(order_id).waiting_for, shop.order(order_id).status) == ("", "PENDING")
    shop.run()
    shop.assert_confirmed(order_id)


# --- The rows themselves ------------------------------------------------------------------------


def test_database_holds_one_live_attempt(shop: Shop, order_id: UUID) -> None:
    payment = shop.payment(order_id)
    with pytest.raises(IntegrityError, match="payment_one_live_attempt"), transaction.atomic():
        Payment.objects.create(order_id=order_id, attempt=2, amount=TOTAL, currency="USD")
    with pytest.raises(IntegrityError, match="payment_one_row_per_attempt"), transaction.atomic():
        Payment.objects.create(
            order_id=order_id, attempt=1, live=False, amount=TOTAL, currency="USD"
        )
    assert shop.payment(order_id) == payment


@pytest.mark.parametrize("status", ["created", "requires_action", "authorized", "captured"])
def test_only_a_declined_attempt_gives_its_place_away(
    shop: Shop, order_id: UUID, status: str
) -> None:
    Payment.objects.update(status=status)
    with pytest.raises(ValueError, match="it may still be paid"):
        attempts.add(shop.payment(order_id), payment_method="pm_card_visa")
    with pytest.raises(NotPayable):
        shop.pay_again(order_id)
    assert Payment.objects.count() == 1
    Payment.objects.update(status="failed")


# --- A late success of the first card -------------------------------------------------------------


def test_paid_while_it_waits_the_first_card_is_adopted(shop: Shop, order_id: UUID) -> None:
    pay_first_card_late(shop, order_id)
    shop.hear()
    with pytest.raises(NotPayable):
        shop.pay_again(order_id)
    shop.run()

    assert shop.statuses(order_id)[-4:] == [
        *("PAYMENT_FAILED", "PENDING", "PAYMENT_AUTHORIZED", "CONFIRMED")
    ]
    assert shop.attempts(order_id) == [("captured", True)]
    shop.assert_confirmed(order_id)


def test_paid_before_the_second_was_asked_the_first_card_is_adopted(
    shop: Shop, order_id: UUID
) -> None:
    shop.pay_again(order_id)
    pay_first_card_late(shop, order_id)
    shop.hear()
    shop.run()

    assert shop.attempts(order_id) == [("captured", True), ("voided", False)]
    assert shop.at_gateway(order_id) == [("succeeded", TOTAL, 0)]
    shop.assert_confirmed(order_id)


@pytest.mark.parametrize("known", [True, False])
def test_paid_after_the_second_was_begun_the_first_card_is_voided(
    shop: Shop, order_id: UUID, known: bool
) -> None:
    shop.pay_again(order_id)
    shop.sandbox.faults({"fault": "outage"})
    shop.run()
    assert shop.payment(order_id).asked_at is not None
    shop.sandbox.faults()

    pay_first_card_late(shop, order_id)
    if known:
        shop.hear()
    shop.hurry()
    shop.run()

    assert shop.attempts(order_id) == [("voided", False), ("captured", True)]
    assert sorted(shop.at_gateway(order_id)) == [("canceled", 0, 0), ("succeeded", TOTAL, 0)]
    shop.hear()
    shop.run()
    shop.assert_confirmed(order_id)


@pytest.mark.parametrize("known", [True, False])
def test_taken_after_the_second_was_begun_the_first_card_gets_its_money_back_once(
    shop: Shop, order_id: UUID, known: bool
) -> None:
    shop.pay_again(order_id)
    shop.sandbox.faults({"fault": "outage"})
    shop.run()
    shop.sandbox.faults()

    pay_first_card_late(shop, order_id, capture=True)
    if known:
        shop.hear()
    for _ in range(4):
        shop.hurry()
        shop.run()
    shop.hear()
    refunds.send_due()

    assert shop.attempts(order_id) == [("refunded", False), ("captured", True)]
    assert sorted(shop.at_gateway(order_id)) == [
        ("succeeded", TOTAL, 0), ("succeeded", TOTAL, TOTAL)
    ]  # fmt: skip
    assert shop.order(order_id).status == "CONFIRMED"
    shop.assert_audit_clean()


def test_event_of_the_first_card_does_not_touch_the_second(shop: Shop, order_id: UUID) -> None:
    shop.pay_again(order_id)
    shop.run()
    shop.assert_confirmed(order_id)

    for _ in range(2):
        shop.hear()  # all events again: asked, refused, cancelled, and those of the second card
        shop.run()

    shop.assert_confirmed(order_id)


# --- Unknown answers ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fate", ["reset_before", "reset_after", "timeout_after", "error_500_after"]
)
@pytest.mark.parametrize("operation", ["payment_intents.cancel", "payment_intents.create"])
def test_lost_answers_while_paying_again_charge_once(
    shop: Shop, order_id: UUID, fate: str, operation: str
) -> None:
    shop.pay_again(order_id)
    shop.sandbox.faults({"fault": fate, "count": 1, "operations": [operation]})

    shop.run_hurried(order_id)

    assert charged(shop, order_id) == TOTAL
    shop.assert_confirmed(order_id)


@pytest.fixture
def second_card_known_by_webhook(shop: Shop, order_id: UUID) -> UUID:
    """The worker died after it had asked; only the webhook told that the second card is good."""
    shop.pay_again(order_id)
    charging.ask(charging.authorizations([order_id]))
    shop.hear("payment_intent.amount_capturable_updated")
    assert shop.attempts(order_id) == [("failed", False), ("authorized", True)]
    return order_id


def test_order_goes_on_when_the_first_card_is_known_to_be_void(
    shop: Shop, second_card_known_by_webhook: UUID
) -> None:
    shop.run()

    assert shop.attempts(second_card_known_by_webhook) == [("voided", False), ("captured", True)]
    shop.assert_confirmed(second_card_known_by_webhook)


def test_order_whose_first_card_cannot_be_voided_ends_at_its_deadline(
    shop: Shop, second_card_known_by_webhook: UUID
) -> None:
    order_id = second_card_known_by_webhook
    shop.sandbox.faults({"fault": "outage"})
    shop.run()
    assert shop.order(order_id).status == "PENDING"

    shop.pass_deadline(order_id)
    shop.run()
    assert shop.saga(order_id).state == "undoing"
    shop.sandbox.faults()
    shop.run_hurried(order_id)

    assert charged(shop, order_id) == 0
    shop.assert_cancelled(order_id)


def test_cancelled_while_the_second_answer_is_unknown_gives_all_back(
    shop: Shop, order_id: UUID
) -> None:
    shop.pay_again(order_id)
    shop.sandbox.faults(
        {"fault": "reset_after", "count": 1, "operations": ["payment_intents.create"]}
    )
    shop.run()

    try:
        request_cancellation(order_id)
    except NotCancellable:
        pytest.fail("an order that is being paid can be cancelled")
    shop.run_hurried(order_id)

    assert charged(shop, order_id) == 0
    shop.assert_cancelled(order_id)
