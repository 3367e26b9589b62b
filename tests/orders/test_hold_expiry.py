"""Expired holds make their saga due; nothing else releases their units."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.utils import timezone

from apps.inventory.models import Hold
from apps.orders.models import Saga
from apps.orders.saga import engine, hold_expiry
from apps.orders.tasks import expire_holds
from tests.orders.purchases import Shop

CHALLENGE = "pm_card_threeDSecure2Required"
PAST = "2020-01-01T00:00Z"


@pytest.fixture
def not_due(shop: Shop) -> UUID:
    """A saga that is due much later, although its hold has expired."""
    order_id = shop.place(card=CHALLENGE)
    shop.run()
    shop.pass_deadline(order_id)
    Saga.objects.update(due_at="2099-01-01T00:00Z")
    return order_id


def test_expired_hold_makes_its_saga_due_which_cancels_the_order(shop: Shop, not_due: UUID) -> None:
    assert shop.run() == 0
    assert not hold_expiry.anything_due()

    assert expire_holds() == 1

    assert hold_expiry.anything_due()
    assert shop.stock() == (10, 1), "this releases nothing"
    shop.run()
    assert shop.stock() == (10, 0)
    shop.assert_cancelled(not_due)
    assert expire_holds() == 0


def test_hold_that_has_time_is_left_alone(shop: Shop) -> None:
    order_id = shop.place(card=CHALLENGE)
    shop.run()
    assert hold_expiry.make_due_expired() == 0
    assert shop.run() == 0
    assert shop.holds(order_id) == ["active"]


def test_expired_hold_does_not_make_a_saga_due_before_its_deadline(
    shop: Shop, not_due: UUID
) -> None:
    Saga.objects.update(deadline_at="2099-01-01T00:00Z")
    assert hold_expiry.make_due_expired() == 0


def test_claimed_saga_is_not_made_due(shop: Shop, not_due: UUID) -> None:
    Saga.objects.update(due_at=PAST)
    assert len(engine.claim()) == 1
    assert hold_expiry.make_due_expired() == 0


@pytest.mark.parametrize("state", ["done", "undone", "undoing", "review"])
def test_saga_that_does_not_go_forward_is_not_made_due(
    shop: Shop, not_due: UUID, state: str
) -> None:
    Saga.objects.update(state=state)
    assert hold_expiry.make_due_expired() == 0


def test_confirmed_order_never_expires(shop: Shop) -> None:
    order_id = shop.place_confirmed()
    Hold.objects.update(expires_at=PAST)
    Saga.objects.update(deadline_at=PAST)
    assert hold_expiry.make_due_expired() == 0
    assert shop.run() == 0
    shop.assert_confirmed(order_id)


def test_workers_own_clock_decides_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten minutes fast or slow: the database says when five are over."""
    really = time.time
    for skew in (600, -600):
        monkeypatch.setattr(time, "time", lambda skew=skew: really() + skew)
        monkeypatch.setattr(timezone, "now", lambda: datetime.fromtimestamp(time.time(), UTC))
        order_id = shop.place(card=CHALLENGE)
        shop.run()
        saga_row, hold = shop.saga(order_id), Hold.objects.get(order_id=order_id)
        assert (hold.expires_at - hold.created_at).total_seconds() == pytest.approx(300, abs=2)
        assert saga_row.deadline_at == hold.expires_at
        assert abs(hold.created_at.timestamp() - really()) < 60
        assert hold_expiry.make_due_expired() == 0
        shop.run()
        assert shop.order(order_id).status == "REQUIRES_ACTION"
