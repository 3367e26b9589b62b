"""Stock: a unit sold twice, counters that drift, carts that lock each other."""

import itertools
import threading
import time
from collections import Counter
from contextlib import suppress
from uuid import UUID

import pytest
from django.db import transaction

from apps.catalog.models import Variant
from apps.inventory import allocation, holds, strategies
from apps.inventory.models import StockItem
from apps.inventory.strategies import conditional, stock_rows
from apps.orders.errors import NotCancellable
from apps.orders.fulfilment.cancellation import request_cancellation
from apps.orders.models import Order, Saga, SagaStep
from apps.orders.saga import engine
from tests.factories import PromoFactory, a_kettle, a_mug
from tests.failures.shoppers import (
    DECLINED,
    Shopper,
    accepted_first,
    changed,
    meet,
    sold_out,
    without,
)
from tests.inventory.stock_checks import reserve, wants
from tests.orders.checkouts import everything
from tests.orders.purchases import TOTAL, Shop, at_once


def terminal(shop: Shop, order_id: UUID) -> str:
    """How an order ended; that it did is asserted."""
    assert shop.saga(order_id).state in ("done", "undone")
    return shop.order(order_id).status


# --- Last unit, two payers ------------------------------------------------------------------------


def both_buy(alice: Shopper, bob: Shopper, *lines: tuple[Variant, int]) -> list:
    both = (alice, bob)
    return accepted_first(at_once(2, lambda n: both[n].orders(both[n].body(*lines))))


@pytest.mark.race
@pytest.mark.parametrize("strategy", strategies.BY_NAME)
def test_last_unit_goes_to_one_of_two_payers(
    shop: Shop,
    alice: Shopper,
    bob: Shopper,
    two_processes: None,
    monkeypatch: pytest.MonkeyPatch,
    settings,
    strategy: str,
) -> None:
    settings.INVENTORY_STRATEGY = strategy
    last = a_mug(stock=1)
    meet(monkeypatch, holds, "reserve")  # both reserve at the same moment

    accepted, refused = both_buy(alice, bob, (last, 1))

    assert (accepted.status_code, sold_out(refused)) == (202, {last.sku: 0})
    shop.run()
    order = Order.objects.get()
    assert shop.stock(last) == (0, 0)
    assert shop.movements(last) == [("initial", 1), ("confirmed", -1)]
    assert shop.at_gateway(order.pk) == [("succeeded", TOTAL, 0)]
    assert len(shop.intents()) == 1, "who came second was not charged"
    shop.assert_confirmed(order.pk)


