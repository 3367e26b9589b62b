"""Stock: the unit sold twice, the unit nobody could buy, the counter that was wrong by evening."""

import itertools
import threading
import time
from collections import Counter
from contextlib import suppress
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from django.db import transaction

from apps.catalog.models import Variant
from apps.inventory import allocation, holds, strategies
from apps.inventory.models import Hold, StockItem
from apps.inventory.strategies import conditional, shelves
from apps.orders import fulfil, moves, returns, saga
from apps.orders.cancel import request_cancellation
from apps.orders.errors import NotCancellable
from apps.orders.fulfil import NotReady
from apps.orders.models import Order, Saga, SagaStep
from apps.payments.refunds import send_due
from tests.api.conftest import problem
from tests.factories import PromoFactory, a_kettle, a_mug
from tests.failures.shoppers import (
    CHALLENGE,
    DECLINED,
    Shopper,
    accepted_first,
    changed,
    meet,
    no_row_locks,
    sold_out,
    without,
)
from tests.inventory.shelf import reserve, wants
from tests.orders.checkouts import everything
from tests.orders.purchases import TOTAL, Shop, at_once


def terminal(shop: Shop, order_id: UUID) -> str:
    """How an order ended; that it did is asserted."""
    assert shop.saga(order_id).state in ("done", "undone")
    return shop.order(order_id).status


# --- Last unit, two payers ------------------------------------------------------------------------


