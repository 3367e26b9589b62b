"""Allocation: which order gets which units. Pure, so hypothesis can try any stock and orders."""

from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as some

from apps.inventory.allocation import (
    Grant,
    ReserveRequest,
    Shortage,
    ShortLine,
    StockRow,
    Wanted,
    allocate,
)

MUG, KETTLE = 7, 8
SKUS = {MUG: "MUG", KETTLE: "KETTLE"}


def asks(*lines: tuple[int, int]) -> ReserveRequest:
    return ReserveRequest(
        uuid4(), tuple(Wanted(variant, SKUS[variant], units) for variant, units in lines)
    )


def test_two_lines_of_one_sku_are_counted_together():
    """Checked separately, each would fit a stock that both together do not."""
    row = StockRow(id=1, variant_id=MUG, available=3)

    assert allocate([row], [asks((MUG, 2), (MUG, 2))]) == [Shortage((ShortLine("MUG", 3),))]
    assert row.allocated == 0


def test_two_lines_of_one_sku_add_up_in_what_was_granted():
    row = StockRow(id=1, variant_id=MUG, available=4)

    assert allocate([row], [asks((MUG, 1), (MUG, 3))]) == [Grant({1: 4})]
    assert row.allocated == 4


def test_row_with_more_reserved_than_on_hand_has_nothing_left():
    """The CHECK forbids such a row; should one exist, no shopper sees minus two units."""
    row = StockRow(id=1, variant_id=MUG, available=-2)

    assert allocate([row], [asks((MUG, 1))]) == [Shortage((ShortLine("MUG", 0),))]


some_rows = some.lists(
    some.tuples(some.sampled_from([MUG, KETTLE]), some.integers(0, 6)), max_size=5
)
some_orders = some.lists(
    some.dictionaries(some.sampled_from([MUG, KETTLE]), some.integers(1, 4), min_size=1),
    max_size=8,
)


@given(some_rows, some_orders)
def test_no_unit_is_given_twice_and_none_is_refused_that_was_left(stock, orders):
    rows = [StockRow(id=i, variant_id=v, available=n) for i, (v, n) in enumerate(stock)]
    requests = [asks(*order.items()) for order in orders]

    answers = allocate(rows, requests)

    left = {variant: sum(n for v, n in stock if v == variant) for variant in SKUS}
    for order, answer in zip(orders, answers, strict=True):
        short = {SKUS[v]: left[v] for v, units in order.items() if left[v] < units}
        if short:
            assert isinstance(answer, Shortage)
            assert {line.sku: line.available for line in answer.lines} == short
        else:
            assert isinstance(answer, Grant)
            assert sum(answer.units.values()) == sum(order.values())
            for variant, units in order.items():
                left[variant] -= units
    for row in rows:
        allocated = sum(a.units.get(row.id, 0) for a in answers if isinstance(a, Grant))
        assert row.allocated == allocated <= row.available


def test_what_sells_on_is_taken_where_it_is_and_then_owed_by_the_preferred_warehouse():
    near = StockRow(id=1, variant_id=MUG, available=-2, sells_on=True)
    far = StockRow(id=2, variant_id=MUG, available=3, sells_on=True)

    answers = allocate([near, far], [asks((MUG, 2)), asks((MUG, 4)), asks((MUG, 1))])

    assert answers == [Grant({2: 2}), Grant({2: 1, 1: 3}), Grant({1: 1})]
    assert (near.allocated, far.allocated) == (4, 3)
