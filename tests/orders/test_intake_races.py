"""Concurrent checkouts: one order per key, one per cart, and no unit and no code sold twice.

Two intakes in one test share nothing but the database, like two web processes. With `meet` both
query before either writes, so that the database alone decides. The control at the end shows that
the races can fail: without the unique constraint there are two orders.
"""

import json
import threading
from collections import Counter
from uuid import uuid4

import pytest
from django.db import connection

from apps.inventory import strategies
from apps.orders.errors import (
    CartAlreadyOrdered,
    IdempotencyInFlight,
    IdempotencyKeyReused,
    OutOfStock,
)
from apps.orders.intake import Accepted, statements
from apps.orders.models import IdempotencyKey, Order, Saga
from apps.promos.errors import PromoExhausted
from apps.promos.models import Redemption
from tests.factories import PromoFactory, a_kettle, a_mug
from tests.inventory.stock_checks import assert_stock_consistent
from tests.orders.checkouts import a_checkout, pending, place, reserved
from tests.orders.purchases import at_once

pytestmark = [pytest.mark.race, pytest.mark.usefixtures("open_shop")]


@pytest.fixture
def meet(monkeypatch):
    """The first two batches query known keys together, before either goes on."""
    query, barrier, calls = statements.known_keys, threading.Barrier(2), Counter()

    def together(keys):
        found = query(keys)
        calls["queried"] += 1
        if calls["queried"] <= 2:
            barrier.wait(timeout=60)
        return found

    monkeypatch.setattr(statements, "known_keys", together)


@pytest.fixture
def two_processes(another_process):
    """Submits request 0 through one intake and request 1 through another; both outcomes."""

    def submit(*requests):
        processes = [another_process(), another_process()]
        return at_once(
            2, lambda n: (n, outcome_of(lambda: processes[n].submit(pending(requests[n]))))
        )

    return submit


def outcome_of(call):
    try:
        return call()
    except Exception as refused:
        return refused


def kinds(answers):
    return Counter(type(answer) for answer in answers)


@pytest.mark.parametrize("strategy", strategies.BY_NAME)
def test_eighty_buyers_of_twenty_units(strategy, settings):
    settings.INVENTORY_STRATEGY = strategy
    mug = a_mug(stock=20)

    answers = at_once(80, lambda _: place(a_checkout((mug, 1))))

    assert kinds(answers) == {Accepted: 20, OutOfStock: 60}
    assert {line for a in answers if isinstance(a, OutOfStock) for line in a.lines} == {
        a.lines[0] for a in answers if isinstance(a, OutOfStock)
    }
    assert all(a.lines[0].available == 0 for a in answers if isinstance(a, OutOfStock))
    assert reserved(mug) == 20
    assert {o.pk for o in Order.objects.all()} == {
        a.order_id for a in answers if isinstance(a, Accepted)
    }
    assert_stock_consistent([mug])


@pytest.mark.parametrize("strategy", strategies.BY_NAME)
def test_eighty_buyers_of_twenty_units_at_four_processes(strategy, settings, another_process):
    settings.INVENTORY_STRATEGY = strategy
    mug = a_mug(stock=20)
    processes = [another_process() for _ in range(4)]

    answers = at_once(80, lambda n: processes[n % 4].submit(pending(a_checkout((mug, 1)))))

    assert kinds(answers) == {Accepted: 20, OutOfStock: 60}
    assert reserved(mug) == Order.objects.count() == 20
    assert_stock_consistent([mug])


def test_carts_in_opposite_order_of_skus_at_two_processes_do_not_deadlock(another_process):
    mug, kettle = a_mug(stock=500), a_kettle(stock=500)
    processes = [another_process(), another_process()]

    def buy(number):
        lines = ((mug, 1), (kettle, 1))
        mine = lines if number % 2 else lines[::-1]
        return [type(processes[number % 2].submit(pending(a_checkout(*mine)))) for _ in range(5)]

    assert at_once(20, buy) == [[Accepted] * 5] * 20
    assert (reserved(mug), reserved(kettle)) == (100, 100)


