"""Orders for more than is there: back orders and goods that nobody counts, to their end."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from apps.catalog.models import Product
from apps.inventory import stock
from apps.inventory.models import StockItem
from apps.orders.errors import OutOfStock
from apps.orders.fulfilment.cancellation import request_cancellation
from apps.orders.fulfilment.returns import receive_return, request_return
from apps.orders.intake.quote import quote_lines
from apps.orders.saga import hold_expiry
from storefront import settings as shops
from tests.factories import a_flash_sale, a_kettle, a_mug
from tests.orders.checkouts import a_checkout, together
from tests.orders.purchases import Shop

CHALLENGE = "pm_card_threeDSecure2Required"
sells_on = pytest.mark.parametrize("policy", ["continue", "untracked"])


def debt_of(shop: Shop, variant: Any) -> int:
    on_hand, reserved = shop.stock(variant)
    return reserved - on_hand


@sells_on
def test_more_than_there_is_is_bought_and_the_audit_is_clean(shop: Shop, policy: str) -> None:
    mug = a_mug(stock=1, inventory_policy=policy)

    first = shop.place_confirmed((mug, 3))
    shop.place_confirmed((mug, 2), (shop.mug, 1))

    assert shop.stock(mug) == (-4, 0)
    assert sorted(shop.movements(mug)) == [("confirmed", -3), ("confirmed", -2), ("initial", 1)]
    assert shop.stock() == (9, 0)
    assert shop.holds(first) == ["confirmed"]
    shop.assert_audit_clean()


@sells_on
def test_cancelled_and_returned_units_are_no_debt_any_more(shop: Shop, policy: str) -> None:
    mug = a_mug(stock=1, inventory_policy=policy)
    cancelled, returned = shop.place_confirmed((mug, 3)), shop.place_delivered((mug, 2))
    assert debt_of(shop, mug) == 4

    request_cancellation(cancelled)
    shop.run()
    shop.assert_cancelled(cancelled)
    announced = request_return(returned, lines=[(mug.sku, 2)], reason="Too blue.")
    receive_return(announced.pk, actor="clerk")
    shop.run()

    assert shop.stock(mug) == (1, 0)
    shop.assert_audit_clean()


@sells_on
def test_units_of_an_expired_hold_are_no_debt_any_more(shop: Shop, policy: str) -> None:
    mug = a_mug(stock=0, inventory_policy=policy)
    unpaid: UUID = shop.place((mug, 2), card=CHALLENGE)
    shop.run()
    assert debt_of(shop, mug) == 2

    shop.pass_deadline(unpaid)
    hold_expiry.make_due_expired()
    shop.run()

    shop.assert_cancelled(unpaid)
    assert shop.stock(mug) == (0, 0)
    shop.assert_audit_clean()


def test_sold_out_by_its_count_stays_sold_out_beside_them(shop: Shop) -> None:
    sells, ends = a_mug(stock=0, inventory_policy="continue"), a_kettle(stock=1)

    with pytest.raises(OutOfStock) as refused:
        shop.place((sells, 4), (ends, 2))

    assert [(line.sku, line.available) for line in refused.value.lines] == [(ends.sku, 1)]
    assert (shop.stock(sells), shop.stock(ends)) == ((0, 0), (1, 0))
    shop.assert_audit_clean()


@sells_on
def test_a_flash_sale_has_no_gate_for_what_sells_on(shop: Shop, policy: str) -> None:
    """With a gate it would be refused by Redis once the counted units are sold."""
    mug = a_mug(stock=1, inventory_policy=policy)
    a_flash_sale(mug)

    for _ in range(3):
        shop.place_confirmed((mug, 1))

    assert shop.stock(mug) == (-2, 0)
    shop.assert_audit_clean()


@pytest.mark.usefixtures("open_shop")
class TestUnpaid:
    @pytest.fixture(autouse=True)
    def caps_of_the_shop(self, settings: Any) -> None:
        settings.UNPAID_UNITS_OF_ADDRESS = shops.UNPAID_UNITS_OF_ADDRESS

    @sells_on
    def test_nobody_goes_short_of_what_sells_on(self, policy: str) -> None:
        mug = a_mug(stock=0, inventory_policy=policy)
        crowd = [
            a_checkout((mug, 1), client="5" * 32, email=f"m{n}@example.com") for n in range(30)
        ]

        assert not [answer for answer in together(*crowd) if isinstance(answer, Exception)]

        assert StockItem.objects.get(variant=mug).reserved == 30


@pytest.mark.django_db
class TestQuotes:
    @pytest.mark.parametrize(
        ("policy", "back_ordered"), [("continue", 3), ("untracked", 0), ("deny", 0)]
    )
    def test_a_line_says_what_of_it_ships_later(self, policy: str, back_ordered: int) -> None:
        mug = a_mug(stock=2, inventory_policy=policy)

        quote = quote_lines([(mug.sku, 5)])

        assert quote.lines[0].back_ordered == back_ordered
        available = 2 if policy == "deny" else stock.ENDLESS
        assert quote.lines[0].available == available
        assert [p.code for p in quote.problems] == (
            ["insufficient_stock"] if policy == "deny" else []
        )

    def test_limits_of_an_order_hold_all_the_same(self) -> None:
        mug = a_mug(stock=0, inventory_policy="continue")
        Product.objects.update(units_per_line=4)

        quote = quote_lines([(mug.sku, 5)])

        assert [(p.code, p.available) for p in quote.problems] == [("quantity_limit", 4)]
