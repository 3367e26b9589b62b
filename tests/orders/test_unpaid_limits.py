"""Denial of inventory: an address that does not pay holds a part of the units, never all."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from typing import Any
from unittest import mock

import pytest

from apps.catalog.models import Product, Variant
from apps.flash_sales import active_sales
from apps.inventory.models import Hold, StockItem
from apps.orders import transitions
from apps.orders.errors import NotQuotable, OutOfStock, TooManyUnpaid
from apps.orders.intake import Accepted, admission, customer_limits
from apps.orders.intake.checkout_request import client_digest
from apps.orders.models import Order
from apps.orders.transitions import Transition
from storefront import settings as shops
from tests.factories import VariantFactory, a_flash_sale, a_kettle, a_mug, make_alice
from tests.inventory.stock_checks import assert_stock_consistent
from tests.orders.checkouts import a_checkout, pending, reserved, together
from tests.orders.purchases import at_once

pytestmark = pytest.mark.usefixtures("open_shop")

STRANGER = "5" * 32
CHALLENGED = "pm_card_threeDSecure2Required"


@pytest.fixture(autouse=True)
def caps_of_the_shop(settings: Any) -> None:
    """Those of production; the other tests have wide ones."""
    settings.UNPAID_UNITS_OF_ADDRESS = shops.UNPAID_UNITS_OF_ADDRESS
    settings.UNPAID_ORDERS_OF_CUSTOMER = shops.UNPAID_ORDERS_OF_CUSTOMER


@pytest.fixture
def many_mugs() -> Variant:
    """4,001 mugs, of which one order may have very many."""
    mug = a_mug(stock=4001)
    Product.objects.update(units_per_line=999, units_per_order=999)
    return mug


def by_stranger(*lines: tuple[Variant, int], **given: Any) -> Any:
    return a_checkout(*lines, **({"client": STRANGER, "payment_method": CHALLENGED} | given))


def kinds(outcomes: list[Any]) -> list[type]:
    return [type(outcome) for outcome in outcomes]


class TestOneAddress:
    def test_five_unpaid_orders_cannot_hold_all_units(self, many_mugs):
        orders = [by_stranger((many_mugs, 801), email=f"m{n}@example.com") for n in range(5)]

        outcomes = [outcome for order in orders for outcome in together(order)]

        assert kinds(outcomes) == [Accepted] + [TooManyUnpaid] * 4
        assert reserved(many_mugs) == 801
        assert_stock_consistent([many_mugs])

    def test_five_unpaid_orders_in_one_batch_cannot_either(self, many_mugs):
        outcomes = together(
            *[by_stranger((many_mugs, 801), email=f"m{n}@example.com") for n in range(5)]
        )

        assert sorted(kinds(outcomes), key=str) == [TooManyUnpaid] * 4 + [Accepted]
        assert reserved(many_mugs) == 801

    def test_unpaid_orders_at_two_processes_at_once_cannot_either(self, many_mugs, another_process):
        processes = [another_process(), another_process()]

        def order(number: int) -> Any:
            mine = by_stranger((many_mugs, 90), email=f"m{number}@example.com")
            return processes[number % 2].submit(pending(mine))

        outcomes = Counter(kinds(at_once(40, order)))

        assert outcomes == {Accepted: 8, TooManyUnpaid: 32}, (
            "a fifth of 4,001 is eight times ninety"
        )
        assert reserved(many_mugs) == 720

    def test_office_behind_one_address_buys_one_each_below_the_limit(self, many_mugs):
        office = [by_stranger((many_mugs, 1), email=f"clerk{n}@example.com") for n in range(40)]

        assert kinds(together(*office)) == [Accepted] * 40

    def test_small_stock_has_a_plain_number(self):
        mug = a_mug(stock=30)
        crowd = [by_stranger((mug, 1), email=f"m{n}@example.com") for n in range(30)]

        outcomes = kinds(together(*crowd))

        assert outcomes == [Accepted] * 20 + [TooManyUnpaid] * 10

    def test_refused_orders_leave_their_units_to_the_next(self):
        mug = a_mug(stock=30)
        crowd = [by_stranger((mug, 1), email=f"m{n}@example.com") for n in range(29)]
        others = [a_checkout((mug, 5), client="6" * 32, email="bob@example.com")]

        outcomes = kinds(together(*crowd, *others))

        assert outcomes == [Accepted] * 20 + [TooManyUnpaid] * 9 + [Accepted]
        assert OutOfStock not in outcomes

    def test_paid_orders_do_not_count(self, many_mugs):
        first, *_ = together(by_stranger((many_mugs, 801)))
        transitions.make([Transition(first.order_id, Order.Status.PAYMENT_AUTHORIZED)])

        assert kinds(together(by_stranger((many_mugs, 801)))) == [Accepted]

    def test_each_sku_is_limited_by_itself(self, many_mugs):
        together(by_stranger((many_mugs, 801)))

        assert kinds(together(by_stranger((a_kettle(stock=50), 3)))) == [Accepted]

    def test_retry_of_the_order_that_holds_them_is_no_more(self, many_mugs):
        order = by_stranger((many_mugs, 801))
        (first,) = together(order)

        (again,) = together(order)

        assert again == replace(first, replayed=True)

    def test_switched_off_rate_limits_switch_it_off(self, many_mugs, settings):
        settings.RATE_LIMITS = False

        outcomes = together(
            *[by_stranger((many_mugs, 801), email=f"{n}@a.example") for n in range(4)]
        )

        assert kinds(outcomes) == [Accepted] * 4

    @pytest.mark.parametrize("status", ["PAYMENT_AUTHORIZED", "CANCELLED"])
    def test_address_is_forgotten_with_the_payment_or_the_cancellation(self, many_mugs, status):
        (placed,) = together(by_stranger((many_mugs, 1)))
        assert Order.objects.get().client == STRANGER

        transitions.make([Transition(placed.order_id, status)])

        assert Order.objects.get().client == ""


class TestDigest:
    def test_is_keyed_and_does_not_reveal_the_address(self, settings):
        one = client_digest("198.51.100.7")
        settings.SECRET_KEY = "another" * 10

        assert len(one) == 32
        assert "198" not in one
        assert client_digest("198.51.100.7") not in ("", one)

    def test_is_empty_without_an_address(self, settings):
        assert client_digest("unknown") == ""
        settings.RATE_LIMITS = False
        assert client_digest("198.51.100.7") == ""


class TestOneCustomer:
    def test_plus_aliases_are_one_mailbox(self):
        mug = a_mug(stock=100)
        orders = [
            a_checkout((mug, 1), email=f"mallory+{n}@example.com", client=f"{n:032}")
            for n in range(8)
        ]

        outcomes = [outcome for order in orders for outcome in together(order)]

        assert kinds(outcomes) == [Accepted] * 5 + [TooManyUnpaid] * 3

    def test_stranger_with_a_customers_mailbox_does_not_block_the_signed_in_customer(self):
        mug, alice = a_mug(stock=100), make_alice()
        together(*[a_checkout((mug, 1), client=f"{n:032}") for n in range(8)])

        own = a_checkout((mug, 1), scope=f"user:{alice.pk}", user_id=alice.pk)

        assert kinds(together(own)) == [Accepted]

    def test_account_has_its_own_cap(self):
        mug, alice = a_mug(stock=100), make_alice()
        orders = [
            a_checkout((mug, 1), scope="user:1", user_id=alice.pk, email=f"{n}@example.com")
            for n in range(7)
        ]

        assert kinds(together(*orders)) == [Accepted] * 5 + [TooManyUnpaid] * 2

    def test_cancelled_orders_count_no_more(self):
        mug = a_mug(stock=100)
        outcomes = together(*[a_checkout((mug, 1)) for _ in range(5)])
        for outcome in outcomes:
            transitions.make([Transition(outcome.order_id, Order.Status.CANCELLED)])

        assert kinds(together(a_checkout((mug, 1)))) == [Accepted]


class TestLimitOfTheProduct:
    def two_sizes(self, **limits: int) -> tuple[Variant, Variant]:
        mug = a_mug(stock=1000)
        large = VariantFactory(product=mug.product, stock=1000)
        Product.objects.update(**limits)
        return mug, large

    def problems(self, *requests: Any) -> list[Any]:
        outcomes = together(*requests)
        return [
            [(p.code, p.sku, p.available) for p in outcome.problems]
            if isinstance(outcome, NotQuotable)
            else type(outcome)
            for outcome in outcomes
        ]

    def test_line_has_the_shops_limit(self):
        mug = a_mug(stock=500)

        outcomes = self.problems(a_checkout((mug, 101)), a_checkout((mug, 100)))

        assert outcomes == [[("quantity_limit", mug.sku, 100)], Accepted]
        assert reserved(mug) == 100

    def test_order_has_the_shops_limit(self, settings):
        settings.UNITS_PER_ORDER = 10
        mug, kettle = a_mug(stock=50), a_kettle(stock=50)

        assert self.problems(a_checkout((mug, 6), (kettle, 5))) == [[("quantity_limit", "", 10)]]
        assert self.problems(a_checkout((mug, 6), (kettle, 4))) == [Accepted]

    def test_product_may_allow_more(self):
        mug, _ = self.two_sizes(units_per_line=900, units_per_order=1500)

        assert self.problems(a_checkout((mug, 900))) == [Accepted]

    def test_sizes_of_a_product_count_together(self):
        mug, large = self.two_sizes(units_per_order=3)

        (outcomes,) = self.problems(a_checkout((mug, 2), (large, 2)))

        assert outcomes == [("quantity_limit", mug.sku, 3), ("quantity_limit", large.sku, 3)]

    def test_customers_orders_count_together(self):
        mug, large = self.two_sizes(units_per_customer=3)
        together(a_checkout((mug, 2)))

        outcomes = self.problems(
            a_checkout((large, 2), email="Alice+x@example.com"),
            a_checkout((large, 2), email="bob@example.com"),
            a_checkout((large, 1)),
        )

        assert outcomes == [[("customer_limit", large.sku, 1)], Accepted, Accepted]

    def test_cancelled_orders_do_not_count(self):
        mug, _ = self.two_sizes(units_per_customer=2)
        (first,) = together(a_checkout((mug, 2)))
        transitions.make([Transition(first.order_id, Order.Status.CANCELLED)])

        assert self.problems(a_checkout((mug, 2))) == [Accepted]

    def test_orders_before_the_window_do_not_count(self):
        mug, _ = self.two_sizes(units_per_customer=2)
        together(a_checkout((mug, 2)))
        Order.objects.update(placed_at=Order.objects.get().placed_at - timedelta(hours=25))

        assert self.problems(a_checkout((mug, 2))) == [Accepted]

    def test_unpaid_stranger_uses_nothing_up_of_a_signed_in_customer(self):
        mug, _ = self.two_sizes(units_per_customer=2)
        alice = make_alice()
        (stranger,) = together(a_checkout((mug, 2)))
        mine = {"scope": "user:1", "user_id": alice.pk}
        assert self.problems(a_checkout((mug, 1), **mine)) == [Accepted]

        transitions.make([Transition(stranger.order_id, Order.Status.PAYMENT_AUTHORIZED)])

        assert self.problems(a_checkout((mug, 1), **mine)) == [[("customer_limit", mug.sku, 0)]]

    def test_flash_sales_limit_overrides_the_products(self):
        mug, _ = self.two_sizes(units_per_line=50, units_per_customer=50)
        a_flash_sale(mug, units_per_customer=2)

        outcomes = self.problems(a_checkout((mug, 3)), a_checkout((mug, 2)), a_checkout((mug, 1)))

        assert outcomes == [
            [("quantity_limit", mug.sku, 2)],
            Accepted,
            [("customer_limit", mug.sku, 0)],
        ]
        active_sales.forget()

    def test_key_that_has_the_units_is_replayed(self):
        mug, _ = self.two_sizes(units_per_customer=1)
        order = a_checkout((mug, 1))
        (first,) = together(order)

        assert together(order) == [replace(first, replayed=True)]

    @pytest.mark.race
    def test_two_hundred_orders_of_one_mailbox_at_two_processes(self, another_process):
        """The sizes are different stock rows: the lock of a stock row does not serialize them."""
        bought = self.rush(another_process)

        assert bought == 2

    @pytest.mark.race
    def test_control_without_the_lock_sells_more(self, another_process):
        """The race above can fail: without the lock each size sells the customer's whole limit."""
        barrier, admit = Barrier(2), admission.admit

        def together_(batch: Any) -> list[int]:
            numbers = admit(batch)
            barrier.wait(timeout=60)  # both have counted before either commits
            return numbers

        with (
            mock.patch.object(customer_limits, "lock_customers", lambda batch: None),
            mock.patch.object(admission, "admit", together_),
        ):
            assert self.rush(another_process, orders=2, each=2) == 4

    def rush(self, another_process: Any, *, orders: int = 200, each: int = 1) -> int:
        sizes = self.two_sizes(units_per_customer=2)
        processes = [another_process(), another_process()]
        at_once(
            orders,
            lambda n: processes[n % 2].submit(
                pending(a_checkout((sizes[n % 2], each), email=f"alice+{n}@example.com"))
            ),
        )
        held = Hold.objects.filter(state="active").values_list("quantity", flat=True)
        assert sum(held) == sum(StockItem.objects.values_list("reserved", flat=True))
        return sum(held)
