"""An order's page: it tells the whole story, and is for reading only."""

import pytest
from django.test import Client
from django.urls import reverse

from apps.payments.models import Payment
from tests.backoffice.conftest import (
    Counting,
    an_order,
    do,
    everything,
    messages_of,
    order_page,
    parcel,
)
from tests.backoffice.order_pages import ACTIONS, CLERK, LIST, buttons
from tests.factories import (
    GatewayCallFactory,
    IdempotencyKeyFactory,
    NotificationFactory,
    OrderEventFactory,
    OrderFactory,
    SagaStepFactory,
    make_alice,
)

pytestmark = pytest.mark.django_db


def test_order_has_no_form(staff: Client) -> None:
    order = an_order()
    before = everything(order)

    assert staff.post(order_page(order), {"status": "DELIVERED"}).status_code == 403
    assert staff.get(reverse("admin:orders_order_add")).status_code == 403
    delete = reverse("admin:orders_order_delete", args=[order.pk])
    assert staff.post(delete, {"post": "yes"}).status_code == 403
    assert everything(order) == before


def test_page_tells_the_whole_story(staff: Client) -> None:
    order = an_order(number="KP-STORY", promo_codes=["SLOW"])
    payment = Payment.objects.get(order_id=order.pk)
    GatewayCallFactory(payment=payment, purpose="capture", key=payment.key("capture"))
    IdempotencyKeyFactory(order=order, key="checkout-key-1")
    NotificationFactory(order_id=order.pk, subject="Your order KP-STORY is confirmed")
    do(staff, order_page(order, "refund"), amount="5.50", reason="chipped rim")

    shown = staff.get(order_page(order)).content.decode()

    for words in (
        *("alice@example.com", "12 Pine Street", "$18.00", "$5.99", "$23.99"),
        *("authorize payment", "pi_test", "checkout-key-1", payment.key("capture")),
        *(parcel(order).tracking_number, "Your order KP-STORY is confirmed"),
        *("Refund $5.50", "Refund of $5.50 asked for. chipped rim", CLERK),
    ):
        assert words in shown, words


def test_markup_of_shoppers_is_shown_as_text(staff: Client) -> None:
    evil = "<script>alert(1)</script>"
    order = an_order(shipping_address={"name": evil, "line1": evil, "country": "US"})
    order.lines.update(name=evil)
    OrderEventFactory(order=order, seq=2, message=evil)

    for url in (order_page(order), order_page(order, "refund"), LIST):
        assert evil not in staff.get(url).content.decode()


@pytest.mark.parametrize("bad", ["nonsense", "0", "01a1fae6-9b65-778a-9601-18c787da8880"])
def test_unknown_order_is_no_error(staff: Client, bad: str) -> None:
    for path in ("change", *ACTIONS):
        assert staff.get(f"{LIST}{bad}/{path}/").status_code == 302


def test_page_costs_the_same_with_a_long_story(queries_of: Counting) -> None:
    order = an_order(user=make_alice())
    payment = Payment.objects.get(order_id=order.pk)
    GatewayCallFactory(payment=payment)
    NotificationFactory(order_id=order.pk)
    queries_of(order_page(order))
    few = queries_of(order_page(order))
    for n in range(2, 90):
        SagaStepFactory(saga_id=order.pk, outcome="retry", attempt=n)
    for n in range(2, 60):
        GatewayCallFactory(payment=payment)
        OrderEventFactory(order=order, seq=n)

    # Two more: how many steps and calls are not shown.
    assert queries_of(order_page(order)) <= few + 2 <= 38


def test_unfinished_order_shows_without_saga_or_payment(staff: Client) -> None:
    bare = OrderFactory(number="KP-BARE")

    assert staff.get(order_page(bare)).status_code == 200
    assert buttons(staff, bare) == set()
    assert messages_of(do(staff, order_page(bare, "cancel"), reason="x")) == [
        "This order has no saga: nothing carries it."
    ]
