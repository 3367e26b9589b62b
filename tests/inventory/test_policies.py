"""What is sold beyond what is there: `continue` and `untracked`, under each strategy."""

import pytest

from apps.catalog.models import Variant
from apps.inventory import holds, stock
from apps.inventory.models import Hold, StockMovement
from apps.inventory.policy import Policy
from apps.inventory.stock import ENDLESS, WouldGoBelowReserved
from tests.factories import StockItemFactory, VariantFactory, WarehouseFactory, a_kettle, a_mug
from tests.inventory.conftest import under_each_strategy
from tests.inventory.stock_checks import (
    StockSnapshot,
    assert_stock_consistent,
    held_by,
    ledger,
    left,
    reserve,
    stock_of,
    wants,
)

pytestmark = pytest.mark.django_db

sells_on = pytest.mark.parametrize("policy", [Policy.CONTINUE, Policy.UNTRACKED])


def a_mug_that(policy: str, *, stock: int | None = 2) -> Variant:
    """A mug with this policy."""
    mug = a_mug(stock=stock)
    mug.inventory_policy = policy
    mug.save()
    return mug


@under_each_strategy
@sells_on
class TestReserving:
    def test_more_than_there_is_is_held(self, policy):
        mug = a_mug_that(policy)
        order = wants((mug, 5))

        assert reserve(order) == [None]

        assert stock_of(mug) == (2, 5)
        assert held_by(order.order_id) == {mug.stock.get().pk: 5}
        assert_stock_consistent([mug])

    def test_sold_out_is_what_it_never_is(self, policy):
        mug = a_mug_that(policy, stock=0)

        assert reserve(*(wants((mug, 1)) for _ in range(3))) == [None] * 3
        assert reserve(wants((mug, 2))) == [None]

        assert stock_of(mug) == (0, 5)

    def test_a_cart_is_still_short_of_its_other_line(self, policy):
        mug, kettle = a_mug_that(policy, stock=0), a_kettle(stock=1)
        before = StockSnapshot.now()

        (short,) = reserve(wants((mug, 4), (kettle, 2)))

        assert left(short) == {kettle.sku: 1}
        assert StockSnapshot.now() == before

    def test_a_batch_of_both_kinds_is_served_order_by_order(self, policy):
        mug, kettle = a_mug_that(policy, stock=0), a_kettle(stock=1)

        answers = reserve(
            wants((mug, 1), (kettle, 1)), wants((mug, 3)), wants((mug, 1), (kettle, 1))
        )

        assert answers[:2] == [None, None]
        assert left(answers[2]) == {kettle.sku: 0}
        assert (stock_of(mug), stock_of(kettle)) == ((0, 4), (1, 1))
        assert_stock_consistent([mug, kettle])

    def test_every_warehouse_is_emptied_before_one_owes(self, policy):
        mug = a_mug_that(policy, stock=2)
        far = StockItemFactory(warehouse=WarehouseFactory(priority=20), variant=mug, on_hand=2)
        near = mug.stock.exclude(pk=far.pk).get()
        order = wants((mug, 7))

        assert reserve(order) == [None]

        assert held_by(order.order_id) == {near.pk: 5, far.pk: 2}


@sells_on
class TestUntilTheEndOfAnOrder:
    def test_a_sale_leaves_on_hand_below_zero_and_in_the_ledger(self, policy):
        mug = a_mug_that(policy)
        order = wants((mug, 5))
        reserve(order)

        assert holds.confirm([order.order_id]) == {order.order_id}
        assert holds.confirm([order.order_id]) == {order.order_id}

        assert stock_of(mug) == (-3, 0)
        assert ledger(mug) == [("initial", 2), ("confirmed", -5)]
        assert_stock_consistent([mug])

    @pytest.mark.parametrize("confirmed", [False, True])
    def test_a_cancelled_order_leaves_no_trace_in_the_counts(self, policy, confirmed):
        mug = a_mug_that(policy, stock=0)
        order = wants((mug, 5))
        reserve(order)
        if confirmed:
            holds.confirm([order.order_id])

        for _ in range(2):
            holds.release([order.order_id])
            holds.restock([order.order_id], reason="order cancelled")

        assert stock_of(mug) == (0, 0)
        assert_stock_consistent([mug])

    def test_returned_units_pay_what_is_owed(self, policy):
        mug = a_mug_that(policy, stock=0)
        order = wants((mug, 5))
        reserve(order)
        holds.confirm([order.order_id])

        stock.receive(
            sku=mug.sku,
            quantity=2,
            kind=StockMovement.Kind.RETURNED,
            reason="return",
            actor="clerk",
            order_id=order.order_id,
        )

        assert stock_of(mug) == (-3, 0)
        assert_stock_consistent([mug])


class TestWhatIsForSale:
    def test_a_debt_is_a_level_below_zero_and_endless_to_shoppers(self):
        mug = a_mug_that(Policy.CONTINUE)
        order = wants((mug, 5))
        reserve(order)
        holds.confirm([order.order_id])
        reserve(wants((mug, 1)))

        level = stock.levels([mug.sku])[mug.sku]

        assert (level.on_hand, level.reserved, level.policy) == (-3, 1, "continue")
        assert level.for_sale == ENDLESS
        assert stock.availability([mug.sku]) == {mug.sku: ENDLESS}

    @pytest.mark.parametrize(
        ("policy", "of_one", "of_five"), [("continue", 0, 3), ("untracked", 0, 0), ("deny", 0, 0)]
    )
    def test_units_that_are_not_there_are_back_ordered(self, policy, of_one, of_five):
        level = stock.levels([a_mug_that(policy).sku]).popitem()[1]

        assert (level.back_ordered(1), level.back_ordered(5)) == (of_one, of_five)

    def test_all_units_are_back_ordered_where_some_are_owed_already(self):
        level = stock.Level(on_hand=-3, reserved=2, policy=Policy.CONTINUE)

        assert level.back_ordered(4) == 4

    @sells_on
    def test_a_variant_without_stock_gets_a_stock_item_to_be_sold_from(self, policy):
        mug = VariantFactory(inventory_policy=policy)

        assert stock.availability([mug.sku]) == {mug.sku: ENDLESS}
        assert reserve(wants((mug, 1))) == [None]


class TestCounts:
    def test_a_debt_is_received_in_parts(self):
        mug = a_mug_that(Policy.CONTINUE, stock=0)
        stock.adjust(sku=mug.sku, change=-3, reason="sold elsewhere", actor="clerk")

        stock.receive(sku=mug.sku, quantity=2, reason="pallet", actor="clerk")

        assert stock_of(mug) == (-1, 0)
        assert_stock_consistent([mug])

    def test_a_first_count_may_be_a_debt_where_it_sells_on(self):
        mug = VariantFactory(inventory_policy=Policy.CONTINUE)

        stock.open_count(sku=mug.sku, counted=-3, reason="counted", actor="import")

        assert ledger(mug) == [("adjusted", -3)]
        assert stock_of(mug) == (-3, 0)

    def test_and_not_where_it_is_sold_out_by_its_count(self):
        mug = a_mug(stock=None)

        with pytest.raises(WouldGoBelowReserved):
            stock.open_count(sku=mug.sku, counted=-3, reason="counted", actor="import")

        assert ledger(mug) == []
        assert not Hold.objects.exists()
