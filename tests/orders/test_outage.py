"""The gateway is away: orders are accepted and wait; nothing is lost, charged or released.

The gateway of these tests is behind the circuit breaker, as in the shop.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
import redis
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from apps.catalog.models import Variant
from apps.inventory.models import Hold
from apps.orders import tasks
from apps.orders.fulfilment.cancellation import request_cancellation
from apps.orders.models import Order, Saga, SagaStep
from apps.orders.saga import engine, placement, resume
from apps.payments import circuit_state, refunds
from apps.payments import gateway as gateways
from apps.payments.breaker import BreakerGateway
from apps.payments.circuit import FAILURES_TO_OPEN
from apps.payments.circuit_state import TRIALS
from apps.payments.models import GatewayCall, Payment, Refund
from apps.payments.tasks import tell_of_recovery
from tests.factories import a_kettle
from tests.orders.purchases import Shop, at_once
from tests.payments.test_charging import age

OUTAGE = {"fault": "outage"}


@pytest.fixture
def enqueued(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of tasks that were enqueued; none of them runs."""
    enqueued: list[str] = []
    for module in (circuit_state.dispatch, resume.dispatch):
        monkeypatch.setattr(module, "enqueue_on_commit", enqueued.append)
    return enqueued


@pytest.fixture
def guarded(shop: Shop, monkeypatch: pytest.MonkeyPatch, enqueued: list[str]) -> Iterator[Shop]:
    """The shop with its circuit breaker: it reads Redis each time, and stays open until told."""
    monkeypatch.setattr(circuit_state, "LOOK_EVERY", 0.0)
    monkeypatch.setattr(circuit_state, "OPEN_FOR", timedelta(hours=1))
    monkeypatch.setattr(circuit_state, "OPEN_FOR_MS", 3_600_000)
    gateways._gateway = BreakerGateway(gateways.get_gateway())
    yield shop
    shop.sandbox.faults()


@pytest.fixture
def kettle(guarded: Shop) -> Variant:
    return a_kettle(stock=50)


def fall_away(shop: Shop, kettle: Variant) -> list[UUID]:
    """An outage, noticed by as many orders as the circuit breaker needs to open."""
    shop.sandbox.faults(OUTAGE)
    order_ids = [shop.place((kettle, 1)) for _ in range(FAILURES_TO_OPEN)]
    shop.run()
    return order_ids


def rest_ends(redis_of_tests: redis.Redis) -> None:
    redis_of_tests.delete(circuit_state.OPEN_KEY, circuit_state.TRIALS_KEY)


def calls(shop: Shop) -> int:
    count: int = shop.sandbox.control("state")["requests"]
    return count


# --- While it lasts -----------------------------------------------------------------------------


def test_orders_are_accepted_and_wait_without_the_gateway_being_asked(
    guarded: Shop, kettle: Variant
) -> None:
    fall_away(guarded, kettle)
    before = calls(guarded)

    order_id = guarded.place((kettle, 2))
    deadline = guarded.saga(order_id).deadline_at
    guarded.run()

    assert calls(guarded) == before
    assert guarded.statuses(order_id) == ["PENDING"]
    kept = guarded.saga(order_id)
    assert kept.last_error.startswith("GatewayCircuitOpen")
    assert (kept.state, kept.lease_until) == ("forward", None)
    assert kept.due_at > kept.updated_at, "it backs off"
    assert guarded.log(order_id) == [], "nothing was done"
    assert not GatewayCall.objects.filter(payment__order_id=order_id).exists(), "nor asked"
    assert guarded.payment(order_id).asked_at is None
    assert guarded.holds(order_id) == ["active"]
    assert kept.deadline_at > deadline, "and the units with it"
    assert guarded.mails(order_id) == []


def test_long_wait_brings_no_order_to_review(guarded: Shop, kettle: Variant) -> None:
    order_ids = fall_away(guarded, kettle)
    for _ in range(2 * engine.MAX_ATTEMPTS):
        guarded.hurry()
        guarded.run()
    assert set(Saga.objects.values_list("state", flat=True)) == {"forward"}
    assert Hold.objects.filter(order_id__in=order_ids, state="active").count() == len(order_ids)