@pytest.mark.race
def test_last_unit_seen_free_by_both_is_taken_by_one(
    shop: Shop, alice: Shopper, bob: Shopper, two_processes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = a_mug(stock=1)
    meet(monkeypatch, stock_rows, "read", after=True)

    accepted, refused = both_buy(alice, bob, (last, 1))

    assert (accepted.status_code, sold_out(refused)) == (202, {last.sku: 0})
    assert shop.stock(last) == (1, 1)
    shop.run()
    shop.assert_confirmed(Order.objects.get().pk)


@pytest.mark.race
def test_control_last_unit_without_condition_and_check_is_sold_and_paid_twice(
    shop: Shop, alice: Shopper, bob: Shopper, two_processes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = a_mug(stock=1)
    meet(monkeypatch, stock_rows, "read", after=True)
    unguarded = changed(
        conditional.RESERVE,
        ("s.on_hand - s.reserved >= n.units OR s.sells_on AS fits", "true AS fits"),
        ("s.id = n.id AND (s.on_hand - s.reserved >= n.units OR s.sells_on)", "s.id = n.id"),
    )
    monkeypatch.setattr(conditional, "RESERVE", unguarded)

    with without("stock_reserved_between_zero_and_on_hand"):
        answers = both_buy(alice, bob, (last, 1))

        assert [answer.status_code for answer in answers] == [202, 202]
        assert shop.stock(last) == (1, 2)
        shop.run()
        assert shop.stock(last) == (-1, 0)
        charges = [(i["status"], i["amount_received"]) for i in shop.intents()]
        assert charges == [("succeeded", TOTAL)] * 2
        assert set(shop.violations(liveness=False)) == {3}


# --- Stale cart completes after the stock was sold ------------------------------------------------


def test_stale_cart_does_not_complete_after_its_stock_was_sold(
    shop: Shop, alice: Shopper, bob: Shopper
) -> None:
    last = a_mug(stock=1)
    cart_id = alice.cart_of((last, 1))
    bobs = bob.buys((last, 1))
    shop.run()
    before = everything()

    refused = alice.orders(alice.body(cart=cart_id), key="k-1")

    assert sold_out(refused) == {last.sku: 0}
    assert everything() == before
    assert shop.at_gateway(bobs) == [("succeeded", TOTAL, 0)]
    assert len(shop.intents()) == 1, "the bank was not asked"
    document = alice.get(f"/carts/{cart_id}/").json()
    assert [(p["code"], p["available"]) for p in document["problems"]] == [
        ("insufficient_stock", 0)
    ]
    shop.assert_confirmed(bobs)

    bob.cancels(bobs)
    shop.run()
    order_id = alice.buys(cart=cart_id, key="k-1")
    shop.run()
    assert shop.stock(last) == (0, 0)
    shop.assert_confirmed(order_id)


# --- Two lines of one cart on the same SKU, checked separately ------------------------------------


def test_two_lines_of_one_sku_are_checked_together(shop: Shop, alice: Shopper) -> None:
    mug = a_mug(stock=3)
    before = everything()

    refused = alice.orders(alice.body((mug, 2), (mug, 2)))

    assert sold_out(refused) == {mug.sku: 3}
    assert everything() == before
    order_id = alice.buys((mug, 1), (mug, 2))
    assert shop.stock(mug) == (3, 3)
    assert [(ln.quantity, ln.line_amount) for ln in shop.order(order_id).lines.all()] == [(3, 5400)]
    shop.run()
    assert shop.stock(mug) == (0, 0)
    shop.assert_confirmed(order_id)


def test_control_two_lines_checked_separately_pass_a_stock_that_is_too_small(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    mug = a_mug(stock=3)
    monkeypatch.setattr(allocation, "_one_line_per_sku", lambda lines: lines)

    with pytest.raises(RuntimeError, match="let through of which 1 units are missing"):
        reserve(wants((mug, 2), (mug, 2)))  # four of three: an error, where a 409 belongs


# --- Counters drift under concurrent reserve and release ------------------------------------------


@pytest.mark.race
@pytest.mark.usefixtures("declines_are_final")
def test_counters_do_not_drift_while_orders_come_and_go(shop: Shop, two_processes: None) -> None:
    """Eight shoppers buy, are declined and change their minds while two workers carry on."""
    mug, promo = a_mug(stock=60), PromoFactory(code="RUSH", total_limit=40)
    shoppers_left, lock = [8], threading.Lock()

    def work() -> None:
        ends = time.monotonic() + 60
        while shoppers_left[0] or Saga.objects.filter(state__in=["forward", "undoing"]).exists():
            assert time.monotonic() < ends, "the workers do not come to an end"
            engine.advance(limit=5)

    def shop_about(number: int) -> list[UUID]:
        shopper, bought = Shopper(shop, f"shopper{number}"), []
        try:
            for turn in range(4):
                card = DECLINED if (number + turn) % 3 == 0 else "pm_card_visa"
                order_id = shopper.buys((mug, 1 + turn % 2), payment_method=card, promo_code="RUSH")
                bought.append(order_id)
                if turn % 2:
                    with suppress(NotCancellable):
                        request_cancellation(order_id)
        finally:
            with lock:
                shoppers_left[0] -= 1
        return bought

    answers = at_once(10, lambda n: work() if n < 2 else shop_about(n))

    errors = [answer for answer in answers if isinstance(answer, Exception)]
    assert errors == []
    ended = Counter(terminal(shop, order_id) for bought in answers if bought for order_id in bought)
    assert set(ended) == {"CONFIRMED", "CANCELLED"}
    assert ended.total() == 32
    sold = sum(
        line.quantity
        for order in Order.objects.filter(status="CONFIRMED").prefetch_related("lines")
        for line in order.lines.all()
    )
    assert shop.stock(mug) == (60 - sold, 0)
    promo.refresh_from_db()
    assert promo.used == ended["CONFIRMED"]
    shop.assert_audit_clean()


@pytest.mark.race
def test_control_counters_read_changed_and_written_back_drift(
    shop: Shop, alice: Shopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_ids = [alice.buys(), alice.buys()]
    both_have_read = threading.Barrier(2)

    def careless(moved, *, on_hand: int, reserved: int) -> None:
        ((_, item_id, quantity),) = moved
        seen = StockItem.objects.get(pk=item_id)
        both_have_read.wait(timeout=60)
        StockItem.objects.filter(pk=item_id).update(reserved=seen.reserved + reserved * quantity)

    monkeypatch.setattr(holds, "_change", careless)

    def release(number: int) -> None:
        with transaction.atomic():
            holds.release([order_ids[number]])

    assert at_once(2, release) == [None, None]
    assert shop.stock() == (10, 1), "two came back, one was counted"
    assert 2 in shop.violations(liveness=False)


# --- Deadlock of [A, B] against [B, A] ------------------------------------------------------------


@pytest.mark.race
def test_carts_in_opposite_order_all_get_through_while_workers_move_the_same_rows(
    shop: Shop, two_processes: None
) -> None:
    mug, kettle = a_mug(stock=200), a_kettle(stock=200)
    shoppers_left, lock = [6], threading.Lock()

    def work() -> None:
        ends = time.monotonic() + 60
        while shoppers_left[0] or Saga.objects.filter(state__in=["forward", "undoing"]).exists():
            assert time.monotonic() < ends
            engine.advance(limit=3)

    def buy(number: int) -> list[int]:
        shopper, lines = Shopper(shop, f"shopper{number}"), ((mug, 1), (kettle, 1))
        try:
            return [
                shopper.orders(shopper.body(*(lines if number % 2 else lines[::-1]))).status_code
                for _ in range(4)
            ]
        finally:
            with lock:
                shoppers_left[0] -= 1

    answers = at_once(8, lambda n: work() if n < 2 else buy(n))

    assert [answer for answer in answers if answer is not None] == [[202] * 4] * 6
    assert (shop.stock(mug), shop.stock(kettle)) == ((176, 0), (176, 0))
    assert Order.objects.filter(status="CONFIRMED").count() == 24
    assert not SagaStep.objects.exclude(outcome="done").exists(), "no worker was a victim either"
    shop.assert_audit_clean()


@pytest.mark.race
def test_control_rows_locked_in_the_order_of_the_cart_deadlock(
    shop: Shop, alice: Shopper, bob: Shopper, two_processes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    mug, kettle = a_mug(stock=5), a_kettle(stock=5)
    both_hold_one, firsts = threading.Barrier(2), itertools.count()

    def as_the_cart_says(requests):
        for line in requests[0].lines:
            StockItem.objects.select_for_update().get(variant_id=line.variant_id)
            if next(firsts) < 2:
                both_hold_one.wait(timeout=60)
        return conditional.reserve(requests)

    monkeypatch.setitem(strategies.BY_NAME, "as the cart says", as_the_cart_says)
    monkeypatch.setattr("django.conf.settings.INVENTORY_STRATEGY", "as the cart says")
    lines = {0: ((mug, 1), (kettle, 1)), 1: ((kettle, 1), (mug, 1))}
    both = (alice, bob)

    answers = accepted_first(at_once(2, lambda n: both[n].orders(both[n].body(*lines[n]))))

    assert answers[0].status_code == 202
    assert answers[1].status_code >= 500, "one of the two was the deadlock's victim"
    assert shop.stock(mug) == (5, 1)
