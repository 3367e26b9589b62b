"""Each line's discount and tax as shoppers and staff read them; they add up to the order's."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse

from apps.orders import emails
from apps.orders.models import Order
from apps.orders.tokens import order_token
from tests.factories import (
    OrderEventFactory,
    OrderFactory,
    OrderLineFactory,
    StaffFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def order() -> Order:
    """A mug at half price and a book without tax; the delivery is taxed, too."""
    order = OrderFactory(
        subtotal_amount=3800,
        discount_amount=900,
        tax_amount=150,
        shipping_tax_amount=60,
        promo_codes=["HALF"],
    )
    OrderLineFactory(order=order, name="Mug", discount_amount=900, tax_amount=90)
    OrderLineFactory(
        order=order,
        name="Book",
        unit_amount=2000,
        discount_amount=0,
        tax_amount=0,
    )
    OrderEventFactory(order=order)
    return order


def page_of(order: Order) -> str:
    return Client().get(f"/orders/{order.pk}/?token={order_token(order.pk)}").content.decode()


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))


def sums_of(text: str, words: str) -> Decimal:
    """The sum of the amounts that follow `words` in the lines."""
    return sum((Decimal(each) for each in re.findall(rf"{words} -?\$([\d.]+)", text)), Decimal(0))


def test_page_shows_what_was_taken_off_and_added_to_each_line(order: Order) -> None:
    things = text_of(page_of(order).split('id="things-title"')[1].split("</section>")[0])

    mug, book = things.split(" Book ")
    assert "1 × Mug discount -$9.00 tax $0.90 $18.00" in mug
    assert book.strip().startswith("$20.00 Goods $38.00")  # nothing taken off, not taxed
    assert "HALF -$9.00 Delivery $5.99 Tax (delivery: $0.60) $1.50 Total $36.49" in book


def test_mail_shows_what_was_taken_off_and_added_to_each_line(order: Order) -> None:
    (mail,) = emails.confirmations([order.pk])

    assert (
        "  1 × Mug  $18.00\n"
        "      discount -$9.00, tax $0.90\n"
        "  1 × Book  $20.00\n"
        "\n"
        "  Subtotal  $38.00\n"
        "  Discount  -$9.00\n"
        "  Shipping  $5.99\n"
        "  Tax  $1.50 (shipping: $0.60)\n"
        "  Total  $36.49\n"
    ) in mail.body


def test_staff_see_what_was_paid_for_each_line(order: Order) -> None:
    clerk = Client()
    clerk.force_login(StaffFactory(is_superuser=True))

    shown = clerk.get(reverse("admin:orders_order_change", args=[order.pk])).content.decode()

    items = text_of(shown.split("<h2>Items")[1].split("</table>")[0])
    assert "$18.00 -$9.00 $0.90 $9.90" in items
    assert "$20.00 $0.00 $0.00 $20.00" in items
    assert "Tax (shipping: $0.60) $1.50" in items


def test_lines_of_the_release_before_show_shares_that_add_up() -> None:
    order = OrderFactory(subtotal_amount=3000, discount_amount=100, tax_amount=100)
    for name in ("Mug", "Bowl", "Pot"):
        OrderLineFactory(order=order, name=name, unit_amount=1000)
    OrderEventFactory(order=order)

    (mail,) = emails.confirmations([order.pk])
    lines = mail.body.split("Subtotal")[0]

    assert (sums_of(lines, "discount"), sums_of(lines, "tax")) == (1, 1)
    assert "(shipping" not in mail.body
    things = page_of(order).split('class="mini-lines"')[1].split("</ul>")[0]
    assert sums_of(text_of(things), "tax") == 1


def test_order_without_discount_and_tax_shows_no_more_than_before() -> None:
    order = OrderFactory()
    OrderLineFactory(order=order, discount_amount=0, tax_amount=0)
    OrderEventFactory(order=order)

    (mail,) = emails.confirmations([order.pk])

    assert "  1 × Mug  $18.00\n\n  Subtotal" in mail.body
    assert "line-parts" not in page_of(order)
