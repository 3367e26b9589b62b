"""Calls of a gateway that misbehaves: whatever is lost on the way, there is one charge or none."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from apps.inventory.models import Hold
from apps.orders.fulfilment.cancellation import request_cancellation
from apps.orders.models import Order, Saga
from apps.orders.saga import engine
from apps.payments import charging, refunds
from apps.payments import gateway as gateways
from apps.payments.charging import requests
from apps.payments.facts import PaymentFact
from apps.payments.ledger import settle
from apps.payments.models import GatewayCall, Payment
from tests.orders.purchases import TOTAL, Shop

NOT_EXECUTED = ["timeout_before", "error_500_before", "conflict_409", "rate_limit_429",
                "reset_before"]  # fmt: skip
EXECUTED = ["timeout_after", "error_500_after", "reset_after"]
FAULTS = [*NOT_EXECUTED, *EXECUTED]


def once(fault: str, operation: str, times: int = 1) -> dict[str, Any]:
    return {"fault": fault, "count": times, "operations": [operation]}


# --- Forward ------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", FAULTS)
def test_authorization_in_trouble_is_made_once(shop: Shop, fault: str) -> None:
    shop.sandbox.faults(once(fault, "payment_intents.create"))
    order_id = shop.place()

    shop.run()
    assert shop.log(order_id) == ["do authorize_payment: retry"]
    assert shop.holds(order_id) == ["active"]
    shop.run_hurried(order_id)

    assert len(shop.intents()) == 1
    shop.assert_confirmed(order_id)
    first = GatewayCall.objects.order_by("created_at").first()
    assert (first.purpose, first.outcome) == ("authorize", "retry")


@pytest.mark.parametrize("fault", FAULTS)
def test_capture_in_trouble_takes_the_money_once(shop: Shop, fault: str) -> None:
    shop.sandbox.faults(once(fault, "payment_intents.capture"))
    order_id = shop.place()

    shop.run_hurried(order_id)

    assert shop.at_gateway(order_id) == [("succeeded", TOTAL, 0)]
    assert shop.log(order_id).count("do capture_payment: done") == 1
    shop.assert_confirmed(order_id)


def test_trouble_after_trouble_is_still_one_charge(shop: Shop) -> None:
    shop.sandbox.faults(
        once("reset_after", "payment_intents.create", 2),
        once("rate_limit_429", "payment_intents.create", 2),
        once("reset_after", "payment_intents.capture", 2),
        once("error_500_before", "payment_intents.capture", 2),
    )
    order_ids = [shop.place() for _ in range(4)]
    shop.run_hurried(*order_ids)
    assert len(shop.intents()) == 4
    for order_id in order_ids:
        shop.assert_confirmed(order_id)


def test_sandbox_outlives_any_number_of_connections_cut(shop: Shop) -> None:
    """It used to keep copies of its files for each, twice as many every time."""
    shop.sandbox.faults({"fault": "outage"})
    order_ids = [shop.place() for _ in range(3)]
    for _ in range(8):
        shop.run()
        shop.hurry()
    shop.sandbox.faults()
    shop.run_hurried(*order_ids)
    shop.assert_audit_clean()


def test_lost_challenge_is_shown_after_all(shop: Shop) -> None:
    shop.sandbox.faults(once("reset_after", "payment_intents.create"))
    order_id = shop.place(card="pm_card_threeDSecure2Required")
    shop.run()
    shop.hurry()
    shop.run()
    assert shop.statuses(order_id) == ["PENDING", "REQUIRES_ACTION"]
    assert len(shop.intents()) == 1


@pytest.mark.usefixtures("declines_are_final")
def test_lost_decline_is_a_decline_after_all(shop: Shop) -> None:
    shop.sandbox.faults(once("reset_after", "payment_intents.create"))
    order_id = shop.place(card="pm_card_visa_chargeDeclined")
    shop.run_hurried(order_id)
    assert shop.statuses(order_id) == ["PENDING", "PAYMENT_FAILED", "CANCELLED"]
    assert len(shop.intents()) == 1
    shop.assert_cancelled(order_id)


# --- Back ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", FAULTS)
def test_called_off_with_an_unknown_authorization_leaves_nothing_reserved(
    shop: Shop, fault: str
) -> None:
    shop.sandbox.faults(once(fault, "payment_intents.create"))
    order_id = shop.place()
    shop.run()

    request_cancellation(order_id)
    shop.run_hurried(order_id)

    assert shop.at_gateway(order_id) == [("canceled", 0, 0)]
    shop.assert_cancelled(order_id)


@pytest.mark.parametrize("fault", FAULTS)
def test_called_off_with_an_unknown_capture_leaves_nothing_taken(shop: Shop, fault: str) -> None:
    shop.sandbox.faults(once(fault, "payment_intents.capture"))
    order_id = shop.place()
    shop.run()
    assert shop.saga(order_id).step == "capture_payment"

    request_cancellation(order_id)
    shop.run_hurried(order_id)

    (there,) = shop.at_gateway(order_id)
    assert there in [("canceled", 0, 0), ("succeeded", TOTAL, TOTAL)]
    assert (there[1] > 0) == (fault in EXECUTED)
    shop.assert_cancelled(order_id)


@pytest.mark.parametrize("fault", FAULTS)
def test_void_in_trouble_is_void_in_the_end(shop: Shop, fault: str) -> None:
    order_id = shop.place()
    shop.run_until_step(order_id, "capture_payment")
    shop.sandbox.faults(once(fault, "payment_intents.cancel"))

    request_cancellation(order_id)
    shop.run_hurried(order_id)

    assert shop.at_gateway(order_id) == [("canceled", 0, 0)]
    shop.assert_cancelled(order_id)


@pytest.mark.parametrize("fault", FAULTS)
def test_refund_in_trouble_pays_back_once(shop: Shop, fault: str) -> None:
    order_id = shop.place_confirmed()
    shop.sandbox.faults(once(fault, "refunds.create"))

    request_cancellation(order_id)
    shop.run_hurried(order_id)

    assert shop.at_gateway(order_id) == [("succeeded", TOTAL, TOTAL)]
    shop.assert_cancelled(order_id)


def test_asking_is_written_down_for_good_before_anything_goes_out(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a worker that dies in the call leaves a charge behind which no undo looks for."""
    gateway, written = gateways.get_gateway(), []
    authorize = gateway.authorize

    def look_first(**given: Any) -> Any:
        try:  # the thread's own connection sees only what is committed
            written.append(Payment.objects.get().asked_at)
        finally:
            connection.close()
        return authorize(**given)

    monkeypatch.setattr(gateway, "authorize", look_first)
    shop.place_confirmed()
    assert len(written) == 1
    assert written[0] is not None


