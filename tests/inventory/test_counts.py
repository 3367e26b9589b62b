"""Counting the shelf: an absolute number, compared with the books as they were at its start."""

from threading import Barrier

import pytest

from apps.inventory import holds, stock
from apps.inventory.models import StockItem, StockMovement
from apps.inventory.stock import CountedMeanwhile, Seen, WouldGoBelowReserved
from tests.factories import a_mug, held_mug
from tests.inventory.stock_checks import assert_stock_consistent, reserve, wants
from tests.threads import at_once

pytestmark = pytest.mark.django_db


def shelf(**mug: object) -> StockItem:
    return StockItem.objects.get(variant=a_mug(**mug))


def seen(item: StockItem) -> Seen:
    return stock.seen_now([item])[item.pk]


def count(item: StockItem, counted: int, *, against: Seen, actor: str = "clerk") -> StockItem:
    return stock.count(item, counted=counted, seen=against, reason="Monday", actor=actor)


def sell(item: StockItem, units: int) -> None:
    """As a sale changes the row: the units leave, and the ledger says so."""
    StockItem.objects.filter(pk=item.pk).update(on_hand=item.on_hand - units)
    StockMovement.objects.create(stock_item=item, kind="confirmed", quantity=-units)


def test_count_becomes_the_number_in_the_books() -> None:
    item = shelf(stock=10)

    assert count(item, 7, against=seen(item)).on_hand == 7

    movement = item.movements.get(kind="adjusted")
    assert (movement.quantity, movement.actor) == (-3, "clerk")
    assert movement.reason == "counted 7, 10 in the books: Monday"
    assert_stock_consistent([item.variant])


def test_count_that_agrees_is_kept_with_who_and_when() -> None:
    item = shelf(stock=10)

    count(item, 10, against=seen(item))

    movement = item.movements.get(kind="adjusted")
    assert (movement.quantity, movement.actor) == (0, "clerk")
    assert movement.created_at is not None
    assert_stock_consistent([item.variant])


def test_sale_during_the_count_is_not_undone() -> None:
    item = shelf(stock=10)
    begun = seen(item)
    sell(item, 2)

    assert count(item, 10, against=begun).on_hand == 8
    assert_stock_consistent([item.variant])


def test_delivery_during_the_count_is_not_booked_away() -> None:
    item = shelf(stock=10, sku="MUG-1")
    begun = seen(item)
    stock.receive(sku="MUG-1", quantity=5, reason="pallet", actor="clerk")

    assert count(item, 9, against=begun).on_hand == 14


@pytest.mark.parametrize(("counted", "then"), [(0, -3), (2, -1)])
def test_empty_shelf_does_not_forget_what_is_owed(counted: int, then: int) -> None:
    mug = a_mug(stock=2)
    mug.inventory_policy = "continue"
    mug.save()
    item = StockItem.objects.get(variant=mug)
    sell(item, 5)
    item.refresh_from_db()

    assert count(item, counted, against=seen(item)).on_hand == then
    assert_stock_consistent([mug])


def test_second_count_of_the_same_difference_is_refused() -> None:
    item = shelf(stock=10)
    begun = seen(item)
    count(item, 8, against=begun, actor="ann")

    with pytest.raises(CountedMeanwhile) as refused:
        count(item, 8, against=begun, actor="ben")

    item.refresh_from_db()
    assert (refused.value.on_hand, item.on_hand) == (8, 8)


def test_count_below_what_is_held_is_refused() -> None:
    item = StockItem.objects.get(variant=held_mug(stock=2))
    with pytest.raises(WouldGoBelowReserved):
        count(item, 0, against=seen(item))
    assert not item.movements.filter(kind="adjusted").exists()


def test_count_below_zero_is_refused() -> None:
    item = shelf(stock=1)
    with pytest.raises(ValueError, match="below zero"):
        count(item, -1, against=seen(item))


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_of_counts_at_the_same_moment_one_is_booked() -> None:
    item = shelf(stock=10)
    begun = seen(item)

    answers = at_once(6, lambda number: count(item, 8, against=begun, actor=f"clerk {number}"))

    refused = [answer for answer in answers if isinstance(answer, CountedMeanwhile)]
    assert len(refused) == 5
    item.refresh_from_db()
    assert item.on_hand == 8
    assert_stock_consistent([item.variant])


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_without_the_lock_the_same_difference_is_booked_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """That the race above can fail: each counter reads the ledger before the other has written."""
    item = shelf(stock=10)
    begun = seen(item)
    monkeypatch.setattr(
        StockItem.objects, "select_for_update", lambda **_: StockItem.objects.all(), raising=False
    )
    book, together = stock._book, Barrier(2)

    def book_together(*given: object) -> None:
        together.wait(timeout=10)
        book(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(stock, "_book", book_together)

    at_once(2, lambda number: count(item, 8, against=begun))

    item.refresh_from_db()
    assert item.on_hand == 6


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_sales_at_the_moment_of_the_count_all_stay_sold() -> None:
    item = shelf(stock=20)
    orders = [wants((item.variant, 1)) for _ in range(5)]
    assert reserve(*orders) == [None] * 5
    begun = seen(item)

    def work(number: int) -> object:
        if number == 5:
            return count(item, 19, against=begun)
        return holds.confirm([orders[number].order_id])

    answers = at_once(6, work)

    assert not [answer for answer in answers if isinstance(answer, Exception)]
    item.refresh_from_db()
    assert (item.on_hand, item.reserved) == (20 - 5 - 1, 0)
    assert_stock_consistent([item.variant])
