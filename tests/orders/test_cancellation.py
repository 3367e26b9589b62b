"""Cancelling an order at every step at which it can be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from apps.orders.errors import NotCancellable
from apps.orders.fulfilment import shipping
from apps.orders.fulfilment.cancellation import (
    is_cancellable,
    request_cancellation,
)
from apps.orders.fulfilment.shipping import NotReady
from apps.orders.models import Order, OrderEvent, Saga
from apps.orders.saga import engine, steps
from apps.orders.saga.undone import BY_STAFF
from apps.orders.status import BEFORE_SHIPMENT
from apps.promos.models import Promo
from tests.factories import PromoFactory
from tests.orders.purchases import Shop, at_once

CHALLENGE = "pm_card_threeDSecure2Required"


def test_before_the_first_claim_the_gateway_is_never_asked(shop: Shop) -> None:
    order_id = shop.place(promo=PromoFactory(one_use=True))

    request_cancellation(order_id)
    shop.run()

    assert shop.intents() == []
    assert shop.payment(order_id).asked_at is None
    assert shop.statuses(order_id) == ["PENDING", "CANCELLED"]
    assert shop.saga(order_id).cancel_reason == "shopper"
    assert shop.stock() == (10, 0)
    assert Promo.objects.get().used == 0
    ended = OrderEvent.objects.get(order_id=order_id, status="CANCELLED")
    assert ended.message == "Cancelled at your request. You have not been charged."
    shop.assert_cancelled(order_id)


def test_order_that_waits_for_3d_secure_is_cancelled_at_once(shop: Shop) -> None:
    order_id = shop.place(card=CHALLENGE)
    shop.run()

    request_cancellation(order_id)
    shop.run()

    assert shop.statuses(order_id) == ["PENDING", "REQUIRES_ACTION", "PAYMENT_FAILED", "CANCELLED"]
    assert shop.at_gateway(order_id) == [("canceled", 0, 0)]
    shop.assert_cancelled(order_id)


def test_order_in_backoff_is_cancelled_at_once(shop: Shop) -> None:
    shop.sandbox.faults({"fault": "rate_limit_429"})
    order_id = shop.place()
    shop.run()
    assert shop.saga(order_id).attempts == 1
    shop.sandbox.faults()

    request_cancellation(order_id)
    shop.run()

    assert shop.statuses(order_id) == ["PENDING", "CANCELLED"]
    shop.assert_cancelled(order_id)


@pytest.mark.parametrize("step", [s.name for s in steps.CHECKOUT if s.run_by == "worker"])
def test_cancellation_while_a_worker_writes_a_step_takes_effect_after_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The worker has asked already; the request comes before it writes."""
    order_id = shop.place(promo=PromoFactory(one_use=True))
    ours = engine.still_ours

    def cancel_first(group):
        if group[0].step == step and not shop.saga(order_id).cancel_requested_at:
            at_once(1, lambda _: request_cancellation(order_id))
        return ours(group)

    monkeypatch.setattr(engine, "still_ours", cancel_first)
    # The request comes from another connection before the worker's transaction locks anything.
    shop.run()

    assert shop.saga(order_id).cancel_reason == "shopper"
    assert shop.statuses(order_id)[-1] == "CANCELLED"
    assert shop.stock() == (10, 0)
    assert Promo.objects.get().used == 0
    shop.assert_cancelled(order_id)


@pytest.mark.parametrize("step", [s.name for s in steps.CHECKOUT if s.ask is not None])
def test_order_cancelled_between_two_steps_turns_back_from_the_next(shop: Shop, step: str) -> None:
    """A saga rests only before a step that asks; the others follow under the same lease."""
    order_id = shop.place()
    while shop.saga(order_id).step != step:
        assert engine.advance() == 1

    request_cancellation(order_id)
    shop.run()

    assert f"do {step}: done" not in shop.log(order_id)
    shop.assert_cancelled(order_id)


def test_request_survives_a_worker_that_dies_with_a_claimed_saga(shop: Shop) -> None:
    order_id = shop.place()
    assert len(engine.claim()) == 1

    request_cancellation(order_id)

    assert shop.run() == 0, "the lease is not over"
    shop.end_leases()
    shop.run()
    shop.assert_cancelled(order_id)


