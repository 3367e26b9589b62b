"""The estimated wait of an accepted order: cheap, true within limits, and never absurd."""

import itertools
import math

import pytest
from django.db import connection

from apps.orders.intake import wait_estimate
from apps.orders.intake.wait_estimate import FIRST_GUESS, QueueGauge
from tests.factories import SagaFactory


@pytest.fixture
def clock(monkeypatch):
    """A clock and figures of a shop that the test sets."""

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
    monkeypatch.setattr(wait_estimate.time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(wait_estimate, "figures", clock.figures)
    return clock


@pytest.fixture
def gauge(clock):
    gauge = QueueGauge()
    gauge.refresh()
    return gauge


def next_place(gauge, clock):
    """The place of the next order, whichever process accepts it."""
    clock.accepted += 1
    return gauge.next_place(clock.accepted)


def work(gauge, clock, *, seconds, pace, comes=0, depth=0):
    """So many seconds of a shop that finishes `pace` a second."""
    for _ in range(seconds):
        depth += comes - pace
        clock.pass_seconds(1, accepted=comes, depth=depth)
        gauge.refresh()
    return depth


def test_order_with_none_before_it_takes_a_second(gauge, clock):
    assert next_place(gauge, clock) == (0, 1)


def test_orders_accepted_in_the_same_batch_count(gauge, clock):
    assert [next_place(gauge, clock)[0] for _ in range(3)] == [0, 1, 2]


def test_orders_accepted_by_other_processes_count(gauge, clock):
    clock.accepted += 700

    assert next_place(gauge, clock)[0] == 700


def test_depth_is_what_was_there_and_who_came_since(gauge, clock):
    clock.pass_seconds(2, accepted=40, depth=40)
    gauge.refresh()

    assert [next_place(gauge, clock)[0] for _ in range(2)] == [40, 41]


def test_wait_is_the_place_by_what_is_finished_a_second(gauge, clock):
    depth = work(gauge, clock, seconds=90, pace=50, comes=100)

    position, wait = next_place(gauge, clock)

    assert position == depth == 4500
    assert wait == pytest.approx(4500 / 50, rel=0.05)


def test_first_crowd_is_estimated_by_the_first_guess(gauge, clock):
    """Nothing is finished yet, so the pace is not known."""
    clock.pass_seconds(1, accepted=3000, depth=3000)
    gauge.refresh()

    assert next_place(gauge, clock) == (3000, math.ceil(3000 / FIRST_GUESS))


def test_crowd_after_a_quiet_night_gets_no_absurd_estimate(gauge, clock):
    """One order an hour is how few came, not how few the shop can do."""
    for _ in range(8):
        clock.pass_seconds(3600, accepted=1)
        gauge.refresh()
    clock.pass_seconds(1, accepted=3000, depth=3000)
    gauge.refresh()

    assert next_place(gauge, clock) == (3000, math.ceil(3000 / FIRST_GUESS))


def test_crowd_after_a_slow_hour_gets_no_absurd_estimate(gauge, clock):
    """Five came each second and five were finished: the shop could have done more."""
    work(gauge, clock, seconds=3600, pace=5, comes=5, depth=10)
    clock.pass_seconds(1, accepted=3000, depth=3000)
    gauge.refresh()

    assert next_place(gauge, clock) == (3000, math.ceil(3000 / FIRST_GUESS))


def test_slow_machines_pace_is_used_however_short_its_queue(gauge, clock):
    """20 a second with 200 under way: each waits ten seconds, so no more than that is possible."""
    clock.pass_seconds(60, accepted=200, depth=200)
    gauge.refresh()
    work(gauge, clock, seconds=90, pace=20, comes=20, depth=200)

    position, wait = next_place(gauge, clock)

    assert position == 200
    assert wait == pytest.approx(10, abs=1)


def test_short_queue_that_is_faster_than_known_raises_the_pace(gauge, clock):
    work(gauge, clock, seconds=90, pace=400, comes=400, depth=100)
    clock.pass_seconds(1, accepted=4000, depth=4000)
    gauge.refresh()

    position, wait = next_place(gauge, clock)

    assert position == 4000
    assert wait == pytest.approx(10, abs=1)


def test_machine_that_has_become_faster_raises_the_pace_soon(gauge, clock):
    """It was slow for a minute; now no order waits, and four times as many are finished."""
    clock.pass_seconds(60, accepted=2_000, depth=2_000)
    gauge.refresh()
    depth = work(gauge, clock, seconds=60, pace=15, comes=0, depth=2_000)
    work(gauge, clock, seconds=round(depth / 60), pace=60, comes=0, depth=depth)

    work(gauge, clock, seconds=10, pace=60, comes=60, depth=180)

    position, wait = next_place(gauge, clock)
    assert position == 180
    assert 3 <= wait <= 4


def test_batches_that_end_together_make_no_slow_second(gauge, clock):
    """200 every other second are 100 a second; nothing, then 200, were 200."""
    depth = 2000
    for second in range(120):
        ended = 200 if second % 2 else 0
        depth += 100 - ended
        clock.pass_seconds(1, accepted=100, depth=depth)
        gauge.refresh()

    assert next_place(gauge, clock)[1] == pytest.approx(depth / 100, rel=0.1)


def test_burst_is_estimated_between_its_own_pace_and_the_one_before(gauge, clock):
    """The workers get a third of the machine while it lasts, and all of it afterwards.

    Those who come in its last second are served behind it, at the pace before.
    """
    clock.pass_seconds(60, accepted=9_000, depth=9_000)
    gauge.refresh()
    work(gauge, clock, seconds=60, pace=150, comes=0, depth=9_000)
    depth = work(gauge, clock, seconds=10, pace=50, comes=1500)

    position, wait = next_place(gauge, clock)

    true_wait = depth / 150
    assert position == depth
    assert true_wait / 2 <= wait <= true_wait * 2
    assert true_wait < wait < depth / 50


@pytest.mark.parametrize(
    ("comes", "meanwhile", "afterwards"), [(600, 60, 165), (600, 100, 200), (1_000, 150, 300)]
)
def test_estimates_of_crowds_are_right_within_a_factor_of_two(
    gauge, clock, comes, meanwhile, afterwards
):
    """The first crowd of all, by a guess, and the next: eight seconds each, on three machines."""
    for _ in range(2):
        estimates, ends, depth = [], [], 0.0
        for tenth in itertools.count():
            coming = tenth < 80
            if coming:
                gauge.refresh()
                for _ in range(comes // 10):
                    estimates.append((clock.now, next_place(gauge, clock)[1]))
                    depth += 1
            elif tenth % 10 == 0:
                gauge.watch()
            if tenth >= 15:  # the gateway takes its time
                ended = min(depth, (meanwhile if coming else afterwards) / 10)
                ends += [clock.now] * (int(depth) - int(depth - ended))
                depth -= ended
            clock.pass_seconds(0.1, depth=int(depth))
            if not coming and depth <= 0:
                break

        true = [ended - came for (came, _), ended in zip(estimates, ends, strict=True)]
        right = [0.5 <= wait / took <= 2 for (_, wait), took in zip(estimates, true, strict=True)]
        assert sum(right) / len(right) > 0.8
        clock.pass_seconds(60)


def test_pace_that_is_known_is_followed_slowly(gauge, clock):
    """After FOLLOWS_IN two thirds of the change are believed."""
    clock.pass_seconds(60, accepted=9_000, depth=9_000)
    gauge.refresh()
    depth = work(gauge, clock, seconds=60, pace=100, comes=100, depth=9_000)

    depth = work(
        gauge, clock, seconds=round(wait_estimate.FOLLOWS_IN), pace=25, comes=25, depth=depth
    )

    believed = 25 * (100 / 25) ** (1 / math.e)
    assert next_place(gauge, clock)[1] == pytest.approx(depth / believed, rel=0.05)


def test_pace_after_a_burst_is_measured_while_no_checkout_comes(gauge, clock):
    """50 a second in the burst, 300 after it: the next estimate uses both."""
    depth = work(gauge, clock, seconds=10, pace=50, comes=500)
    while depth:
        depth = max(0, depth - 300)
        clock.pass_seconds(1, depth=depth)
        gauge.watch()
    clock.pass_seconds(3600, accepted=6_000, depth=6_000)
    gauge.refresh()

    assert 6_000 / 300 <= next_place(gauge, clock)[1] <= 2 * 6_000 / 300


def test_nothing_under_way_is_not_watched(gauge, clock):
    for _ in range(10):
        clock.pass_seconds(1)
        gauge.watch()

    assert clock.asked == 1


def test_queries_the_database_once_a_second(gauge, clock):
    for _ in range(50):
        clock.pass_seconds(0.1)
        gauge.refresh()

    assert clock.asked == 1 + 5


@pytest.mark.django_db
def test_figures_are_orders_on_their_way_and_orders_ever_accepted():
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('orders_number')")
        (number,) = cursor.fetchone()
    SagaFactory()
    SagaFactory(state="undoing")
    SagaFactory(due_at=None)  # waits for the shopper's bank
    SagaFactory(state="done", due_at=None)

    assert wait_estimate.figures() == (2, number)


def test_queue_whose_wait_outlives_a_hold_is_full(gauge, clock):
    """10 a second are finished: 6,000 orders take ten minutes, which is two thirds of a hold."""
    clock.accepted += 3000
    depth = work(gauge, clock, seconds=200, pace=10, comes=10, depth=5_900)
    assert not gauge.is_full()

    work(gauge, clock, seconds=10, pace=10, comes=30, depth=depth)

    assert gauge.is_full()


def test_queue_in_an_outage_is_full_when_those_after_it_could_not_be_served(gauge, clock):
    """Nothing is finished for a minute; ten minutes' work at the pace before is 90,000 orders."""
    for _ in range(60):
        clock.pass_seconds(1, accepted=1_499, depth=clock.depth + 1_499)
        gauge.refresh()
    assert (clock.depth, gauge.is_full()) == (89_940, False)

    clock.pass_seconds(1, accepted=1_499, depth=clock.depth + 1_499)
    gauge.refresh()

    assert gauge.is_full()


def test_queue_is_never_deeper_than_the_machine_can_keep(gauge, clock):
    work(gauge, clock, seconds=60, pace=1_000, comes=1_000, depth=100)
    clock.pass_seconds(20, accepted=99_990, depth=99_990)
    gauge.refresh()
    taken = 0
    while not gauge.is_full():
        next_place(gauge, clock)
        taken += 1

    assert taken == 10


def test_short_queue_is_not_full_where_a_fault_let_one_order_through(gauge, clock):
    clock.pass_seconds(14, accepted=301, depth=300)
    gauge.refresh()

    assert next_place(gauge, clock) == (300, 2)
    assert not gauge.is_full()


def test_short_queue_is_not_full_however_slow_it_has_become(gauge, clock):
    work(gauge, clock, seconds=300, pace=1, comes=1, depth=1_500)

    position, wait = next_place(gauge, clock)

    assert position == 1_500
    assert wait > 600
    assert not gauge.is_full()


def test_guess_counts_for_as_long_as_is_written_down(gauge, clock):
    """Three seconds of it and seven that were seen: 10 parts, 7 of what was seen."""
    clock.pass_seconds(60, accepted=5_000, depth=5_000)
    gauge.refresh()

    depth = work(gauge, clock, seconds=7, pace=50, comes=50, depth=5_000)

    believed = FIRST_GUESS ** (wait_estimate.GUESS_LASTS / 10) * 50 ** (7 / 10)
    assert next_place(gauge, clock)[1] == math.ceil(depth / believed)


def test_numbers_whose_orders_are_still_under_way_are_no_pace(gauge, clock):
    """Workers stand still, a thousand come a second, and each look finds some numbers unseen."""
    clock.pass_seconds(60)
    gauge.refresh()
    accepted = depth = 0
    for unseen in (0, 40, 5, 60, 10, 90, 1, 80) * 2:
        accepted += 1_000
        seen = accepted - unseen
        clock.pass_seconds(1, accepted=1_000, depth=seen)
        depth = seen
        gauge.refresh()

    position, wait = next_place(gauge, clock)

    assert position == depth
    assert wait == math.ceil(position / FIRST_GUESS)
    assert not gauge.is_full()
