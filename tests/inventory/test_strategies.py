"""The three strategies give the same guarantees: whole orders, first come, no unit twice."""

import pytest
from django.db import IntegrityError, connection, transaction

from apps.inventory.models import Hold
from tests.factories import (
    StockItemFactory,
    WarehouseFactory,
    a_kettle,
    a_mug,
    held_mug,
    sold_out_mug,
)
from tests.inventory.conftest import under_each_strategy
from tests.inventory.stock_checks import (
    A_WHILE,
    StockSnapshot,
    assert_stock_consistent,
    held_by,
    ledger,
    left,
    reserve,
    stock_of,
    wants,
)


@under_each_strategy
@pytest.mark.django_db
class TestOneOrder:
    def test_units_are_held_and_stay_on_hand(self):
        mug = a_mug(stock=5)
        order = wants((mug, 2))

        assert reserve(order) == [None]

        assert stock_of(mug) == (5, 2)
        assert held_by(order.order_id) == {mug.stock.get().pk: 2}
        assert ledger(mug) == [("initial", 5)], "a hold is no movement"

    def test_hold_expires_by_the_clock_of_the_database(self):
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
        before = StockSnapshot.now()

        (short,) = reserve(wants((mug, 3), (kettle, 3)))

        assert left(short) == {kettle.sku: 2}
        assert StockSnapshot.now() == before

    def test_each_line_that_does_not_fit_is_named_with_what_is_left(self):
        mug, kettle, cup = a_mug(stock=2), a_kettle(stock=0), a_mug(stock=9)
        before = StockSnapshot.now()

        (short,) = reserve(wants((mug, 3), (kettle, 1), (cup, 9)))

        assert left(short) == {mug.sku: 2, kettle.sku: 0}
        assert StockSnapshot.now() == before

    @pytest.mark.parametrize("make", [sold_out_mug, held_mug, lambda: a_mug(stock=None)])
    def test_sold_out_held_or_never_stocked_is_short_by_all(self, make):
        mug = make()
        before = StockSnapshot.now()

        assert left(reserve(wants((mug, 1)))[0]) == {mug.sku: 0}

        assert StockSnapshot.now() == before

    def test_units_held_by_others_are_not_for_sale(self):
        mug = a_mug(stock=5)
        reserve(wants((mug, 4)))

        assert left(reserve(wants((mug, 2)))[0]) == {mug.sku: 1}

        assert stock_of(mug) == (5, 4)

    def test_order_holds_a_stock_item_once(self):
        """A second reservation for one order is a mistake, and the database refuses it."""
        mug = a_mug(stock=5)
        order = wants((mug, 1))
        reserve(order)

        with pytest.raises(IntegrityError):
            reserve(order)

        assert stock_of(mug) == (5, 1)

    def test_empty_batch_changes_nothing(self):
        before = StockSnapshot.now()
        assert reserve() == []
        assert StockSnapshot.now() == before


@under_each_strategy
@pytest.mark.django_db
class TestSeveralWarehouses:
    def test_preferred_warehouse_is_used_first(self):
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
        before = StockSnapshot.now()

        assert left(reserve(wants((mug, 5)))[0]) == {mug.sku: 4}

        assert StockSnapshot.now() == before

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

    def test_order_that_does_not_fit_leaves_its_units_to_later_ones(self):
        mug = a_mug(stock=3)
        greedy, bob = wants((mug, 4)), wants((mug, 3))

        answers = reserve(greedy, bob)

        assert left(answers[0]) == {mug.sku: 3}
        assert answers[1] is None
        assert stock_of(mug) == (3, 3)

    def test_order_short_of_one_thing_leaves_the_other_to_later_ones(self):
        mug, kettle = a_mug(stock=1), sold_out_mug()
        alice, bob = wants((mug, 1), (kettle, 1)), wants((mug, 1))

        answers = reserve(alice, bob)

        assert left(answers[0]) == {kettle.sku: 0}
        assert answers[1] is None
        assert held_by(bob.order_id) == {mug.stock.get().pk: 1}

    def test_answers_come_in_the_order_of_the_requests(self):
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
        before = StockSnapshot.now()

        with pytest.raises(RuntimeError, match="power cut"), transaction.atomic():
            reserve(wants((mug, 3)))
            raise RuntimeError("power cut")

        assert StockSnapshot.now() == before


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
        assert_stock_consistent([mug])
