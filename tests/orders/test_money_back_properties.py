"""Whatever was bought and however it comes back: never more than was paid, in the end all of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from unittest import mock
from uuid import UUID

import pytest
from django.db import connection
from django.db.models import Sum
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as some

from apps.catalog.prices import Offer
from apps.orders.audit import lines as lines_audit
from apps.orders.audit import payments as payments_audit
from apps.orders.audit.invariant import Invariant
from apps.orders.fulfilment.returns import receive_return, request_return
from apps.orders.intake import quote as quotes
from apps.orders.intake.quote import Quote, quote_lines
from apps.orders.models import Order, ReturnLine
from apps.payments import refunds
from apps.payments.models import Payment, Refund
from apps.promos.models import Promo
from apps.taxes import rates
from apps.taxes.rates import RateView
from tests.factories import OrderEventFactory, OrderFactory, OrderLineFactory, PaymentFactory

pytestmark = pytest.mark.django_db

K = Promo.Kind
lines_bought = some.lists(
    some.tuples(
        some.integers(0, 3_000),  # price
        some.integers(1, 4),  # units
        some.booleans(),  # taxed
        some.integers(1, 3),  # product
    ),
    min_size=1,
    max_size=4,
)
promos = some.lists(
    some.one_of(
        some.builds(dict, kind=some.just(K.PERCENTAGE), percent_bp=some.integers(1, 10_000)),
        some.builds(dict, kind=some.just(K.FIXED), amount=some.integers(1, 6_000)),
        some.just({"kind": K.BUY_X_GET_Y, "buy_quantity": 2, "get_quantity": 1}),
        some.just({"kind": K.FREE_SHIPPING}),
    ),
    max_size=3,
)
scopes = some.sampled_from([frozenset(), frozenset([1]), frozenset([1, 2])])
steps = some.lists(
    some.one_of(
        some.tuples(some.just("return"), some.integers(0, 3), some.integers(1, 4)),
        some.tuples(some.just("staff"), some.integers(1, 4), some.just(0)),
    ),
    max_size=6,
)


def a_promo(number: int, scope: frozenset[int], fields: dict[str, Any]) -> Promo:
    promo = Promo(pk=number, code=f"CODE{number}", normal_code=f"CODE{number}", stackable=True)
    for name, value in fields.items():
        setattr(promo, name, value)
    for name, value in {"started": True, "ended": False, "scope": (scope, ())}.items():
        setattr(promo, name, value)
    return promo


def quoted(
    bought: Sequence[tuple[int, int, bool, int]], codes: Sequence[Promo], rate: RateView
) -> Quote:
    offers = {
        f"SKU-{n}": Offer(
            f"SKU-{n}", n, product, "p", "0001", f"Thing {n}", price, "USD", 100, taxed, True, ""
        )
        for n, (price, _, taxed, product) in enumerate(bought)
    }
    with (
        mock.patch.object(rates, "rate_for", return_value=rate),
        mock.patch.object(quotes, "_shipping", return_value=(599, [])),
    ):
        return quote_lines(
            [(f"SKU-{n}", units) for n, (_, units, _, _) in enumerate(bought)],
            promo_codes=[promo.code for promo in codes],
            country="US",
            shipping_method="standard",
            with_availability=False,
            offers=offers,
            promos={promo.normal_code: promo for promo in codes},
        )


def delivered(quote: Quote) -> UUID:
    """An order of this quote, as the intake writes it, paid and delivered."""
    order = OrderFactory(
        status=Order.Status.DELIVERED,
        subtotal_amount=quote.subtotal_amount,
        discount_amount=quote.discount_amount,
        shipping_amount=quote.shipping_amount,
        shipping_tax_amount=quote.shipping_tax_amount,
        tax_amount=quote.tax_amount,
        total_amount=quote.total_amount,
    )
    for line in quote.lines:
        OrderLineFactory(
            order=order,
            sku=line.sku,
            quantity=line.quantity,
            unit_amount=line.unit_amount,
            discount_amount=line.discount_amount,
            tax_amount=line.tax_amount,
        )
    OrderEventFactory(order=order)
    PaymentFactory(order_id=order.pk, amount=quote.total_amount, captured=True)
    return order.pk


def back(order_id: UUID, sku: str, units: int) -> int:
    """Announce and receive; what is refunded for it."""
    announced = request_return(order_id, lines=[(sku, units)], reason="too large")
    assert receive_return(announced.pk, actor="clerk")
    refund = Refund.objects.filter(purpose=f"return:{announced.pk}").first()
    return refund.amount if refund else 0


def left_of(order_id: UUID) -> int:
    return refunds.refundable(Payment.objects.get(order_id=order_id))


def holds(invariant: Invariant) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(invariant.query)
        return cursor.fetchall()


@given(
    bought=lines_bought,
    codes=promos,
    scope=scopes,
    bp=some.integers(0, 2_500),
    taxes_shipping=some.booleans(),
    then=steps,
)
@hypothesis_settings(deadline=None, max_examples=60)
def test_refunds_are_made_of_what_was_paid(
    bought: list[tuple[int, int, bool, int]],
    codes: list[dict[str, Any]],
    scope: frozenset[int],
    bp: int,
    taxes_shipping: bool,
    then: list[tuple[str, int, int]],
) -> None:
    made = [a_promo(n + 1, scope, fields) for n, fields in enumerate(codes)]
    quote = quoted(bought, made, RateView("Tax", bp, taxes_shipping))
    paid = {
        line.sku: line.line_amount - line.discount_amount + line.tax_amount for line in quote.lines
    }
    shipping = quote.shipping_amount + quote.shipping_tax_amount
    assert sum(paid.values()) + shipping == quote.total_amount
    for line, (_, _, taxed, _) in zip(quote.lines, bought, strict=True):
        assert 0 <= line.discount_amount <= line.line_amount
        assert line.tax_amount == 0 or taxed
    order_id = delivered(quote)
    units = {line.sku: line.quantity for line in quote.lines}
    by_staff = 0

    for what, which, many in then:
        if what == "staff" and (gift := left_of(order_id) // which):
            refunds.request_refund(
                order_id, amount=gift, purpose=f"admin:{by_staff}", reason="late", actor="clerk"
            )
            by_staff += gift
        elif what == "return":
            sku = f"SKU-{which % len(bought)}"
            if now := min(many, units[sku]):
                units[sku] -= now
                left = left_of(order_id)
                amount = back(order_id, sku, now)
                (worth,) = ReturnLine.objects.order_by("-id").values_list(
                    "refund_amount", flat=True
                )[:1]
                assert amount == min(worth, left), "what is right, or all that is left"
    for sku, rest in units.items():
        if rest:
            back(order_id, sku, rest)

    kept = ReturnLine.objects.filter(line__order=order_id)
    worth = dict(kept.values_list("line__sku").annotate(sum=Sum("refund_amount")))
    assert worth == paid, "of all that came back, all that was paid for it"
    refunded = Refund.objects.filter(payment__order_id=order_id)
    assert (refunded.aggregate(sum=Sum("amount"))["sum"] or 0) == min(
        quote.total_amount, by_staff + sum(paid.values())
    )
    assert holds(lines_audit.PAID_BY_LINE) == []
    assert holds(payments_audit.KEPT_OF_ORDER) == []
