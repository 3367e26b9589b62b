"""What comes back for what: as much as was paid for it, and not a share of the whole order."""

from __future__ import annotations

from uuid import UUID

import pytest

from apps.catalog.models import Variant
from apps.orders.fulfilment.returns import receive_return, request_return
from apps.orders.models import Order, OrderLine, ReturnLine
from apps.payments.models import Refund
from apps.payments.refunds import request_refund, send_due
from apps.promos.models import Promo
from apps.taxes import rates as tax_rates
from tests.factories import PromoFactory, TaxRateFactory, a_product
from tests.orders.purchases import SHIPPING, Shop


@pytest.fixture
def untaxed(shop: Shop) -> Shop:
    """The shop, where nothing is taxed."""
    TaxRateFactory(country="US", region="").delete()
    tax_rates.forget()
    return shop


def third_free(*goods: Variant) -> Promo:
    promo = PromoFactory(code="THIRDMUG", buy_two_get_one=True)
    promo.products.set([variant.product for variant in goods])
    return promo


def send_back(order_id: UUID, *lines: tuple[Variant, int]) -> int:
    """Announce and receive; what is refunded for it."""
    wanted = [(variant.sku, units) for variant, units in lines]
    announced = request_return(order_id, lines=wanted, reason="too large")
    assert receive_return(announced.pk, actor="clerk")
    refund = Refund.objects.filter(purpose=f"return:{announced.pk}").first()
    return refund.amount if refund else 0


def test_mugs_of_which_one_was_free_return_what_was_paid_for_them(untaxed: Shop) -> None:
    """A share of the whole order would be 57.93."""
    mug, lamp = a_product("Mug", price=2200), a_product("Lamp", price=11_400)
    order_id = untaxed.place_delivered((mug, 3), (lamp, 1), promo=third_free(mug))
    assert untaxed.order(order_id).total_amount - SHIPPING == 15_800

    assert send_back(order_id, (mug, 3)) == 4400
    send_due()
    untaxed.assert_audit_clean()


@pytest.mark.parametrize(("goods", "back"), [("kettle", 13_200), ("mug", 4400)])
def test_three_for_two_does_not_make_the_kettle_cheaper(
    untaxed: Shop, goods: str, back: int
) -> None:
    kettle, mug = a_product("Kettle", price=13_200), a_product("Mug", price=2200)
    order_id = untaxed.place_delivered((kettle, 1), (mug, 3), promo=third_free(mug))
    assert untaxed.order(order_id).total_amount - SHIPPING == 17_600
    first, second = [(kettle, 1), (mug, 3)] if goods == "kettle" else [(mug, 3), (kettle, 1)]

    assert send_back(order_id, first) == back
    assert send_back(order_id, second) == 17_600 - back
    send_due()
    untaxed.assert_audit_clean()


def test_product_at_a_tenth_of_its_price_returns_a_tenth(untaxed: Shop) -> None:
    kettle, lamp = a_product("Kettle", price=8900), a_product("Lamp", price=9900)
    promo = PromoFactory(code="NINETY", percent_bp=9000)
    promo.products.add(kettle.product)
    order_id = untaxed.place_delivered((kettle, 1), (lamp, 1), promo=promo)

    assert send_back(order_id, (kettle, 1)) == 890


def test_line_without_tax_returns_no_tax_of_others(shop: Shop) -> None:
    book = a_product("Book", price=1800, taxable=False)
    order_id = shop.place_delivered((book, 1), (shop.mug, 1))

    assert send_back(order_id, (book, 1)) == 1800
    assert send_back(order_id, (shop.mug, 1)) == 1800 + 149


def test_tax_of_shipping_is_not_returned_with_the_goods(shop: Shop) -> None:
    TaxRateFactory(country="US", region="").delete()
    TaxRateFactory(rate_bp=1000, taxes_shipping=True)
    tax_rates.forget()
    order_id = shop.place_delivered()
    assert shop.order(order_id).total_amount == 1800 + 180 + 599 + 60

    assert send_back(order_id, (shop.mug, 1)) == 1980
    left = shop.payment(order_id).captured_amount - 1980
    request_refund(order_id, amount=left, purpose="admin:1", reason="late", actor="clerk")
    send_due()
    assert shop.payment(order_id).status == "refunded", "staff refund shipping"
    shop.assert_audit_clean()


def test_goods_that_cost_nothing_come_back_without_a_refund(untaxed: Shop) -> None:
    mug, saucer = a_product("Mug", price=2200), a_product("Saucer", price=100)
    order_id = untaxed.place_delivered((mug, 2), (saucer, 1), promo=third_free(mug, saucer))

    assert send_back(order_id, (saucer, 1)) == 0

    event = untaxed.order(order_id).events.latest("seq")
    assert event.message == "Your return has arrived. There was nothing left to pay back."
    untaxed.assert_audit_clean()


def test_what_staff_gave_before_does_not_make_a_return_smaller_while_money_is_left(
    untaxed: Shop,
) -> None:
    """The mug was 18.00, its shipping 5.99."""
    order_id = untaxed.place_delivered((untaxed.mug, 1))
    request_refund(order_id, amount=500, purpose="admin:1", reason="late", actor="clerk")
    assert send_back(order_id, (untaxed.mug, 1)) == 1800

    other = untaxed.place_delivered((untaxed.mug, 1), email="bob@example.com")
    request_refund(other, amount=1000, purpose="admin:1", reason="late", actor="clerk")
    assert send_back(other, (untaxed.mug, 1)) == 1399, "all that is left, never more"
    send_due()
    untaxed.assert_audit_clean()


def test_return_keeps_what_its_units_were_worth(untaxed: Shop) -> None:
    cup = a_product("Cup", price=333)
    order_id = untaxed.place_delivered((cup, 3), promo=PromoFactory(percent_bp=1000))
    amounts = [send_back(order_id, (cup, 1)) for _ in range(3)]

    kept = ReturnLine.objects.order_by("id").values_list("refund_amount", flat=True)

    assert list(kept) == amounts
    assert sum(amounts) == untaxed.order(order_id).total_amount - SHIPPING
    assert [each.number for each in untaxed.order(order_id).returns.order_by("sequence")] == [
        f"{untaxed.order(order_id).number}-R{n}" for n in (1, 2, 3)
    ]


def test_order_of_the_release_before_is_returned_by_shares(untaxed: Shop) -> None:
    mug, lamp = a_product("Mug", price=2200), a_product("Lamp", price=11_400)
    order_id = untaxed.place_delivered((mug, 3), (lamp, 1), promo=third_free(mug))
    OrderLine.objects.update(discount_amount=None, tax_amount=None)
    Order.objects.update(shipping_tax_amount=None)

    assert send_back(order_id, (mug, 3)) == 5793
    assert send_back(order_id, (lamp, 1)) == 15_800 - 5793
    send_due()
    untaxed.assert_audit_clean()