def test_shopper_cancels_in_an_outage_and_the_units_are_held_until_the_gateway_answers(
    guarded: Shop, kettle: Variant, redis_of_tests: redis.Redis
) -> None:
    order_id, *_ = fall_away(guarded, kettle)
    Saga.objects.filter(pk=order_id).update(
        cancel_requested_at=Now(), cancel_reason="shopper", due_at=Now()
    )
    guarded.run()
    assert guarded.saga(order_id).state == "undoing"
    assert guarded.holds(order_id) == ["active"], "the card may have been charged"

    guarded.sandbox.faults()
    rest_ends(redis_of_tests)
    guarded.run_hurried(order_id)
    guarded.assert_cancelled(order_id)


def test_order_cancelled_before_the_gateway_was_asked_does_not_wait_for_it(
    guarded: Shop, kettle: Variant
) -> None:
    fall_away(guarded, kettle)
    order_id = guarded.place((kettle, 2))
    guarded.run()
    before = calls(guarded)

    request_cancellation(order_id)
    guarded.run()

    assert calls(guarded) == before
    assert guarded.order(order_id).status == "CANCELLED"
    assert guarded.holds(order_id) == ["released"]
    assert guarded.payment(order_id).status == "voided"
    assert guarded.at_gateway(order_id) == [], "authorized for nothing else, and voided at once"


def test_only_requests_that_are_admitted_count_as_asked(
    guarded: Shop, kettle: Variant, redis_of_tests: redis.Redis
) -> None:
    """The gateway is tried by few of a batch. The others may go without asking it."""
    fall_away(guarded, kettle)
    waiting = [guarded.place((kettle, 1)) for _ in range(2 * TRIALS)]
    guarded.run()
    assert not Payment.objects.filter(order_id__in=waiting, asked_at__isnull=False).exists()
    rest_ends(redis_of_tests)
    guarded.hurry()
    Saga.objects.exclude(order_id__in=waiting).update(due_at=Now() + timedelta(hours=1))
    before = calls(guarded)

    guarded.run()

    asked = Payment.objects.filter(order_id__in=waiting, asked_at__isnull=False)
    assert asked.count() == calls(guarded) - before == TRIALS
    told = GatewayCall.objects.filter(payment__order_id__in=waiting)
    assert set(told.values_list("payment_id", flat=True)) == {payment.pk for payment in asked}


def test_refund_that_is_turned_away_was_not_asked_for(
    guarded: Shop, kettle: Variant, redis_of_tests: redis.Redis
) -> None:
    order_id = guarded.place_confirmed((kettle, 1))
    fall_away(guarded, kettle)
    refund = refunds.request_refund(
        order_id, amount=100, purpose="admin:dent", reason="a dent", actor="clerk"
    )

    refunds.send_due()

    refund.refresh_from_db()
    assert (refund.status, refund.attempts) == ("requested", 0)
    assert refund.message.startswith("GatewayCircuitOpen")
    assert not GatewayCall.objects.filter(purpose="refund").exists()

    guarded.sandbox.faults()
    rest_ends(redis_of_tests)
    Refund.objects.update(due_at=Now())
    refunds.send_due()
    refund.refresh_from_db()
    assert refund.status == "succeeded"
    assert GatewayCall.objects.filter(purpose="refund").count() == 1


