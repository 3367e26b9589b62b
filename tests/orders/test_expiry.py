"""Holds past their time wake their saga; nothing else may let their units go."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.utils import timezone

from apps.inventory.models import Hold
from apps.orders import expiry, saga
from apps.orders.models import Saga
from apps.orders.tasks import expire_holds
from tests.orders.purchases import Shop

CHALLENGE = "pm_card_threeDSecure2Required"
PAST = "2020-01-01T00:00Z"


@pytest.fixture
def asleep(shop: Shop) -> UUID:
    """A saga that nobody would look at for a long time, although its hold has expired."""
    order_id = shop.place(card=CHALLENGE)
    shop.run()
    shop.pass_deadline(order_id)
    Saga.objects.update(due_at="2099-01-01T00:00Z")
    return order_id


def test_expired_hold_wakes_its_saga_which_calls_the_order_off(shop: Shop, asleep: UUID) -> None:
    assert shop.run() == 0
    assert not expiry.anything_due()

    assert expire_holds() == 1

    assert expiry.anything_due()
    assert shop.stock() == (10, 1), "waking releases nothing"
    shop.run()
    assert shop.stock() == (10, 0)
    shop.assert_cancelled(asleep)
    assert expire_holds() == 0


def test_hold_that_has_time_is_left_alone(shop: Shop) -> None:
    order_id = shop.place(card=CHALLENGE)
    shop.run()
    assert expiry.wake_expired() == 0
    assert shop.run() == 0
    assert shop.holds(order_id) == ["active"]


def test_hold_alone_that_expired_does_not_wake_a_saga_with_time(shop: Shop, asleep: UUID) -> None:
    Saga.objects.update(deadline_at="2099-01-01T00:00Z")
    assert expiry.wake_expired() == 0


def test_saga_in_a_workers_hands_is_not_woken(shop: Shop, asleep: UUID) -> None:
    Saga.objects.update(due_at=PAST)
    assert len(saga.claim()) == 1
    assert expiry.wake_expired() == 0


@pytest.mark.parametrize("state", ["done", "undone", "undoing", "review"])
def test_saga_that_is_not_on_its_way_forward_is_not_woken(
    shop: Shop, asleep: UUID, state: str
) -> None:
    Saga.objects.update(state=state)
    assert expiry.wake_expired() == 0


def test_confirmed_order_never_expires(shop: Shop) -> None:
    order_id = shop.place_confirmed()
    Hold.objects.update(expires_at=PAST)
    Saga.objects.update(deadline_at=PAST)
    assert expiry.wake_expired() == 0
    assert shop.run() == 0
    shop.assert_confirmed(order_id)


def test_workers_own_clock_decides_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten minutes fast or slow: the database says when fifteen are over."""
    really = time.time
    for skew in (600, -600):
        monkeypatch.setattr(time, "time", lambda skew=skew: really() + skew)
        monkeypatch.setattr(timezone, "now", lambda: datetime.fromtimestamp(time.time(), UTC))
        order_id = shop.place(card=CHALLENGE)
        shop.run()
        saga_row, hold = shop.saga(order_id), Hold.objects.get(order_id=order_id)
        assert (hold.expires_at - hold.created_at).total_seconds() == pytest.approx(900, abs=1)
        assert saga_row.deadline_at == hold.expires_at
        assert abs(hold.created_at.timestamp() - really()) < 60
        assert expiry.wake_expired() == 0
        shop.run()
        assert shop.order(order_id).status == "REQUIRES_ACTION"


def test_review_queue_is_counted(shop: Shop) -> None:
    shop.place()
    shop.place()
    assert expiry.in_review() == 0
    Saga.objects.filter(pk=Saga.objects.first().pk).update(state="review", review_reason="odd")
    assert expiry.in_review() == 1