class TestOneKey:
    def test_twenty_presses_are_one_order(self):
        mug = a_mug(stock=50)
        request = a_checkout((mug, 1))

        answers = at_once(20, lambda _: place(request))

        assert set(kinds(answers)) <= {Accepted, IdempotencyInFlight}
        accepted = [answer for answer in answers if isinstance(answer, Accepted)]
        assert [answer.replayed for answer in accepted].count(False) == 1
        assert len({json.dumps(answer.answer) for answer in accepted}) == 1
        assert (Order.objects.count(), reserved(mug), Saga.objects.count()) == (1, 1, 1)
        assert place(request).replayed, "after `in flight` the same key gets the outcome"

    def test_twenty_presses_at_four_processes_are_one_order(self, another_process):
        mug = a_mug(stock=50)
        request = a_checkout((mug, 1))
        processes = [another_process() for _ in range(4)]

        answers = at_once(20, lambda n: processes[n % 4].submit(pending(request)))

        assert set(kinds(answers)) <= {Accepted, IdempotencyInFlight}
        accepted = [answer for answer in answers if isinstance(answer, Accepted)]
        assert [answer.replayed for answer in accepted].count(False) == 1
        assert len({json.dumps(answer.answer) for answer in accepted}) == 1
        assert (Order.objects.count(), reserved(mug)) == (1, 1)

    def test_two_processes_that_both_saw_no_order_make_one(self, meet, two_processes):
        mug = a_mug(stock=50)
        request = a_checkout((mug, 1))

        answers = [answer for _, answer in two_processes(request, request)]

        assert kinds(answers) == {Accepted: 2}
        assert sorted(answer.replayed for answer in answers) == [False, True]
        assert answers[0].answer == answers[1].answer
        assert (Order.objects.count(), IdempotencyKey.objects.count(), reserved(mug)) == (1, 1, 1)

    def test_two_processes_with_two_bodies_refuse_one(self, meet, two_processes):
        mug = a_mug(stock=50)

        answers = [
            answer
            for _, answer in two_processes(
                a_checkout((mug, 1), key="k-1", body="one"),
                a_checkout((mug, 2), key="k-1", body="two"),
            )
        ]

        assert kinds(answers) == {Accepted: 1, IdempotencyKeyReused: 1}
        assert reserved(mug) == Order.objects.get().lines.get().quantity

    def test_one_unit_for_two_presses_is_not_sold_out_to_its_buyer(self, meet, two_processes):
        """The hold is of the same shopper's other tab: the answer is the order, not "sold out"."""
        mug = a_mug(stock=1)
        request = a_checkout((mug, 1))

        answers = [answer for _, answer in two_processes(request, request)]

        assert kinds(answers) == {Accepted: 2}
        assert sorted(answer.replayed for answer in answers) == [False, True]
        assert (Order.objects.count(), reserved(mug)) == (1, 1)

    def test_last_use_for_two_presses_is_not_used_up_for_its_user(self, meet, two_processes):
        mug = a_mug(stock=9)
        PromoFactory(code="ONCE", one_use=True)
        request = a_checkout((mug, 1), promo_codes=("ONCE",))

        answers = [answer for _, answer in two_processes(request, request)]

        assert kinds(answers) == {Accepted: 2}
        assert Redemption.objects.count() == Order.objects.count() == 1


