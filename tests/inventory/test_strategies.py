"""One promise, three strategies: whole orders, first come first served, never a unit twice."""

import threading
import time
from collections import Counter

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F

from apps.catalog.models import Variant
from apps.inventory import holds, strategies
from apps.inventory.allocation import Shortage, hand_out
from apps.inventory.models import Hold, StockItem
from apps.inventory.strategies import shelves
from tests.factories import (
    StockItemFactory,
    WarehouseFactory,
    a_kettle,
    a_mug,
    held_mug,
    sold_out_mug,
)
from tests.inventory.shelf import (
    A_WHILE,
    Books,
    assert_books_agree,
    held_by,
    ledger,
    left,
    reserve,
    stock_of,
    units_held,
    wants,
)
from tests.orders.purchases import at_once

under_each_strategy = pytest.mark.usefixtures("strategy")


@under_each_strategy
@pytest.mark.django_db
class TestOneOrder:
    def test_units_are_held_and_stay_on_the_shelf(self):
        mug = a_mug(stock=5)
        order = wants((mug, 2))

        assert reserve(order) == [None]

        assert stock_of(mug) == (5, 2)
        assert held_by(order.order_id) == {mug.stock.get().pk: 2}
        assert ledger(mug) == [("initial", 5)], "a hold is no movement"

    def test_hold_ends_when_the_database_says(self):
        mug = a_mug(stock=1)
        order = wants((mug, 1))

        reserve(order)

        with connection.cursor() as cursor:
            cursor.execute("SELECT now()")  # the time of this whole transaction
            (began,) = cursor.fetchone()
        hold = Hold.objects.get(order_id=order.order_id)
        assert (hold.state, hold.expires_at - began) == ("active", A_WHILE)

    def test_every_write_raises_the_version(self):
        mug = a_mug(stock=5)
        reserve(wants((mug, 1)))
        reserve(wants((mug, 1)))

        assert mug.stock.get().version == 2

    def test_all_lines_of_an_order_are_held(self):
        mug, kettle = a_mug(stock=5), a_kettle(stock=2)

        assert reserve(wants((kettle, 2), (mug, 3))) == [None]

        assert (stock_of(mug), stock_of(kettle)) == ((5, 3), (2, 2))

    def test_last_unit_can_be_held(self):
        mug = a_mug(stock=1)

        assert reserve(wants((mug, 1))) == [None]
        assert left(reserve(wants((mug, 1)))[0]) == {mug.sku: 0}

        assert stock_of(mug) == (1, 1)

    def test_one_line_that_does_not_fit_leaves_the_others_alone(self):
        mug, kettle = a_mug(stock=5), a_kettle(stock=2)
        before = Books.now()

        (short,) = reserve(wants((mug, 3), (kettle, 3)))

        assert left(short) == {kettle.sku: 2}
        assert Books.now() == before

    def test_each_line_that_does_not_fit_is_named_with_what_is_left(self):
        mug, kettle, cup = a_mug(stock=2), a_kettle(stock=0), a_mug(stock=9)
        before = Books.now()

        (short,) = reserve(wants((mug, 3), (kettle, 1), (cup, 9)))

        assert left(short) == {mug.sku: 2, kettle.sku: 0}
        assert Books.now() == before

    @pytest.mark.parametrize("make", [sold_out_mug, held_mug, lambda: a_mug(stock=None)])
    def test_sold_out_held_or_never_stocked_is_short_by_all(self, make):
        mug = make()
        before = Books.now()

        assert left(reserve(wants((mug, 1)))[0]) == {mug.sku: 0}

        assert Books.now() == before

    def test_units_held_by_others_are_not_for_sale(self):
        mug = a_mug(stock=5)
        reserve(wants((mug, 4)))

        assert left(reserve(wants((mug, 2)))[0]) == {mug.sku: 1}

        assert stock_of(mug) == (5, 4)

    def test_order_holds_a_shelf_once(self):
        """The second reservation for one order is a mistake, and the database says so."""
        mug = a_mug(stock=5)
        order = wants((mug, 1))
        reserve(order)

        with pytest.raises(IntegrityError):
            reserve(order)

        assert stock_of(mug) == (5, 1)

    def test_nothing_asked_for_is_nothing_done(self):
        before = Books.now()
        assert reserve() == []
        assert Books.now() == before