def both_buy(alice: Shopper, bob: Shopper, *lines: tuple[Variant, int]) -> list:
    both = (alice, bob)
    return accepted_first(at_once(2, lambda n: both[n].orders(both[n].wish(*lines))))


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
    meet(monkeypatch, holds, "reserve")  # both come to the shelf at the same moment

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
    meet(monkeypatch, shelves, "read", after=True)

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
    meet(monkeypatch, shelves, "read", after=True)
    unguarded = changed(
        conditional.RESERVE,
        ("s.on_hand - s.reserved >= n.units AS fits", "true AS fits"),
        ("s.id = n.id AND s.on_hand - s.reserved >= n.units", "s.id = n.id"),
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

    refused = alice.orders(alice.wish(cart=cart_id), key="k-1")

    assert sold_out(refused) == {last.sku: 0}
    assert everything() == before
    assert shop.at_gateway(bobs) == [("succeeded", TOTAL, 0)]
    assert len(shop.intents()) == 1, "nobody asked her bank"
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

    refused = alice.orders(alice.wish((mug, 2), (mug, 2)))

    assert sold_out(refused) == {mug.sku: 3}
    assert everything() == before
    order_id = alice.buys((mug, 1), (mug, 2))
    assert shop.stock(mug) == (3, 3)
    assert [(ln.quantity, ln.line_amount) for ln in shop.order(order_id).lines.all()] == [(3, 5400)]
    shop.run()
    assert shop.stock(mug) == (0, 0)
    shop.assert_confirmed(order_id)


def test_control_two_lines_checked_separately_pass_a_shelf_that_has_too_little(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    mug = a_mug(stock=3)
    monkeypatch.setattr(allocation, "_together", lambda lines: lines)

    assert reserve(wants((mug, 2), (mug, 2))) == [None], "four of three"

    assert 2 in shop.violations(liveness=False)


# --- Counters drift under concurrent reserve and release ------------------------------------------


@pytest.mark.race
def test_counters_do_not_drift_while_orders_come_and_go(shop: Shop, two_processes: None) -> None:
    """Eight shoppers buy, are declined and change their minds while two workers carry on."""
    mug, promo = a_mug(stock=60), PromoFactory(code="RUSH", total_limit=40)
    shoppers_left, lock = [8], threading.Lock()

    def work() -> None:
        ends = time.monotonic() + 60
        while shoppers_left[0] or Saga.objects.filter(state__in=["forward", "undoing"]).exists():
            assert time.monotonic() < ends, "the workers do not come to an end"
            saga.advance(limit=5)

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
            saga.advance(limit=3)

    def buy(number: int) -> list[int]:
        shopper, lines = Shopper(shop, f"shopper{number}"), ((mug, 1), (kettle, 1))
        try:
            return [
                shopper.orders(shopper.wish(*(lines if number % 2 else lines[::-1]))).status_code
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
        return conditional.take(requests)

    monkeypatch.setitem(strategies.BY_NAME, "as the cart says", as_the_cart_says)
    monkeypatch.setattr("django.conf.settings.INVENTORY_STRATEGY", "as the cart says")
    lines = {0: ((mug, 1), (kettle, 1)), 1: ((kettle, 1), (mug, 1))}
    both = (alice, bob)

    answers = accepted_first(at_once(2, lambda n: both[n].orders(both[n].wish(*lines[n]))))

    assert answers[0].status_code == 202
    assert answers[1].status_code >= 500, "one of the two was the deadlock's victim"
    assert shop.stock(mug) == (5, 1)


# --- Hold expires during payment ------------------------------------------------------------------


def test_hold_that_expires_during_payment_keeps_its_unit_until_the_payment_is_called_back(
    shop: Shop, alice: Shopper, bob: Shopper
) -> None:
    last = a_mug(stock=1)
    order_id = alice.buys((last, 1), payment_method=CHALLENGE)
    shop.run()
    shop.pass_deadline(order_id)

    assert sold_out(bob.orders(bob.wish((last, 1)))) == {last.sku: 0}

    shop.answer_challenge(order_id, "approve")
    shop.hear()
    shop.run()
    assert alice.sees(order_id) == "CONFIRMED"
    assert (shop.stock(last), len(shop.intents())) == ((0, 0), 1)
    shop.assert_confirmed(order_id)


def test_hold_that_expired_is_free_only_after_the_payment_can_no_longer_come(
    shop: Shop, alice: Shopper, bob: Shopper
) -> None:
    last = a_mug(stock=1)
    order_id = alice.buys((last, 1), payment_method=CHALLENGE)
    shop.run()
    bank_page = urlsplit(shop.payment(order_id).next_action_url).path
    shop.pass_deadline(order_id)
    shop.run()

    assert alice.sees(order_id) == "CANCELLED"
    late = shop.sandbox.raw("POST", bank_page, "decision=approve", key="")
    assert late.status < 500
    bobs = bob.buys((last, 1))
    shop.hear()
    shop.run()

    assert shop.at_gateway(order_id) == [("canceled", 0, 0)]
    assert shop.stock(last) == (0, 0)
    shop.assert_cancelled(order_id)
    shop.assert_confirmed(bobs)


def test_control_hold_released_by_the_clock_alone_sells_a_unit_that_is_being_paid(
    shop: Shop, alice: Shopper, bob: Shopper
) -> None:
    """The textbook's cron: expired holds go back on sale, whatever the payment does."""
    last = a_mug(stock=1)
    order_id = alice.buys((last, 1), payment_method=CHALLENGE)
    shop.run()
    Hold.objects.filter(order_id=order_id).update(expires_at="2020-01-01T00:00Z")

    holds.release([order_id])
    bobs = bob.buys((last, 1))
    shop.answer_challenge(order_id, "approve")
    shop.hear()
    shop.run()

    assert alice.sees(order_id) == "CANCELLED", "her bank said yes, and she gets nothing"
    assert shop.saga(order_id).cancel_reason == "sold_out"
    shop.assert_cancelled(order_id)
    shop.assert_confirmed(bobs)


# --- Shopper blocked by her own hold --------------------------------------------------------------


def test_shopper_is_not_blocked_by_her_own_hold(shop: Shop, alice: Shopper, bob: Shopper) -> None:
    last = a_mug(stock=1)
    cart_id = alice.cart_of((last, 1))
    body = alice.wish(cart=cart_id, payment_method=CHALLENGE)
    order_id = alice.buys(cart=cart_id, payment_method=CHALLENGE, key="k-1")
    shop.run()

    again = alice.orders(body, key="k-1")  # back from the bank's page, and "place order" once more
    other_tab = alice.orders(body, key="k-2")

    assert (again.status_code, again.json()["order"]["id"]) == (202, str(order_id))
    ordered = problem(other_tab, 409, "cart_already_ordered")["order"]
    assert ordered == {"id": str(order_id), "number": shop.order(order_id).number}
    assert sold_out(bob.orders(bob.wish((last, 1)))) == {last.sku: 0}, "to others it is sold out"
    shop.answer_challenge(order_id, "approve")
    shop.hear()
    shop.run()
    assert (shop.stock(last), Order.objects.count()) == ((0, 0), 1)
    shop.assert_confirmed(order_id)


@pytest.mark.parametrize("end", ["declined", "cancelled", "refused at the bank"])
def test_shopper_whose_order_ended_buys_the_same_last_unit_at_once(
    shop: Shop, alice: Shopper, end: str
) -> None:
    last = a_mug(stock=1)
    card = {"declined": DECLINED, "refused at the bank": CHALLENGE}.get(end, "pm_card_visa")
    first = alice.buys((last, 1), payment_method=card)
    shop.run()
    if end == "cancelled":
        assert alice.cancels(first).status_code == 202
    elif end == "refused at the bank":
        shop.answer_challenge(first, "refuse")
        shop.hear()
    shop.run()
    assert shop.stock(last) == (1, 0)

    second = alice.buys((last, 1))
    shop.run()

    assert shop.stock(last) == (0, 0)
    shop.assert_cancelled(first)
    shop.assert_confirmed(second)


# --- In-stock filter ignores holds ----------------------------------------------------------------


def test_in_stock_filter_takes_holds_off(shop: Shop, alice: Shopper, bob: Shopper) -> None:
    last = a_mug(stock=2)
    slug = last.product.slug

    def listed() -> bool:
        found = bob.get("/products/", {"in_stock": "true", "page_size": "100"}).json()["results"]
        return slug in {product["slug"] for product in found}

    def shown() -> tuple[bool, int]:
        document = bob.get(f"/products/{slug}/").json()
        return document["in_stock"], document["variants"][0]["available"]

    assert (listed(), shown()) == (True, (True, 2))

    order_id = alice.buys((last, 2), payment_method=CHALLENGE)

    assert shop.stock(last) == (2, 2), "both still lie there"
    assert (listed(), shown()) == (False, (False, 0))
    assert sold_out(bob.orders(bob.wish((last, 1)))) == {last.sku: 0}
    shop.run()
    assert alice.cancels(order_id).status_code == 202
    shop.run()
    assert (listed(), shown()) == (True, (True, 2))
    shop.assert_cancelled(order_id)


# --- Cancel after ship restocks too much ----------------------------------------------------------


def test_cancel_after_shipment_restocks_nothing(shop: Shop, alice: Shopper) -> None:
    order_id = alice.buys((shop.mug, 3))
    shop.run()
    fulfil.hand_to_carrier(order_id, actor="clerk")
    before = shop.movements()

    for _ in range(2):
        problem(alice.cancels(order_id), 409, "not_cancellable")
    assert shop.run() == 0

    assert (shop.stock(), shop.movements()) == ((7, 0), before)
    assert alice.sees(order_id) == "SHIPPED"
    assert shop.payment(order_id).refunded_amount == 0
    shop.assert_audit_clean()


def test_return_restocks_what_came_back_and_a_cancel_beside_it_nothing(
    shop: Shop, alice: Shopper
) -> None:
    order_id = alice.buys((shop.mug, 3))
    shop.run()
    fulfil.hand_to_carrier(order_id, actor="clerk")
    fulfil.mark_delivered(order_id, actor="clerk")
    announced = returns.request_return(order_id, lines=[(shop.mug.sku, 1)], reason="chipped")

    problem(alice.cancels(order_id), 409, "not_cancellable")
    assert returns.receive_return(announced.pk, actor="clerk")
    problem(alice.cancels(order_id), 409, "not_cancellable")
    assert not returns.receive_return(announced.pk, actor="clerk")
    send_due()
    assert shop.run() == 0

    assert shop.stock() == (8, 0)
    assert shop.movements() == [("initial", 10), ("confirmed", -3), ("returned", 1)]
    total = shop.order(order_id).total_amount
    assert shop.at_gateway(order_id) == [("succeeded", total, (total - 599) // 3)]
    shop.assert_audit_clean()


@pytest.mark.race
def test_cancel_and_shipment_at_once_exactly_one_wins(shop: Shop) -> None:
    order_ids = [shop.place() for _ in range(8)]
    shop.run()
    shipped = cancelled = 0
    for order_id in order_ids:

        def either(number: int, order_id=order_id) -> str:
            if number:
                request_cancellation(order_id)
                return "cancelled"
            fulfil.hand_to_carrier(order_id, actor="clerk")
            return "shipped"

        answers = at_once(2, either)
        won = [answer for answer in answers if isinstance(answer, str)]
        lost = [answer for answer in answers if not isinstance(answer, str)]
        assert (len(won), len(lost)) == (1, 1), answers
        assert isinstance(lost[0], NotReady if won == ["cancelled"] else NotCancellable)
        shop.run()
        shipped += won == ["shipped"]
        cancelled += won == ["cancelled"]
        assert shop.order(order_id).status == ("SHIPPED" if won == ["shipped"] else "CANCELLED")
        charged = 0 if won == ["cancelled"] else 2548
        assert (
            shop.payment(order_id).captured_amount - shop.payment(order_id).refunded_amount
            == charged
        )
    assert shop.stock() == (10 - shipped, 0)
    assert shipped + cancelled == 8
    shop.assert_audit_clean()


@pytest.mark.race
def test_control_cancel_and_shipment_without_the_lock_both_win(
    shop: Shop, alice: Shopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = alice.buys()
    shop.run()
    no_row_locks(monkeypatch)
    make = moves.make

    def cancel_in_between(wishes, *, actor: str = ""):
        """The clerk's request has seen a finished saga; the shopper's comes and goes."""
        monkeypatch.setattr(moves, "make", make)
        assert at_once(1, lambda _: request_cancellation(order_id)) == [None]
        return make(wishes, actor=actor)

    monkeypatch.setattr(moves, "make", cancel_in_between)

    fulfil.hand_to_carrier(order_id, actor="clerk")

    assert (shop.order(order_id).status, shop.saga(order_id).state) == ("SHIPPED", "undoing")