class TestOneCart:
    def test_ten_tabs_are_one_order(self):
        mug, cart_id = a_mug(stock=50), uuid4()

        answers = at_once(10, lambda _: place(a_checkout((mug, 1), cart_id=cart_id)))

        assert kinds(answers) == {Accepted: 1, CartAlreadyOrdered: 9}
        order = Order.objects.get()
        assert {(a.order_id, a.number) for a in answers if isinstance(a, CartAlreadyOrdered)} == {
            (order.pk, order.number)
        }
        assert reserved(mug) == 1

    def test_two_processes_that_both_saw_no_order_make_one(self, meet, two_processes):
        mug, cart_id = a_mug(stock=50), uuid4()

        answers = [
            answer
            for _, answer in two_processes(
                a_checkout((mug, 1), cart_id=cart_id), a_checkout((mug, 1), cart_id=cart_id)
            )
        ]

        assert kinds(answers) == {Accepted: 1, CartAlreadyOrdered: 1}
        assert (Order.objects.count(), reserved(mug)) == (1, 1)

    def test_second_tab_gets_the_order_and_not_sold_out(self, meet, two_processes):
        mug, cart_id = a_mug(stock=1), uuid4()

        answers = [
            answer
            for _, answer in two_processes(
                a_checkout((mug, 1), cart_id=cart_id), a_checkout((mug, 1), cart_id=cart_id)
            )
        ]

        assert kinds(answers) == {Accepted: 1, CartAlreadyOrdered: 1}
        assert (Order.objects.count(), reserved(mug)) == (1, 1)

    def test_other_press_committed_between_two_queries_is_the_same_order(
        self, another_process, monkeypatch
    ):
        request = a_checkout((a_mug(stock=50), 1), cart_id=uuid4())
        others = []

        def after_it_the_other_press(query):
            def queried(asked):
                found = query(asked)
                if not others:
                    others.append(None)  # the other press queries, too
                    others[:] = at_once(1, lambda _: another_process().submit(pending(request)))
                return found

            return queried

        for name in ("known_keys", "live_orders_of_carts"):
            query = getattr(statements, name)
            monkeypatch.setattr(statements, name, after_it_the_other_press(query))

        answer = outcome_of(lambda: another_process().submit(pending(request)))

        assert kinds([answer, *others]) == {Accepted: 2}
        assert answer.order_id == others[0].order_id == Order.objects.get().pk


class TestOneCode:
    def test_last_use_goes_to_one_of_forty(self, another_process):
        mug = a_mug(stock=100)
        promo = PromoFactory(code="ONCE", one_use=True)
        processes = [another_process() for _ in range(4)]

        answers = at_once(
            40,
            lambda n: processes[n % 4].submit(
                pending(
                    a_checkout((mug, 1), promo_codes=("ONCE",), email=f"shopper{n}@example.com")
                )
            ),
        )

        outcomes = [outcome_of_code(answer) for answer in answers]
        assert Counter(outcomes) == {"accepted": 1, "promo_exhausted": 39}
        promo.refresh_from_db()
        assert promo.used == Redemption.objects.count() == reserved(mug) == 1

    def test_two_processes_that_both_saw_it_free(self, meet, two_processes):
        mug = a_mug(stock=9)
        promo = PromoFactory(code="ONCE", one_use=True)

        answers = two_processes(
            a_checkout((mug, 1), promo_codes=("ONCE",)),
            a_checkout((mug, 1), promo_codes=("ONCE",), email="bob@example.com"),
        )

        assert Counter(outcome_of_code(answer) for _, answer in answers) == {
            "accepted": 1,
            "promo_exhausted": 1,
        }
        promo.refresh_from_db()
        assert promo.used == Redemption.objects.count() == Order.objects.count() == 1


def outcome_of_code(answer):
    if isinstance(answer, Accepted):
        return "accepted"
    if isinstance(answer, PromoExhausted):
        return answer.code
    return ", ".join(problem.code for problem in answer.problems)


def test_control_without_the_unique_constraint_makes_two_orders(meet, two_processes):
    """The races above can fail: only the database's constraint prevents a second order."""
    mug = a_mug(stock=50)
    request = a_checkout((mug, 1))
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE orders_idempotencykey DROP CONSTRAINT one_order_per_key")
    try:
        answers = [answer for _, answer in two_processes(request, request)]

        assert [answer.replayed for answer in answers] == [False, False]
        assert (Order.objects.count(), reserved(mug)) == (2, 2)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM orders_idempotencykey")
            cursor.execute(
                "ALTER TABLE orders_idempotencykey"
                " ADD CONSTRAINT one_order_per_key UNIQUE (scope, key)"
            )