def test_payment_given_up_as_never_asked_is_not_asked_any_more(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A: finds a new payment. B: voids it, for nothing was asked. A: asks?"""
    order_id = shop.place()
    write_ahead = requests._write_ahead

    def overtaken(payment_ids: list[UUID]) -> None:
        with transaction.atomic():
            back = charging.voids_and_refunds([order_id], reason="cancelled")
            charging.record(charging.ask(back), order_ids=[order_id])
        write_ahead(payment_ids)

    monkeypatch.setattr(requests, "_write_ahead", overtaken)
    assert charging.authorizations([order_id]) == []
    assert shop.payment(order_id).status == "voided"
    assert shop.payment(order_id).asked_at is None


def test_worker_that_asked_meanwhile_is_not_overtaken_by_never_asked(shop: Shop) -> None:
    """A: reads that nothing was asked. B: asks. A: writes "void, for nothing was asked"?"""
    order_id = shop.place()
    requests_of_undo = charging.voids_and_refunds([order_id], reason="cancelled")
    slow_worker = charging.authorizations([order_id])

    with transaction.atomic():
        charging.record(charging.ask(requests_of_undo), order_ids=[order_id])

    assert shop.payment(order_id).status == "created", (
        "another worker has asked: it must be looked up"
    )
    charging.ask(slow_worker)
    request_cancellation(order_id)
    shop.run_hurried(order_id)
    assert shop.at_gateway(order_id) == [("canceled", 0, 0)]
    shop.assert_cancelled(order_id)


def test_request_with_other_parameters_under_the_same_key_finds_the_charge(shop: Shop) -> None:
    """For example with another return address: the gateway binds a key to all parameters."""
    shop.sandbox.faults(once("reset_after", "payment_intents.create"))
    order_id = shop.place()
    shop.run()
    Payment.objects.update(return_url="https://moved.example/")

    shop.run_hurried(order_id)

    assert len(shop.intents()) == 1
    shop.assert_confirmed(order_id)


# --- Keys that the gateway has forgotten --------------------------------------------------------


def a_day_passes(shop: Shop, order_id: UUID) -> None:
    day = timedelta(hours=25)
    shop.sandbox.control("clock", {"advance_s": day.total_seconds()})
    Payment.objects.filter(order_id=order_id).update(asked_at=F("asked_at") - day)
    refunds.Refund.objects.update(created_at=F("created_at") - day)


@pytest.fixture
def unheard(shop: Shop) -> UUID:
    """An order whose authorization went through unheard, a day ago."""
    shop.sandbox.faults(once("reset_after", "payment_intents.create"))
    order_id = shop.place()
    shop.run()
    assert [i["status"] for i in shop.intents()] == ["requires_capture"]
    a_day_passes(shop, order_id)
    return order_id


def test_forgotten_key_is_not_trusted_and_the_charge_is_found(shop: Shop, unheard: UUID) -> None:
    shop.run_hurried(unheard)
    assert len(shop.intents()) == 1
    shop.assert_confirmed(unheard)


def test_forgotten_key_that_were_trusted_would_charge_twice(
    shop: Shop, unheard: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    monkeypatch.setattr(refunds, "KEY_TRUSTED_FOR", timedelta(days=30))
    shop.run_hurried(unheard)
    assert len(shop.intents()) == 2


def test_forgotten_key_is_not_trusted_in_an_undo_either(shop: Shop, unheard: UUID) -> None:
    request_cancellation(unheard)
    shop.run_hurried(unheard)
    assert shop.at_gateway(unheard) == [("canceled", 0, 0)]
    shop.assert_cancelled(unheard)


def test_forgotten_capture_is_seen(shop: Shop) -> None:
    shop.sandbox.faults(once("reset_after", "payment_intents.capture"))
    order_id = shop.place()
    shop.run()
    a_day_passes(shop, order_id)
    shop.run_hurried(order_id)
    shop.assert_confirmed(order_id)


def test_forgotten_refund_is_seen(shop: Shop) -> None:
    order_id = shop.place_confirmed()
    shop.sandbox.faults(once("reset_after", "refunds.create"))
    request_cancellation(order_id)
    shop.run()
    a_day_passes(shop, order_id)
    shop.run_hurried(order_id)
    assert shop.at_gateway(order_id) == [("succeeded", TOTAL, TOTAL)]
    shop.assert_cancelled(order_id)


# --- Outage -------------------------------------------------------------------------------------


def test_outage_alone_never_brings_an_order_to_review(shop: Shop) -> None:
    order_id = shop.place()
    placed_until = shop.saga(order_id).deadline_at
    shop.sandbox.faults({"fault": "outage"})

    for _ in range(2 * engine.MAX_ATTEMPTS):
        shop.run()
        shop.hurry()

    kept = shop.saga(order_id)
    assert kept.state == "forward"
    assert kept.attempts < engine.MAX_ATTEMPTS
    hold = Hold.objects.get(order_id=order_id)
    assert hold.expires_at > placed_until, "a slow gateway must not cost the shopper their mug"
    assert kept.deadline_at > placed_until
    shop.sandbox.faults()
    shop.hurry()
    shop.run()
    shop.assert_confirmed(order_id)


def test_worker_killed_twice_after_a_long_outage_is_no_reason_for_review(shop: Shop) -> None:
    order_id = shop.place()
    shop.sandbox.faults({"fault": "outage"})
    for _ in range(2 * engine.MAX_ATTEMPTS):
        shop.run()
        shop.hurry()
    for _ in range(3):
        assert len(engine.claim() or engine.claim(crashed=True)) == 1
        shop.end_leases()
    shop.sandbox.faults()

    shop.run_hurried(order_id)

    shop.assert_confirmed(order_id)


def age(order_id: UUID, by: timedelta) -> None:
    Order.objects.filter(pk=order_id).update(placed_at=F("placed_at") - by)
    Hold.objects.filter(order_id=order_id).update(
        created_at=F("created_at") - by, expires_at=F("expires_at") - by
    )
    Saga.objects.filter(pk=order_id).update(deadline_at=F("deadline_at") - by)


def test_hold_is_extended_up_to_the_cap_and_then_the_intent_goes_before_the_hold(
    shop: Shop, settings: Any
) -> None:
    shop.sandbox.faults(once("reset_after", "payment_intents.create"))
    order_id = shop.place()
    shop.run()  # authorized, unheard
    shop.sandbox.faults({"fault": "outage"})
    age(order_id, timedelta(minutes=50))
    Saga.objects.update(deadline_at=Now() + timedelta(minutes=1))
    shop.hurry()
    shop.run()

    assert Hold.objects.get().expires_at == Hold.objects.get().created_at + settings.HOLD_TIME_CAP
    assert shop.saga(order_id).deadline_at == (
        Order.objects.get().placed_at + settings.HOLD_TIME_CAP
    )

    age(order_id, timedelta(minutes=15))
    for _ in range(3):
        shop.hurry()
        shop.run()
    assert shop.statuses(order_id) == ["PENDING", "PAYMENT_FAILED"]
    assert (shop.saga(order_id).state, shop.saga(order_id).cancel_reason) == ("undoing", "expired")
    assert shop.holds(order_id) == ["active"], "the money may still be reserved"

    shop.sandbox.faults()
    shop.run_hurried(order_id)
    assert shop.at_gateway(order_id) == [("canceled", 0, 0)]
    assert shop.stock() == (10, 0)
    shop.assert_cancelled(order_id)


def test_outage_beyond_all_attempts_becomes_a_review_case(shop: Shop) -> None:
    order_id = shop.place()
    shop.sandbox.faults({"fault": "outage"})
    shop.run()
    age(order_id, timedelta(hours=8))
    for _ in range(engine.MAX_ATTEMPTS + 3):
        shop.hurry()
        shop.run()
    assert shop.saga(order_id).state == "review"
    assert shop.holds(order_id) == ["active"]


# --- What is learnt -----------------------------------------------------------------------------


def test_books_only_move_forward(shop: Shop) -> None:
    order_id = shop.place_confirmed()
    payment = shop.payment(order_id)
    with transaction.atomic():
        settled = settle(
            [
                PaymentFact(payment.pk, "requires_action", intent_id=payment.intent_id),
                PaymentFact(payment.pk, "failed", intent_id=payment.intent_id, decline_code="late"),
                PaymentFact(payment.pk, "authorized", intent_id=payment.intent_id),
            ]
        )
    assert settled.moved == set()
    after = shop.payment(order_id)
    assert (after.status, after.decline_code, after.captured_amount) == ("captured", "", TOTAL)


def test_captured_payment_is_not_voided_by_a_report_of_cancellation(shop: Shop) -> None:
    order_id = shop.place_confirmed()
    payment = shop.payment(order_id)
    with transaction.atomic():
        settle([PaymentFact(payment.pk, "voided", intent_id=payment.intent_id)])
    after = shop.payment(order_id)
    assert (after.status, after.captured_amount) == ("captured", TOTAL)
    request_cancellation(order_id)
    shop.run()
    assert shop.at_gateway(order_id) == [("succeeded", TOTAL, TOTAL)]


def test_another_intent_never_speaks_for_a_payment_that_has_one(shop: Shop) -> None:
    order_id = shop.place(card="pm_card_threeDSecure2Required")
    shop.run()
    payment = shop.payment(order_id)
    with transaction.atomic():
        settled = settle(
            [PaymentFact(payment.pk, "captured", intent_id="pi_other", captured_amount=5)]
        )
    assert settled.moved == set()
    assert shop.payment(order_id).status == "requires_action"
