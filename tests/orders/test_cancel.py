"""Calling an order off at every place where it can stand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from apps.orders import cancel, checkout, fulfil, saga
from apps.orders.cancel import is_cancellable, request_cancellation
from apps.orders.errors import NotCancellable
from apps.orders.fulfil import NotReady
from apps.orders.models import Order, OrderEvent, Saga
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


def test_asleep_in_a_challenge_it_is_woken_and_called_off(shop: Shop) -> None:
    order_id = shop.place(card=CHALLENGE)
    shop.run()

    request_cancellation(order_id)
    shop.run()

    assert shop.statuses(order_id) == ["PENDING", "REQUIRES_ACTION", "PAYMENT_FAILED", "CANCELLED"]
    assert shop.at_gateway(order_id) == [("canceled", 0, 0)]
    shop.assert_cancelled(order_id)


def test_backing_off_it_is_woken_and_called_off(shop: Shop) -> None:
    shop.sandbox.faults({"fault": "rate_limit_429"})
    order_id = shop.place()
    shop.run()
    assert shop.saga(order_id).attempts == 1
    shop.sandbox.faults()

    request_cancellation(order_id)
    shop.run()

    assert shop.statuses(order_id) == ["PENDING", "CANCELLED"]
    shop.assert_cancelled(order_id)


@pytest.mark.parametrize("step", [s.name for s in checkout.CHECKOUT if s.do is not None])
def test_while_a_worker_writes_a_step_the_wish_is_heard_after_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The worker has asked already; the wish comes before it writes."""
    order_id = shop.place(promo=PromoFactory(one_use=True))
    ours = saga._still_ours

    def wish_first(group):
        if group[0].step == step and not shop.saga(order_id).cancel_requested_at:
            at_once(1, lambda _: request_cancellation(order_id))
        return ours(group)

    monkeypatch.setattr(saga, "_still_ours", wish_first)
    # The wish comes from another connection before the worker's transaction locks anything.
    shop.run()

    assert shop.saga(order_id).cancel_reason == "shopper"
    assert shop.statuses(order_id)[-1] == "CANCELLED"
    assert shop.stock() == (10, 0)
    assert Promo.objects.get().used == 0
    shop.assert_cancelled(order_id)


@pytest.mark.parametrize("step", [s.name for s in checkout.CHECKOUT if s.ask is not None])
def test_between_two_steps_it_turns_back_from_the_next(shop: Shop, step: str) -> None:
    """A saga rests only before a step that asks; the others follow under the same lease."""
    order_id = shop.place()
    while shop.saga(order_id).step != step:
        assert saga.advance() == 1

    request_cancellation(order_id)
    shop.run()

    assert f"do {step}: done" not in shop.log(order_id)
    shop.assert_cancelled(order_id)


def test_wish_outlives_a_worker_that_dies_holding_the_saga(shop: Shop) -> None:
    order_id = shop.place()
    assert len(saga.claim()) == 1

    request_cancellation(order_id)

    assert shop.run() == 0, "the lease is not over"
    shop.end_leases()
    shop.run()
    shop.assert_cancelled(order_id)


def test_wish_during_a_failing_step_keeps_its_reason(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = shop.place()

    def fail(works, answers):
        raise ValueError("not today")

    step = checkout.BY_NAME["authorize_payment"]
    write_failure = saga._write_failure

    def wish_first(*given):
        at_once(1, lambda _: request_cancellation(order_id))
        return write_failure(*given)

    monkeypatch.setattr(saga, "_write_failure", wish_first)
    monkeypatch.setitem(
        checkout.BY_NAME,
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

    request_cancellation(order_id, reason="staff")
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
        "undo redeem_promo: done",
        "undo reserve_stock: done",
    ]
    ended = OrderEvent.objects.get(order_id=order_id, status="CANCELLED")
    assert ended.message == "Our staff cancelled the order. Your money is on its way back."
    assert Promo.objects.get().used == 0
    shop.assert_cancelled(order_id)


def test_who_asked_is_known_to_the_end(shop: Shop) -> None:
    waiting, confirmed = shop.place(card=CHALLENGE), shop.place_confirmed()
    shop.run()

    request_cancellation(waiting, actor="alice@example.com")
    request_cancellation(waiting, reason="staff", actor="clerk@example.com")
    request_cancellation(confirmed, reason="staff", actor="clerk@example.com")
    shop.run()

    for order_id, who in ((waiting, "alice@example.com"), (confirmed, "clerk@example.com")):
        assert shop.saga(order_id).cancel_requested_by == who, "who asks first, has asked"
        assert OrderEvent.objects.get(order_id=order_id, status="CANCELLED").actor == who
        shop.assert_cancelled(order_id)


def test_twice_is_once(shop: Shop) -> None:
    order_id = shop.place_confirmed()
    request_cancellation(order_id)
    request_cancellation(order_id, reason="staff")
    saga.advance()
    request_cancellation(order_id, reason="staff")  # on its way back already
    shop.run()

    assert shop.saga(order_id).cancel_reason == "shopper"
    assert shop.at_gateway(order_id) == [("succeeded", 2548, 2548)]
    shop.assert_cancelled(order_id)
    with pytest.raises(NotCancellable):
        request_cancellation(order_id)
    shop.assert_cancelled(order_id)


@pytest.mark.parametrize("delivered", [False, True])
def test_after_it_has_left_nothing_moves(shop: Shop, delivered: bool) -> None:
    order_id = shop.place_confirmed()
    fulfil.hand_to_carrier(order_id, actor="clerk")
    if delivered:
        fulfil.mark_delivered(order_id, actor="clerk")
    before = shop.statuses(order_id)
    assert not is_cancellable(shop.order(order_id))

    with pytest.raises(NotCancellable):
        request_cancellation(order_id)

    assert shop.run() == 0
    assert shop.statuses(order_id) == before
    assert shop.at_gateway(order_id) == [("succeeded", 2548, 0)]
    assert shop.stock() == (9, 0)
    shop.assert_audit_clean()


def test_order_in_the_hands_of_a_person_cannot_be_called_off(shop: Shop) -> None:
    order_id = shop.place()
    Saga.objects.update(state="review", reviewed_from="forward", review_reason="odd", due_at=None)
    with pytest.raises(NotCancellable):
        request_cancellation(order_id)
    assert shop.saga(order_id).cancel_requested_at is None


def test_order_that_is_being_called_off_is_not_handed_over(shop: Shop) -> None:
    order_id = shop.place_confirmed()
    request_cancellation(order_id)
    with pytest.raises(NotReady):
        fulfil.hand_to_carrier(order_id, actor="clerk")
    shop.run()
    shop.assert_cancelled(order_id)


@pytest.mark.parametrize("status", sorted(set(Order.Status) - set(cancel.BEFORE_SHIPMENT)))
def test_page_offers_it_only_before_shipment(shop: Shop, status: str) -> None:
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
