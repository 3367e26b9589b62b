"""Many buyers at once, under each strategy: no unit twice, none refused that is left."""

import threading
import time
from collections import Counter

import psycopg
import pytest
from django.db import connection, transaction
from django.db.models import F

from apps.catalog.models import Variant
from apps.inventory import holds, strategies
from apps.inventory.allocation import Shortage, allocate
from apps.inventory.models import StockItem
from apps.inventory.strategies import stock_rows
from tests.factories import StockItemFactory, WarehouseFactory, a_kettle, a_mug
from tests.inventory.conftest import under_each_strategy
from tests.inventory.stock_checks import (
    A_WHILE,
    assert_stock_consistent,
    reserve,
    stock_of,
    units_held,
    wants,
)
from tests.orders.purchases import at_once


@under_each_strategy
@pytest.mark.race
@pytest.mark.django_db(transaction=True)
class TestRaces:
    def test_eighty_buyers_and_twenty_units_sell_exactly_twenty(self):
        mug = a_mug(stock=20)

        answers = at_once(80, lambda _: reserve(wants((mug, 1)))[0])

        assert Counter(map(outcome, answers)) == {"held": 20, f"{mug.sku}: 0 left": 60}
        assert stock_of(mug) == (20, 20)
        assert_stock_consistent([mug])

    def test_no_order_is_refused_what_is_left_in_the_end(self):
        mug = a_mug(stock=20)

        def buy(number: int) -> tuple[int, str]:
            units = 1 + number % 3
            return units, outcome(reserve(wants((mug, units)))[0])

        answers = at_once(40, buy)

        sold = sum(units for units, word in answers if word == "held")
        refused = [units for units, word in answers if word != "held"]
        assert stock_of(mug) == (20, sold)
        assert min(refused) > 20 - sold
        assert_stock_consistent([mug])

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
        """The strategies lock what does not fit, also over several warehouses."""
        mug, kettle = a_mug(stock=6), a_kettle(stock=6)
        for variant in (kettle, mug):  # stock item ids run opposite to variant ids
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
        assert_stock_consistent([mug, kettle])

    def test_counters_do_not_drift_while_holds_come_and_go(self):
        mug = a_mug(stock=5)

        def buy_and_cancel(number: int) -> None:
            for attempt in range(6):
                order = wants((mug, 1))
                if reserve(order) == [None]:
                    with transaction.atomic():
                        if (number + attempt) % 2:
                            holds.release([order.order_id])
                        else:
                            holds.confirm([order.order_id])
                            holds.restock([order.order_id], reason="order cancelled")

        assert at_once(10, buy_and_cancel) == [None] * 10

        assert stock_of(mug) == (5, 0)
        assert_stock_consistent([mug])

    def test_last_unit_goes_to_the_order_that_waited_for_the_lock(self):
        """An order that waits for the row sees that the hold before it was rolled back."""
        mug = a_mug(stock=1)
        taken, go_on = threading.Event(), threading.Event()

        def holds_and_rolls_back(_: int) -> None:
            with transaction.atomic():
                holds.reserve([wants((mug, 1))], hold_time=A_WHILE)
                taken.set()
                assert go_on.wait(60)
                transaction.set_rollback(True)

        def waits(_: int) -> str:
            assert taken.wait(60)
            watcher = threading.Thread(target=set_when_blocked, args=[go_on])
            watcher.start()
            try:
                return outcome(reserve(wants((mug, 1)))[0])
            finally:
                go_on.set()
                watcher.join()

        answers = at_once(2, lambda number: (waits, holds_and_rolls_back)[number](number))

        assert sorted(answers, key=str) == [None, "held"]
        assert stock_of(mug) == (1, 1)

    def test_unit_released_while_an_order_waits_is_reserved_once(self, monkeypatch):
        """None left when the order's UPDATE begins, one again when it has the locks.

        A statement sees each row as it was at its beginning, and as it is now only where it had to
        wait or finds a change. Without care, half of a cart is reserved, and then all of it.
        """
        mug, last = a_mug(stock=9), a_kettle(stock=1)
        read = stock_rows.read
        with psycopg.connect(**connection.get_connection_params()) as other:

            def read_while_another_changes(requests):
                monkeypatch.setattr(stock_rows, "read", read)
                found = read(requests)
                set_reserved(other, last, 1)
                other.commit()
                set_reserved(other, mug, 0)  # locks the row until `release` commits
                threading.Thread(target=release).start()
                return found

            def release():
                waits = threading.Event()
                set_when_blocked(waits)
                set_reserved(other, last, 0)
                other.commit()

            monkeypatch.setattr(stock_rows, "read", read_while_another_changes)
            order = wants((mug, 2), (last, 1))

            assert reserve(order) == [None]

        assert (stock_of(mug), stock_of(last)) == ((9, 2), (1, 1))
        assert_stock_consistent([mug, last])


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_control_without_a_guard_oversells(settings, monkeypatch):
    """The race test above can fail: read, then write what was read plus one."""
    readers = threading.Barrier(8)

    def unguarded(requests):
        rows = stock_rows.read(requests)
        answers = allocate(rows, requests)
        readers.wait(timeout=60)  # all have read before one writes
        for row in rows:
            if row.allocated:
                before = StockItem.objects.get(pk=row.id).on_hand - row.available
                StockItem.objects.filter(pk=row.id).update(
                    reserved=min(before, 0) + row.allocated, version=F("version") + 1
                )
        return answers

    monkeypatch.setitem(strategies.BY_NAME, "unguarded", unguarded)
    settings.INVENTORY_STRATEGY = "unguarded"
    mug = a_mug(stock=1)

    answers = at_once(8, lambda _: reserve(wants((mug, 1)))[0])

    assert [outcome(answer) for answer in answers] == ["held"] * 8
    assert units_held(mug) == 8
    assert stock_of(mug) == (1, 1), "no CHECK can see it: the counter alone looks right"


def set_reserved(other: psycopg.Connection, variant: Variant, units: int) -> None:
    other.execute(
        "UPDATE inventory_stockitem SET reserved = %s WHERE variant_id = %s", [units, variant.pk]
    )


def outcome(answer: object) -> str:
    """`"held"`, or what is left of each short SKU."""
    if answer is None:
        return "held"
    if isinstance(answer, Shortage):
        return ", ".join(f"{line.sku}: {line.available} left" for line in answer.lines)
    return repr(answer)


def set_when_blocked(go_on: threading.Event) -> None:
    """Set the event once a session waits for a lock."""
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
        go_on.set()
        connection.close()