@pytest.mark.parametrize("fate", ["reset_after", "reset_before"])
def test_outage_longer_than_the_hold_voids_first_and_then_releases_the_units(
    guarded: Shop, kettle: Variant, redis_of_tests: redis.Redis, settings: Any, fate: str
) -> None:
    """Authorized or not: unknown until the gateway answers."""
    guarded.sandbox.faults({"fault": fate, "operations": ["payment_intents.create"]})
    order_id = guarded.place((kettle, 1))
    guarded.run()
    fall_away(guarded, kettle)
    guarded.hurry()
    guarded.run()
    assert guarded.saga(order_id).last_error.startswith("GatewayCircuitOpen")

    age(order_id, timedelta(minutes=50))
    Saga.objects.filter(pk=order_id).update(deadline_at=Now() + timedelta(minutes=1))
    guarded.hurry()
    guarded.run()
    cap = Order.objects.get(pk=order_id).placed_at + settings.HOLD_TIME_CAP
    assert guarded.saga(order_id).deadline_at == cap, "extended, and no further"
    assert Hold.objects.get(order_id=order_id).expires_at <= cap

    age(order_id, timedelta(minutes=15))
    before = calls(guarded)
    for _ in range(3):
        guarded.hurry()
        guarded.run()
    assert calls(guarded) == before
    assert guarded.statuses(order_id) == ["PENDING", "PAYMENT_FAILED"]
    assert (guarded.saga(order_id).state, guarded.saga(order_id).cancel_reason) == (
        "undoing",
        "expired",
    )
    assert guarded.holds(order_id) == ["active"]
    assert guarded.stock(kettle)[1] == 1 + FAILURES_TO_OPEN

    guarded.sandbox.faults()
    rest_ends(redis_of_tests)
    guarded.run_hurried(order_id)

    assert guarded.at_gateway(order_id) == [("canceled", 0, 0)]
    done = guarded.log(order_id, "done")
    assert done == [
        "undo authorize_payment: done",
        "undo reserve_stock: done",
        "undo redeem_promo: done",
    ], "the money first"
    assert "CONFIRMED" not in guarded.statuses(order_id)
    guarded.run_hurried(*Saga.objects.values_list("order_id", flat=True))
    guarded.assert_cancelled(order_id)
    assert guarded.stock(kettle) == (50 - FAILURES_TO_OPEN, 0)


# --- When it is over ----------------------------------------------------------------------------


def test_all_who_waited_go_on_at_once_and_are_charged_once(
    guarded: Shop, kettle: Variant, redis_of_tests: redis.Redis, enqueued: list[str]
) -> None:
    fall_away(guarded, kettle)
    for _ in range(15):
        guarded.place((kettle, 1))
    guarded.hurry()
    guarded.run()
    in_a_minute = Now() + timedelta(minutes=1)
    Saga.objects.update(due_at=in_a_minute)
    guarded.sandbox.faults()
    assert resume.resume_for_trial() == 0, "the circuit stays open"
    rest_ends(redis_of_tests)
    enqueued.clear()

    tasks.sweep()  # no saga would be due for a minute
    assert Saga.objects.filter(due_at__lte=Now()).count() == TRIALS
    assert "orders.advance_sagas" in enqueued
    guarded.run()
    assert "payments.gateway_recovered" in enqueued
    tell_of_recovery()
    guarded.run()

    for order_id in Saga.objects.values_list("order_id", flat=True):
        guarded.assert_confirmed(order_id)
    assert len(guarded.intents()) == FAILURES_TO_OPEN + 15
    assert guarded.stock(kettle) == (50 - FAILURES_TO_OPEN - 15, 0)


def test_no_more_than_the_trials_are_made_due_by_whatever_plan(
    guarded: Shop, kettle: Variant, redis_of_tests: redis.Redis
) -> None:
    """PostgreSQL may run a subquery once for each row of a table that it believes to be small."""
    guarded.place((kettle, 1))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE orders_saga")
    fall_away(guarded, kettle)
    Saga.objects.update(due_at=Now() + timedelta(minutes=1))
    rest_ends(redis_of_tests)

    assert resume.resume_for_trial() == TRIALS

    assert Saga.objects.filter(due_at__lte=Now()).count() == TRIALS


