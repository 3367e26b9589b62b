"""The order's page after a declined card: paying with another one, or giving up."""

import re

import pytest

from apps.catalog.models import Variant
from apps.orders.models import Order, Saga
from apps.payments.models import Payment
from tests.orders.declined import decline
from tests.web.conftest import Visitor


@pytest.fixture
def order(visitor: Visitor, mug: Variant) -> Order:
    """A guest's order of two mugs whose card was declined."""
    visitor.buy(mug, 2)
    return decline(Order.objects.get())


def page_of(visitor: Visitor, order: Order) -> str:
    return visitor.get(f"/orders/{order.pk}/").content.decode()


def test_page_says_what_happened_until_when_and_offers_other_cards(
    visitor: Visitor, order: Order
) -> None:
    page = page_of(visitor, order)

    until = Saga.objects.get().deadline_at
    assert f"You can pay with another card until {until:%H:%M} UTC." in page
    assert "Pay with another card" in page
    assert page.count('name="payment_method"') == 5
    left = re.search(r'data-countdown="(\d+)"', page)
    assert left and 590 <= int(left[1]) <= 600
    assert 'http-equiv="refresh"' not in page, "it would take the choice away"
    assert "Cancel the order and go back to the cart" in page
    assert "Pay another way" not in page, "that is for orders that are over"


def test_another_card_is_tried(visitor: Visitor, order: Order) -> None:
    answer = visitor.post(f"/orders/{order.pk}/pay/", {"payment_method": "pm_card_visa"})

    assert answer.status_code == 302
    order.refresh_from_db()
    assert order.status == "PENDING"
    assert "Pay with another card" not in page_of(visitor, order)


def test_pressed_twice_tries_one_card(visitor: Visitor, order: Order) -> None:
    for _ in range(2):
        visitor.post(f"/orders/{order.pk}/pay/", {"payment_method": "pm_card_visa"})

    assert "It is being paid already. Nothing is charged twice." in page_of(visitor, order)
    assert Payment.objects.count() == 2


def test_too_late_is_said(visitor: Visitor, order: Order) -> None:
    Saga.objects.update(deadline_at="2020-01-01T00:00Z")
    assert "Pay with another card" not in page_of(visitor, order)

    visitor.post(f"/orders/{order.pk}/pay/", {"payment_method": "pm_card_visa"})

    assert "It is too late for that" in page_of(visitor, order)
    assert Payment.objects.count() == 1


@pytest.mark.parametrize("card", ["", "visa", "pm_card\x00", "pm_" + "x" * 500])
def test_without_a_card_the_form_says_so(visitor: Visitor, order: Order, card: str) -> None:
    answer = visitor.post(f"/orders/{order.pk}/pay/", {"payment_method": card})

    assert answer.status_code == 400
    page = answer.content.decode()
    assert "Choose how you pay." in page
    assert 'aria-describedby="sandbox-help id_payment_method-error"' in page
    assert Payment.objects.count() == 1


def test_giving_up_asks_for_the_cancellation(visitor: Visitor, order: Order) -> None:
    assert visitor.post(f"/orders/{order.pk}/cancel/").status_code == 302

    assert Saga.objects.get().cancel_requested_at is not None
    assert "Pay with another card" not in page_of(visitor, order)


def test_stranger_pays_nothing(other_visitor: Visitor, order: Order) -> None:
    answer = other_visitor.post(f"/orders/{order.pk}/pay/", {"payment_method": "pm_card_visa"})

    assert answer.status_code == 404
    assert Payment.objects.count() == 1


def test_with_real_keys_the_card_form_is_stripes(
    visitor: Visitor, order: Order, settings: object
) -> None:
    settings.USES_SANDBOX, settings.STRIPE_PUBLIC_KEY = False, "pk_live_x"  # type: ignore[attr-defined]

    page = page_of(visitor, order)

    assert 'data-key="pk_live_x"' in page
    assert "https://js.stripe.com/v3/" in page
    assert page.count('name="payment_method"') == 1