@under_each_strategy
@pytest.mark.django_db
class TestSeveralWarehouses:
    def test_preferred_warehouse_is_asked_first(self):
        mug = a_mug(stock=5)
        far = StockItemFactory(warehouse=WarehouseFactory(priority=20), variant=mug, on_hand=5)
        near = mug.stock.exclude(pk=far.pk).get()
        order = wants((mug, 3))

        reserve(order)

        assert held_by(order.order_id) == {near.pk: 3}

    def test_line_is_filled_from_several(self):
        mug = a_mug(stock=2)
        far = StockItemFactory(warehouse=WarehouseFactory(priority=20), variant=mug, on_hand=2)
        near = mug.stock.exclude(pk=far.pk).get()
        order = wants((mug, 3))

        assert reserve(order) == [None]

        assert held_by(order.order_id) == {near.pk: 2, far.pk: 1}
        assert stock_of(mug) == (4, 3)

    def test_left_is_the_sum_of_all(self):
        mug = a_mug(stock=2)
        StockItemFactory(warehouse=WarehouseFactory(priority=20), variant=mug, on_hand=2)
        before = Books.now()

        assert left(reserve(wants((mug, 5)))[0]) == {mug.sku: 4}

        assert Books.now() == before

    def test_batch_goes_on_in_the_next_warehouse_where_the_first_ends(self):
        mug = a_mug(stock=1)
        far = StockItemFactory(warehouse=WarehouseFactory(priority=20), variant=mug, on_hand=1)
        near = mug.stock.exclude(pk=far.pk).get()
        alice, bob, carol = (wants((mug, 1)) for _ in range(3))

        answers = reserve(alice, bob, carol)

        assert answers[:2] == [None, None]
        assert left(answers[2]) == {mug.sku: 0}
        assert held_by(alice.order_id) == {near.pk: 1}
        assert held_by(bob.order_id) == {far.pk: 1}


@under_each_strategy
@pytest.mark.django_db
class TestBatch:
    def test_first_come_first_served(self):
        mug = a_mug(stock=3)
        alice, bob, carol = (wants((mug, 2)), wants((mug, 1)), wants((mug, 1)))

        answers = reserve(alice, bob, carol)

        assert answers[:2] == [None, None]
        assert left(answers[2]) == {mug.sku: 0}
        assert stock_of(mug) == (3, 3)
        assert held_by(carol.order_id) == {}

    def test_order_that_does_not_fit_leaves_its_units_to_those_behind(self):
        mug = a_mug(stock=3)
        greedy, bob = wants((mug, 4)), wants((mug, 3))

        answers = reserve(greedy, bob)

        assert left(answers[0]) == {mug.sku: 3}
        assert answers[1] is None
        assert stock_of(mug) == (3, 3)

    def test_order_short_of_one_thing_leaves_the_other_to_those_behind(self):
        mug, kettle = a_mug(stock=1), sold_out_mug()
        alice, bob = wants((mug, 1), (kettle, 1)), wants((mug, 1))

        answers = reserve(alice, bob)

        assert left(answers[0]) == {kettle.sku: 0}
        assert answers[1] is None
        assert held_by(bob.order_id) == {mug.stock.get().pk: 1}

    def test_answers_stand_in_the_order_of_the_questions(self):
        mug, kettle = a_mug(stock=1), a_kettle(stock=0)

        answers = reserve(*(wants((x, 1)) for x in (kettle, mug, kettle, mug)))

        assert [answer is None for answer in answers] == [False, True, False, False]

    def test_batch_of_two_hundred_on_one_sku_is_one_write(self):
        mug = a_mug(stock=200)

        assert reserve(*(wants((mug, 1)) for _ in range(200))) == [None] * 200

        assert stock_of(mug) == (200, 200)
        assert mug.stock.get().version == 1, "a hot row is written once per batch"

    def test_roll_back_takes_everything_back(self):
        mug = a_mug(stock=3)
        before = Books.now()

        with pytest.raises(RuntimeError, match="power cut"), transaction.atomic():
            reserve(wants((mug, 3)))
            raise RuntimeError("power cut")

        assert Books.now() == before