def test_orders_turned_away_after_the_circuit_closed_go_on_with_the_next_sweep(
    guarded: Shop, kettle: Variant, redis_of_tests: redis.Redis, enqueued: list[str]
) -> None:
    """A process learns within half a second that the circuit closed; then it sends nothing."""
    fall_away(guarded, kettle)
    late = guarded.place((kettle, 1))
    guarded.hurry()
    guarded.run()
    assert guarded.saga(late).last_error.startswith("GatewayCircuitOpen")
    guarded.sandbox.faults()
    in_a_minute = Now() + timedelta(minutes=1)
    Saga.objects.exclude(order_id=late).update(due_at=in_a_minute)
    Saga.objects.filter(order_id=late).update(due_at=in_a_minute, lease_until=in_a_minute)
    rest_ends(redis_of_tests)
    tasks.sweep()
    guarded.run()
    tell_of_recovery()  # while the late one is claimed
    guarded.run()
    Saga.objects.filter(order_id=late).update(lease_until=None)
    assert guarded.statuses(late) == ["PENDING"]
    enqueued.clear()

    tasks.sweep()

    assert "orders.advance_sagas" in enqueued
    guarded.run()
    guarded.assert_confirmed(late)


def test_lost_task_costs_only_time(
    guarded: Shop, kettle: Variant, redis_of_tests: redis.Redis
) -> None:
    order_ids = fall_away(guarded, kettle)
    guarded.sandbox.faults()
    rest_ends(redis_of_tests)
    guarded.run_hurried(*order_ids)
    for order_id in order_ids:
        guarded.assert_confirmed(order_id)


def test_gateway_that_is_still_away_is_tried_by_few_and_left_alone_again(
    guarded: Shop, kettle: Variant, redis_of_tests: redis.Redis, enqueued: list[str]
) -> None:
    fall_away(guarded, kettle)
    rest_ends(redis_of_tests)
    before = calls(guarded)
    guarded.hurry()

    guarded.run()

    assert 1 <= calls(guarded) - before <= TRIALS
    assert resume.resume_for_trial() == 0
    assert "payments.gateway_recovered" not in enqueued


def test_only_orders_that_wait_for_the_gateway_are_made_due(guarded: Shop, kettle: Variant) -> None:
    challenged = guarded.place((kettle, 1), card="pm_card_threeDSecure2Required")
    guarded.run()
    waits_for_the_shopper = guarded.saga(challenged).due_at
    leased, tired, calm, *waiting = fall_away(guarded, kettle)
    in_a_minute = Now() + timedelta(minutes=1)
    Saga.objects.exclude(pk=challenged).update(due_at=in_a_minute)
    Saga.objects.filter(pk=leased).update(lease_until=in_a_minute)
    Saga.objects.filter(pk=tired).update(last_error="ValueError: a step of ours fails")
    Saga.objects.filter(pk=calm).update(last_error="")

    tell_of_recovery()

    due = Saga.objects.filter(due_at__lte=Now()).values_list("order_id", flat=True)
    assert set(due) == set(waiting)
    assert guarded.saga(challenged).due_at == waits_for_the_shopper


@pytest.mark.race
def test_two_processes_that_make_sagas_due_do_not_wait_for_each_other(
    guarded: Shop, kettle: Variant
) -> None:
    order_ids = fall_away(guarded, kettle)
    Saga.objects.update(due_at=Now() + timedelta(minutes=1))
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as other:
        other.execute(
            "UPDATE orders_saga SET due_at = now() WHERE order_id = %s", [str(order_ids[0])]
        )
        assert at_once(4, lambda _: tell_of_recovery()) == [None] * 4
        other.commit()
    assert Saga.objects.filter(due_at__lte=Now()).count() == len(order_ids)


# --- What it costs ------------------------------------------------------------------------------


def test_waiting_order_is_claimed_once_a_minute(guarded: Shop, kettle: Variant) -> None:
    """A thousand of them are seventeen claims a second, no call, and no row either."""
    order_id, *_ = fall_away(guarded, kettle)
    for _ in range(placement.OUTAGE_COUNTS):
        guarded.hurry()
        guarded.run()
    rests = Saga.objects.annotate(rest=F("due_at") - F("updated_at")).get(pk=order_id).rest
    assert timedelta(seconds=placement.BACKOFF_CAP / 2) - timedelta(seconds=1) < rests
    assert guarded.saga(order_id).epoch == 1 + placement.OUTAGE_COUNTS
    logged = SagaStep.objects.filter(saga_id=order_id).count()
    asked = GatewayCall.objects.filter(payment__order_id=order_id).count()
    assert logged == asked == 1, "the one request that got no answer; none for those not sent"
