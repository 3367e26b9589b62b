"""What an accepted shopper is told about the queue before her: cheap, and never absurd."""

import pytest
from django.db import connection

from apps.orders import queue_depth
from apps.orders.queue_depth import QueueGauge
from tests.factories import SagaFactory


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes when it is told to, and a shop whose figures can be set."""

    class Clock:
        now = 1000.0
        depth = 0
        accepted = 0
        asked = 0

        def pass_seconds(self, seconds, *, accepted=0, depth=0):
            self.now += seconds
            self.accepted += accepted
            self.depth = depth

        def figures(self):
            self.asked += 1
            return self.depth, self.accepted

    clock = Clock()
    monkeypatch.setattr(queue_depth.time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(queue_depth, "figures", clock.figures)
    return clock


@pytest.fixture
def gauge(clock):
    gauge = QueueGauge()
    gauge.refresh()
    return gauge


def test_nobody_before_her_is_a_matter_of_seconds(gauge):
    assert gauge.next_place() == (0, 2)


def test_those_accepted_with_her_stand_before_her(gauge):
    assert [gauge.next_place()[0] for _ in range(3)] == [0, 1, 2]


def test_depth_is_what_was_there_and_who_came_since(gauge, clock):
    clock.pass_seconds(2, depth=40)
    gauge.refresh()

    assert [gauge.next_place()[0] for _ in range(2)] == [40, 41]


def test_wait_is_the_place_by_what_is_finished_a_second(gauge, clock):
    """100 accepted and 50 more in the queue in 5 seconds: 10 a second are finished."""
    clock.pass_seconds(5, accepted=100, depth=50)
    gauge.refresh()

    assert gauge.next_place() == (50, 5)


def test_nothing_finished_yet_is_no_eternity(gauge, clock):
    clock.pass_seconds(2, accepted=30, depth=30)
    gauge.refresh()

    assert gauge.next_place() == (30, 2)


def test_asks_the_database_once_a_second(gauge, clock):
    for _ in range(50):
        clock.pass_seconds(0.1)
        gauge.refresh()

    assert clock.asked == 1 + 5


def test_a_quiet_night_does_not_make_the_morning_look_slow(gauge, clock):
    """One order an hour is how few came, not how few the shop can do."""
    for _ in range(8):
        clock.pass_seconds(3600, accepted=1)
        gauge.refresh()
    clock.pass_seconds(3600, accepted=101, depth=100)
    gauge.refresh()
    clock.pass_seconds(1, accepted=50, depth=50)
    gauge.refresh()

    position, wait = gauge.next_place()

    assert position == 50
    assert wait == 2, "100 a second are finished; not 50 times 9 hours by 109"


@pytest.mark.django_db
def test_figures_are_orders_on_their_way_and_orders_ever_accepted():
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('orders_number')")
        (number,) = cursor.fetchone()
    SagaFactory()
    SagaFactory(state="undoing")
    SagaFactory(due_at=None)  # waits for the shopper's bank
    SagaFactory(state="done", due_at=None)

    assert queue_depth.figures() == (2, number)


def test_queue_whose_wait_outlives_a_hold_is_full(gauge, clock):
    """10 a second are finished: 6,000 orders take ten minutes, which is two thirds of a hold."""
    clock.pass_seconds(10, accepted=6_100, depth=6_000)
    gauge.refresh()
    assert not gauge.is_full()

    gauge.next_place()
    for _ in range(10):
        gauge.next_place()

    assert gauge.is_full()


def test_queue_in_an_outage_is_full_only_at_the_hard_limit(gauge, clock):
    clock.pass_seconds(10, accepted=99_999, depth=99_999)
    gauge.refresh()
    assert not gauge.is_full()

    gauge.next_place()

    assert gauge.is_full()


def test_short_queue_is_not_full_where_a_fault_let_one_order_through(gauge, clock):
    clock.pass_seconds(14, accepted=301, depth=300)
    gauge.refresh()

    assert gauge.next_place() == (300, 4200)
    assert not gauge.is_full()