@under_each_strategy
@pytest.mark.django_db
class TestTwoLinesOfOneSku:
    """Checked separately, each would fit a stock that both together do not."""

    def test_both_together_are_held_or_neither(self):
        mug = a_mug(stock=3)
        fits, does_not = wants((mug, 1), (mug, 2)), wants((mug, 2), (mug, 2))

        assert left(reserve(does_not)[0]) == {mug.sku: 3}
        assert stock_of(mug) == (3, 0)
        assert reserve(fits) == [None]
        assert stock_of(mug) == (3, 3)
        assert_books_agree([mug])


@under_each_strategy
@pytest.mark.race
@pytest.mark.django_db(transaction=True)
class TestRaces:
    def test_eighty_buyers_and_twenty_units_sell_exactly_twenty(self):
        mug = a_mug(stock=20)

        answers = at_once(80, lambda _: reserve(wants((mug, 1)))[0])

        assert Counter(map(outcome, answers)) == {"held": 20, f"{mug.sku}: 0 left": 60}
        assert stock_of(mug) == (20, 20)
        assert_books_agree([mug])

    def test_nobody_is_refused_what_is_left_in_the_end(self):
        mug = a_mug(stock=20)

        def buy(number: int) -> tuple[int, str]:
            units = 1 + number % 3
            return units, outcome(reserve(wants((mug, units)))[0])

        answers = at_once(40, buy)

        sold = sum(units for units, word in answers if word == "held")
        refused = [units for units, word in answers if word != "held"]
        assert stock_of(mug) == (20, sold)
        assert min(refused) > 20 - sold
        assert_books_agree([mug])

    def test_carts_in_opposite_order_of_skus_do_not_deadlock(self):
        mug, kettle = a_mug(stock=400), a_kettle(stock=400)

        def buy(number: int) -> list[str]:
            lines = ((mug, 1), (kettle, 1))
            got = []
            for _ in range(10):
                (short,) = reserve(wants(*(lines if number % 2 else reversed(lines))))
                got.append(outcome(short))
            return got

        answers = at_once(8, buy)

        assert answers == [["held"] * 10] * 8
        assert (stock_of(mug), stock_of(kettle)) == ((400, 80), (400, 80))

    def test_scarce_things_in_opposite_order_do_not_deadlock(self):
        """Where it does not fit, the strategies lock; and over several warehouses."""
        mug, kettle = a_mug(stock=6), a_kettle(stock=6)
        for variant in (kettle, mug):  # the shelves' ids run against those of the SKUs
            StockItemFactory(warehouse=WarehouseFactory(priority=20), variant=variant, on_hand=6)

        def buy(number: int) -> list[str]:
            lines = ((mug, 2), (kettle, 1))
            return [
                outcome(reserve(wants(*(lines if number % 2 else reversed(lines))))[0])
                for _ in range(3)
            ]

        answers = [word for got in at_once(10, buy) for word in got]

        assert answers.count("held") == 6
        assert stock_of(mug) == (12, 12)
        assert stock_of(kettle) == (12, 6)
        assert_books_agree([mug, kettle])

    def test_counters_do_not_drift_while_holds_come_and_go(self):
        mug = a_mug(stock=5)

        def buy_and_think_again(number: int) -> None:
            for turn in range(6):
                order = wants((mug, 1))
                if reserve(order) == [None]:
                    with transaction.atomic():
                        if (number + turn) % 2:
                            holds.release([order.order_id])
                        else:
                            holds.confirm([order.order_id])
                            holds.restock([order.order_id], reason="changed her mind")

        assert at_once(10, buy_and_think_again) == [None] * 10

        assert stock_of(mug) == (5, 0)
        assert_books_agree([mug])

    def test_last_units_go_to_whoever_waited_for_the_lock(self):
        """Who waits for the row sees that the hold before hers was taken back."""
        mug = a_mug(stock=1)
        taken, hurry = threading.Event(), threading.Event()

        def changes_her_mind(_: int) -> None:
            with transaction.atomic():
                holds.reserve([wants((mug, 1))], hold_time=A_WHILE)
                taken.set()
                assert hurry.wait(10)
                transaction.set_rollback(True)

        def waits(_: int) -> str:
            assert taken.wait(10)
            hurry_when_waiting = threading.Thread(target=release_when_blocked, args=[hurry])
            hurry_when_waiting.start()
            try:
                return outcome(reserve(wants((mug, 1)))[0])
            finally:
                hurry.set()
                hurry_when_waiting.join()

        answers = at_once(2, lambda number: (waits, changes_her_mind)[number](number))

        assert sorted(answers, key=str) == [None, "held"]
        assert stock_of(mug) == (1, 1)

    def test_unit_that_comes_back_while_she_waits_is_taken_once(self, monkeypatch):
        """None left when her UPDATE begins, one again when she has the locks.

        A statement sees each row as it was at its beginning, and as it is now only where it had to
        wait or meets a change. Half of a cart was taken, and then all of it.
        """
        mug, last = a_mug(stock=9), a_kettle(stock=1)
        read = shelves.read
        with psycopg.connect(**connection.get_connection_params()) as other:

            def come_and_go(requests):
                monkeypatch.setattr(shelves, "read", read)
                found = read(requests)
                set_reserved(other, last, 1)
                other.commit()
                set_reserved(other, mug, 0)  # locks it, for as long as nobody waits
                threading.Thread(target=give_back).start()
                return found

            def give_back():
                waits = threading.Event()
                release_when_blocked(waits)
                set_reserved(other, last, 0)
                other.commit()

            monkeypatch.setattr(shelves, "read", come_and_go)
            order = wants((mug, 2), (last, 1))

            assert reserve(order) == [None]

        assert (stock_of(mug), stock_of(last)) == ((9, 2), (1, 1))
        assert_books_agree([mug, last])


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_control_without_a_guard_oversells(settings, monkeypatch):
    """The race test above can fail: read, then write what was read plus one."""
    readers = threading.Barrier(8)

    def unguarded(requests):
        rows = shelves.read(requests)
        answers = hand_out(rows, requests)
        readers.wait(timeout=20)  # everybody has read before anybody writes
        for row in rows:
            if row.taken:
                before = StockItem.objects.get(pk=row.id).on_hand - row.available
                StockItem.objects.filter(pk=row.id).update(
                    reserved=min(before, 0) + row.taken, version=F("version") + 1
                )
        return answers

    monkeypatch.setitem(strategies.BY_NAME, "unguarded", unguarded)
    settings.INVENTORY_STRATEGY = "unguarded"
    mug = a_mug(stock=1)

    answers = at_once(8, lambda _: reserve(wants((mug, 1)))[0])

    assert [outcome(answer) for answer in answers] == ["held"] * 8
    assert units_held(mug) == 8
    assert stock_of(mug) == (1, 1), "no CHECK can see it: the counter itself looks right"


def set_reserved(somebody: psycopg.Connection, variant: Variant, units: int) -> None:
    somebody.execute(
        "UPDATE inventory_stockitem SET reserved = %s WHERE variant_id = %s", [units, variant.pk]
    )


def outcome(answer: object) -> str:
    """`"held"`, or what the shopper hears."""
    if answer is None:
        return "held"
    if isinstance(answer, Shortage):
        return ", ".join(f"{line.sku}: {line.available} left" for line in answer.lines)
    return repr(answer)


def release_when_blocked(hurry: threading.Event) -> None:
    """Set `hurry` once somebody waits for a row's lock."""
    deadline = time.monotonic() + 10
    try:
        while time.monotonic() < deadline:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT count(*) FROM pg_stat_activity"
                    " WHERE wait_event_type = 'Lock' AND datname = current_database()"
                )
                if cursor.fetchone()[0]:
                    return
    finally:
        hurry.set()
        connection.close()
