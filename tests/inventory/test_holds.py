"""Holds: each function does its work once, however often it is called."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from apps.inventory import holds
from apps.inventory.models import Hold, StockMovement
from tests.factories import StockItemFactory, WarehouseFactory, a_kettle, a_mug
from tests.inventory.stock_checks import (
    A_WHILE,
    StockSnapshot,
    assert_stock_consistent,
    ledger,
    reserve,
    states,
    stock_of,
    wants,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def mug():
    return a_mug(stock=5)


@pytest.fixture
def alices(mug):
    """Alice's order: two mugs, held."""
    order = wants((mug, 2))
    assert reserve(order) == [None]
    return order.order_id


def test_confirmed_units_leave_on_hand_with_a_movement(mug, alices):
    assert holds.confirm([alices]) == {alices}

    assert stock_of(mug) == (3, 0)
    assert ledger(mug) == [("initial", 5), ("confirmed", -2)]
    sale = StockMovement.objects.get(kind="confirmed")
    assert (sale.order_id, sale.reason, sale.actor) == (alices, "sold", "saga")
    assert states(alices) == {"confirmed"}


def test_confirming_again_changes_nothing_and_returns_the_orders_again(mug, alices):
    holds.confirm([alices])
    before = StockSnapshot.now()

    assert holds.confirm([alices]) == {alices}

    assert StockSnapshot.now() == before


def test_released_units_are_for_sale_again(mug, alices):
    holds.release([alices])

    assert stock_of(mug) == (5, 0)
    assert ledger(mug) == [("initial", 5)]
    assert states(alices) == {"released"}


def test_restocked_units_come_back_with_the_reason(mug, alices):
    holds.confirm([alices])

    holds.restock([alices], reason="order cancelled")

    assert stock_of(mug) == (5, 0)
    assert ledger(mug) == [("initial", 5), ("confirmed", -2), ("restocked", 2)]
    assert StockMovement.objects.get(kind="restocked").reason == "order cancelled"
    assert states(alices) == {"restocked"}


@pytest.mark.parametrize(
    "ending",
    [
        ("release",),
        ("confirm",),
        ("confirm", "restock"),
    ],
    ids=" then ".join,
)
def test_ended_hold_no_longer_moves(mug, alices, ending):
    """Whatever the saga calls twice or too late, units move once."""
    verbs = {
        "release": holds.release,
        "confirm": holds.confirm,
        "restock": lambda ids: holds.restock(ids, reason="order cancelled"),
    }
    for verb in ending:
        verbs[verb]([alices])
    before = StockSnapshot.now()

    late = {"release": verbs, "confirm": {"confirm", "release"}, "restock": verbs}[ending[-1]]
    for verb in late:
        verbs[verb]([alices])

    assert StockSnapshot.now() == before
    assert_stock_consistent([mug])


def test_order_that_lost_its_hold_is_missing_from_the_confirmed(mug, alices):
    lost = wants((mug, 1))
    reserve(lost)
    holds.release([lost.order_id])

    assert holds.confirm([alices, lost.order_id, uuid4()]) == {alices}

    assert stock_of(mug) == (3, 0)


def test_batch_moves_every_order_of_a_shared_stock_item(mug, alices):
    kettle = a_kettle(stock=3)
    others = [wants((mug, 1), (kettle, 1)) for _ in range(3)]
    reserve(*others)
    all_orders = [alices, *(order.order_id for order in others)]

    assert holds.confirm(all_orders) == set(all_orders)

    assert (stock_of(mug), stock_of(kettle)) == ((0, 0), (0, 0))
    sold = [("confirmed", -2), *[("confirmed", -1)] * 3]
    assert sorted(ledger(mug)) == [*sold, ("initial", 5)]
    holds.restock(all_orders, reason="order cancelled")
    assert (stock_of(mug), stock_of(kettle)) == ((5, 0), (3, 0))
    assert_stock_consistent([mug, kettle])


def test_order_out_of_two_warehouses_goes_back_to_both(mug):
    far = StockItemFactory(warehouse=WarehouseFactory(priority=20), variant=mug, on_hand=2)
    near = mug.stock.exclude(pk=far.pk).get()
    order = wants((mug, 6))
    reserve(order)

    holds.confirm([order.order_id])
    assert [(i.on_hand, i.reserved) for i in mug.stock.order_by("pk")] == [(0, 0), (1, 0)]
    holds.restock([order.order_id], reason="order cancelled")

    near.refresh_from_db()
    far.refresh_from_db()
    assert (near.on_hand, far.on_hand) == (5, 2)


def test_calls_without_a_hold_change_nothing(mug, alices):
    before = StockSnapshot.now()

    assert holds.confirm([]) == set()
    holds.release([uuid4()])
    holds.restock([], reason="order cancelled")
    holds.extend([], hold_time=A_WHILE, cap=A_WHILE)

    assert StockSnapshot.now() == before


class TestExtending:
    """A hold is extended while its payment is under way."""

    def minutes_left(self, order_id):
        """By the clock that made the hold, in a test's one transaction."""
        hold = Hold.objects.get(order_id=order_id)
        with connection.cursor() as cursor:
            cursor.execute("SELECT now()")
            (now,) = cursor.fetchone()
        return round((hold.expires_at - now).total_seconds() / 60)

    def test_hold_is_extended(self, alices):
        Hold.objects.update(expires_at=Now() + timedelta(minutes=1))

        holds.extend([alices], hold_time=timedelta(minutes=15), cap=timedelta(minutes=60))

        assert self.minutes_left(alices) == 15

    def test_never_past_the_cap(self, alices):
        Hold.objects.update(created_at=F("created_at") - timedelta(minutes=55))

        holds.extend([alices], hold_time=timedelta(minutes=15), cap=timedelta(minutes=60))

        assert self.minutes_left(alices) == 5

    def test_never_shorter(self, alices):
        holds.extend([alices], hold_time=timedelta(minutes=1), cap=timedelta(minutes=60))

        assert self.minutes_left(alices) == 15

    def test_ended_hold_stays_ended(self, alices):
        holds.release([alices])
        ended = Hold.objects.get().expires_at

        holds.extend([alices], hold_time=timedelta(hours=9), cap=timedelta(hours=9))

        assert (Hold.objects.get().expires_at, states(alices)) == (ended, {"released"})