def test_request_during_a_failing_step_keeps_its_reason(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = shop.place()

    def fail(claimed, results):
        raise ValueError("not today")

    step = steps.BY_NAME["authorize_payment"]
    write_failure = engine._write_failure

    def cancel_first(*given):
        at_once(1, lambda _: request_cancellation(order_id))
        return write_failure(*given)

    monkeypatch.setattr(engine, "_write_failure", cancel_first)
    monkeypatch.setitem(
        steps.BY_NAME,
        step.name,
        replace(step, do=fail),
    )
    shop.run()
    shop.hurry()
    shop.run()

    assert shop.saga(order_id).cancel_reason == "shopper"
    shop.assert_cancelled(order_id)


def test_confirmed_order_is_refunded_and_restocked(shop: Shop) -> None:
    order_id = shop.place_confirmed((shop.mug, 3), promo=PromoFactory(one_use=True))
    total = shop.order(order_id).total_amount

    request_cancellation(order_id, reason=BY_STAFF)
    shop.run()

    assert shop.statuses(order_id) == ["PENDING", "PAYMENT_AUTHORIZED", "CONFIRMED", "CANCELLED"]
    assert shop.at_gateway(order_id) == [("succeeded", total, total)]
    assert shop.payment(order_id).status == "refunded"
    assert shop.stock() == (10, 0)
    assert shop.movements() == [("initial", 10), ("confirmed", -3), ("restocked", 3)]
    assert shop.mails(order_id) == ["order_confirmed", "order_cancelled"]
    assert shop.log(order_id)[5:] == [
        "undo create_shipment: done",
        "undo capture_payment: done",
        "undo confirm_stock: done",
        "undo authorize_payment: done",
        "undo reserve_stock: done",
        "undo redeem_promo: done",
    ]
    ended = OrderEvent.objects.get(order_id=order_id, status="CANCELLED")
    assert ended.message == "Our staff cancelled the order. Your money is on its way back."
    assert Promo.objects.get().used == 0
    shop.assert_cancelled(order_id)


def test_actor_of_a_cancellation_is_kept_to_the_end(shop: Shop) -> None:
    waiting, confirmed = shop.place(card=CHALLENGE), shop.place_confirmed()
    shop.run()

    request_cancellation(waiting, actor="alice@example.com")
    request_cancellation(waiting, reason=BY_STAFF, actor="clerk@example.com")
    request_cancellation(confirmed, reason=BY_STAFF, actor="clerk@example.com")
    shop.run()

    for order_id, who in ((waiting, "alice@example.com"), (confirmed, "clerk@example.com")):
        assert shop.saga(order_id).cancel_requested_by == who, "the first request counts"
        assert OrderEvent.objects.get(order_id=order_id, status="CANCELLED").actor == who
        shop.assert_cancelled(order_id)


def test_twice_is_once(shop: Shop) -> None:
    order_id = shop.place_confirmed()
    request_cancellation(order_id)
    request_cancellation(order_id, reason=BY_STAFF)
    engine.advance()
    request_cancellation(order_id, reason=BY_STAFF)  # it is being undone already
    shop.run()

    assert shop.saga(order_id).cancel_reason == "shopper"
    assert shop.at_gateway(order_id) == [("succeeded", 2548, 2548)]
    shop.assert_cancelled(order_id)
    with pytest.raises(NotCancellable):
        request_cancellation(order_id)
    shop.assert_cancelled(order_id)


@pytest.mark.parametrize("delivered", [False, True])
def test_shipped_order_cannot_be_cancelled(shop: Shop, delivered: bool) -> None:
    order_id = shop.place_confirmed()
    shipping.hand_to_carrier(order_id, actor="clerk")
    if delivered:
        shipping.mark_delivered(order_id, actor="clerk")
    before = shop.statuses(order_id)
    assert not is_cancellable(shop.order(order_id))

    with pytest.raises(NotCancellable):
        request_cancellation(order_id)

    assert shop.run() == 0
    assert shop.statuses(order_id) == before
    assert shop.at_gateway(order_id) == [("succeeded", 2548, 0)]
    assert shop.stock() == (9, 0)
    shop.assert_audit_clean()


def test_order_in_review_cannot_be_cancelled(shop: Shop) -> None:
    order_id = shop.place()
    Saga.objects.update(state="review", reviewed_from="forward", review_reason="odd", due_at=None)
    with pytest.raises(NotCancellable):
        request_cancellation(order_id)
    assert shop.saga(order_id).cancel_requested_at is None


def test_order_that_is_being_cancelled_is_not_handed_over(shop: Shop) -> None:
    order_id = shop.place_confirmed()
    request_cancellation(order_id)
    with pytest.raises(NotReady):
        shipping.hand_to_carrier(order_id, actor="clerk")
    shop.run()
    shop.assert_cancelled(order_id)


@pytest.mark.parametrize("status", sorted(set(Order.Status) - set(BEFORE_SHIPMENT)))
def test_page_offers_to_cancel_only_before_shipment(shop: Shop, status: str) -> None:
    order_id = shop.place()
    assert is_cancellable(shop.order(order_id))
    Order.objects.filter(pk=order_id).update(status=status)
    assert not is_cancellable(shop.order(order_id))
    Order.objects.filter(pk=order_id).update(status="PENDING")


@pytest.mark.race
def test_ten_cancellations_at_once_refund_once(shop: Shop) -> None:
    order_id = shop.place_confirmed()

    answers = at_once(10, lambda _: request_cancellation(order_id))

    assert answers == [None] * 10
    shop.run()
    assert shop.at_gateway(order_id) == [("succeeded", 2548, 2548)]
    shop.assert_cancelled(order_id)
