"""What was paid for each line: its own discount, its own part of the tax, to the cent."""

from __future__ import annotations

import pytest
from django.db import IntegrityError
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as some

from apps.orders import paid
from apps.orders.models import Order, OrderLine
from apps.orders.paid import LineAmounts
from apps.taxes import rates
from apps.taxes.rates import RateView, Tax
from tests.factories import OrderFactory, OrderLineFactory, PromoFactory, TaxRateFactory, a_product
from tests.orders.purchases import Shop

cents = some.integers(0, 20_000)


def kept(order: Order) -> list[tuple[str, int | None, int | None]]:
    return list(order.lines.values_list("name", "discount_amount", "tax_amount"))


# --- Tax is shared out over what is taxed ---------------------------------------------------------


def tax_at(bp: int, *amounts: int, shipping: int = 0, taxes_shipping: bool = False) -> Tax:
    rate = RateView("Tax", bp, taxes_shipping)
    return rates.tax_at(rate, taxable_amounts=amounts, shipping_amount=shipping)


def test_tax_is_rounded_once_and_each_line_keeps_its_part() -> None:
    assert tax_at(825, 333, 333, 333) == Tax(82, (28, 27, 27), 0)


def test_line_that_is_not_taxed_has_no_part() -> None:
    assert tax_at(825, 1000, 0) == Tax(83, (83, 0), 0)


def test_shipping_has_its_own_part_where_it_is_taxed() -> None:
    assert tax_at(1000, 1000, shipping=500, taxes_shipping=True) == Tax(150, (100,), 50)
    assert tax_at(1000, 1000, shipping=500) == Tax(100, (100,), 0)


@given(
    amounts=some.lists(cents, min_size=1, max_size=6),
    shipping=cents,
    bp=some.integers(0, 3000),
    taxes_shipping=some.booleans(),
)
def test_parts_of_the_tax_are_the_tax(
    amounts: list[int], shipping: int, bp: int, taxes_shipping: bool
) -> None:
    tax = tax_at(bp, *amounts, shipping=shipping, taxes_shipping=taxes_shipping)

    assert sum(tax.per_line) + tax.shipping == tax.total
    assert min(tax.per_line) >= 0 and tax.shipping >= 0
    for amount, part in zip(amounts, tax.per_line, strict=True):
        assert abs(part - amount * bp / 10_000) <= 1


# --- Written at the acceptance --------------------------------------------------------------------


def test_accepted_lines_keep_discount_and_tax(shop: Shop) -> None:
    TaxRateFactory(country="US", region="").delete()
    TaxRateFactory(rate_bp=1000, taxes_shipping=True)
    rates.forget()
    book = a_product("Book", price=2000, taxable=False)
    promo = PromoFactory(code="HALF", percent_bp=5000)
    promo.products.add(shop.mug.product)

    order = shop.order(shop.place((shop.mug, 1), (book, 1), promo=promo))

    assert kept(order) == [("Stoneware Mug", 900, 90), ("Book", 0, 0)]
    assert (order.shipping_amount, order.shipping_tax_amount, order.tax_amount) == (599, 60, 150)
    assert order.total_amount == (1800 - 900 + 90) + 2000 + 599 + 60
    shop.assert_audit_clean()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"discount_amount": 1801, "tax_amount": 0}, "line_discount_and_tax"),
        ({"discount_amount": -1, "tax_amount": 0}, "line_discount_and_tax"),
        ({"discount_amount": 0, "tax_amount": -1}, "line_discount_and_tax"),
        ({"discount_amount": 0}, "line_discount_and_tax"),
        ({"tax_amount": 0}, "line_discount_and_tax"),
    ],
)
def test_database_takes_no_line_that_cannot_be(fields: dict[str, int], constraint: str) -> None:
    with pytest.raises(IntegrityError, match=constraint):
        OrderLineFactory(**fields)


@pytest.mark.django_db
@pytest.mark.parametrize("shipping_tax", [-1, 1])
def test_database_takes_no_shipping_tax_beyond_the_tax(shipping_tax: int) -> None:
    with pytest.raises(IntegrityError, match="order_shipping_tax_within_tax"):
        OrderFactory(tax_amount=0, shipping_tax_amount=shipping_tax)


# --- Orders of the release before -----------------------------------------------------------------


def an_older_order(*amounts: int, discount: int, tax: int) -> tuple[Order, list[OrderLine]]:
    order = Order(
        subtotal_amount=sum(amounts),
        discount_amount=discount,
        shipping_amount=599,
        tax_amount=tax,
        total_amount=sum(amounts) - discount + tax + 599,
    )
    return order, [OrderLine(line_amount=amount) for amount in amounts]


def test_line_without_its_amounts_is_worth_its_share_and_not_its_price() -> None:
    order, lines = an_older_order(6600, 13_200, discount=2200, tax=0)

    assert paid.amounts_of(order, lines) == [
        LineAmounts(discount=733, tax=0, paid=5867),
        LineAmounts(discount=1467, tax=0, paid=11_733),
    ]


@given(amounts=some.lists(some.integers(1, 9_000), min_size=1, max_size=5), data=some.data())
def test_shares_of_an_older_order_are_all_that_was_paid_for_goods(
    amounts: list[int], data: some.DataObject
) -> None:
    discount = data.draw(some.integers(0, sum(amounts)))
    order, lines = an_older_order(*amounts, discount=discount, tax=data.draw(cents))

    shares = paid.amounts_of(order, lines)

    assert sum(share.paid for share in shares) == order.total_amount - order.shipping_amount
    assert sum(share.discount for share in shares) == order.discount_amount
    assert sum(share.tax for share in shares) == order.tax_amount


# --- Parts of a line ------------------------------------------------------------------------------


@given(amount=cents, parts=some.lists(some.integers(1, 4), min_size=1, max_size=6))
@hypothesis_settings(deadline=None)
def test_parts_of_a_line_are_what_was_paid_for_it(amount: int, parts: list[int]) -> None:
    units = sum(parts)

    back = [
        paid.part(amount, of=units, before=sum(parts[:n]), now=now) for n, now in enumerate(parts)
    ]

    assert sum(back) == amount
    assert all(abs(part - amount * now / units) < 1 for part, now in zip(back, parts, strict=True))
