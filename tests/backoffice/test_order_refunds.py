"""Refunds by staff: the amount is checked beside its field, and a form refunds once."""

import pytest
from django.test import Client

from apps.inventory.models import StockMovement
from apps.orders.models import Order
from apps.payments.models import Refund
from tests.backoffice.conftest import an_order, do, form_id, log, messages_of, order_page
from tests.backoffice.order_pages import CLERK, refunds

pytestmark = pytest.mark.django_db


def test_form_offers_the_whole_rest(staff: Client) -> None:
    shown = staff.get(order_page(an_order(), "refund")).content.decode()

    assert 'value="23.99"' in shown
    assert 'value="2399"' not in shown


def test_part_of_the_money_goes_back(staff: Client) -> None:
    order = an_order(Order.Status.DELIVERED)
    url = order_page(order, "refund")
    this_form = form_id(staff, url)

    staff.post(url, {"form_id": this_form, "amount": "5.50", "reason": "chipped rim"})

    assert refunds() == [(550, "requested", "chipped rim", CLERK)]
    assert Refund.objects.get().purpose == f"admin:{this_form}"
    assert log() == [(CLERK, "Refund of $5.50 asked for. chipped rim")]


def test_double_click_is_one_refund(staff: Client) -> None:
    url = order_page(an_order(), "refund")
    entry = {"form_id": form_id(staff, url), "amount": "5.50", "reason": "chipped rim"}

    staff.post(url, entry)
    again = staff.post(url, entry)

    assert refunds() == [(550, "requested", "chipped rim", CLERK)]
    assert messages_of(again)[-1] == "This was done already: the form was sent twice."
    assert len(log()) == 1


def test_two_forms_are_two_refunds_until_nothing_is_left(staff: Client) -> None:
    url = order_page(an_order(), "refund")

    do(staff, url, amount="20.00", reason="first")
    too_much = do(staff, url, amount="4.00", reason="second")
    do(staff, url, amount="3.99", reason="third")
    nothing_left = do(staff, url, amount="0.01", reason="fourth")

    assert too_much.context["form"].errors == {"amount": ["At most $3.99 is left to refund."]}
    assert [amount for amount, *_ in refunds()] == [2000, 399]
    assert messages_of(nothing_left)[-1] == "Nothing is left to refund."


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "This field is required."),
        ("0", "At least 0.01."),
        ("-5", "At least 0.01."),
        ("5.555", "At most 2 decimals."),
        ("1e3", "Write a number such as 19.95."),
        ("NaN", "Write a number such as 19.95."),
        ("٣", "Write a number such as 19.95."),
        ("12,50", "Write a number such as 19.95."),
        ("9" * 30, "At most 10000000000.00."),
    ],
)
def test_bad_amount_is_named_beside_its_field(staff: Client, typed: str, said: str) -> None:
    answer = do(staff, order_page(an_order(), "refund"), amount=typed, reason="x")

    assert answer.context["form"].errors == {"amount": [said]}
    assert answer.context["form"]["amount"].value() == typed, "what was typed is kept"
    assert refunds() == []


def test_nothing_captured_is_nothing_to_refund(staff: Client) -> None:
    order = an_order(captured=False)

    answer = do(staff, order_page(order, "refund"), amount="1.00", reason="x")

    assert messages_of(answer) == ["Nothing is left to refund."]
    assert refunds() == []


def test_stock_stays_out_of_orders_hands(staff: Client) -> None:
    """A refund moves money only."""
    order = an_order()
    moved = StockMovement.objects.count()

    do(staff, order_page(order, "refund"), amount="23.99", reason="goodwill")

    assert StockMovement.objects.count() == moved
    order.refresh_from_db()
    assert order.status == "CONFIRMED"
