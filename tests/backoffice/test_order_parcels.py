"""Parcels, cancelling and returns: each button calls the domain once, a refusal changes nothing."""

import pytest
from django.test import Client

from apps.inventory.models import StockItem
from apps.notifications.models import Notification
from apps.orders.fulfilment import returns
from apps.orders.models import Order, OrderEvent, Return, Saga
from apps.shipping.models import Shipment
from tests.backoffice.conftest import (
    an_order,
    do,
    everything,
    form_id,
    log,
    messages_of,
    order_page,
    parcel,
)
from tests.backoffice.order_pages import CLERK, refunds
from tests.factories import a_mug

pytestmark = pytest.mark.django_db

# --- Parcels ------------------------------------------------------------------------------------


def test_handing_over_ships_the_order_and_writes_to_the_shopper(staff: Client) -> None:
    order = an_order()

    answer = do(staff, order_page(order, "hand-over"))

    assert answer["Location"] == order_page(order)
    order.refresh_from_db()
    assert order.status == "SHIPPED"
    assert parcel(order).state == "handed_over"
    assert OrderEvent.objects.get(order=order, status="SHIPPED").actor == CLERK
    assert list(Notification.objects.values_list("kind", flat=True)) == ["order_shipped"]
    assert log() == [(CLERK, "Handed to the carrier. Status: Confirmed → Shipped.")]


def test_handing_over_waits_for_the_saga(staff: Client) -> None:
    order = an_order(saga_state=Saga.State.UNDOING)
    before = everything(order)

    answer = do(staff, order_page(order, "hand-over"))

    assert messages_of(answer) == [
        "It cannot be handed over: The order is not finished, or it is being cancelled."
    ]
    assert everything(order) == before


def test_cancelled_parcel_is_not_handed_over_and_the_order_stays(staff: Client) -> None:
    order = an_order()
    Shipment.objects.update(state="cancelled")
    before = everything(order)

    answer = do(staff, order_page(order, "hand-over"))

    assert messages_of(answer)[0].startswith("It cannot be handed over:")
    assert everything(order) == before


def test_delivered_order_can_be_marked_once(staff: Client) -> None:
    order = an_order(Order.Status.SHIPPED)
    Shipment.objects.update(state="handed_over")

    do(staff, order_page(order, "deliver"))

    order.refresh_from_db()
    assert (order.status, parcel(order).state) == ("DELIVERED", "delivered")
    before = everything(order)
    again = do(staff, order_page(order, "deliver"))
    assert messages_of(again)[-1].startswith("It cannot be marked delivered:")
    assert everything(order) == before


# --- Cancelling ---------------------------------------------------------------------------------


def test_cancelling_sends_the_saga_back(staff: Client) -> None:
    order = an_order()

    do(staff, order_page(order, "cancel"), reason="ordered twice, called us")

    saga = Saga.objects.get(order=order)
    assert (saga.state, saga.step, saga.cancel_reason) == ("undoing", "create_shipment", "staff")
    assert log() == [(CLERK, "Cancellation asked for. ordered twice, called us")]


def test_cancelling_needs_a_reason(staff: Client) -> None:
    order = an_order()
    before = everything(order)

    answer = do(staff, order_page(order, "cancel"), reason=" ")

    assert answer.context["form"].errors == {"reason": ["This field is required."]}
    assert everything(order) == before


@pytest.mark.parametrize(
    ("status", "state"),
    [("SHIPPED", "done"), ("DELIVERED", "done"), ("CANCELLED", "undone"), ("CONFIRMED", "review")],
)
def test_what_is_over_or_under_way_cannot_be_cancelled(
    staff: Client, status: str, state: str
) -> None:
    order = an_order(status, saga_state=state)
    before = everything(order)

    answer = do(staff, order_page(order, "cancel"), reason="x")

    assert messages_of(answer) == [
        "It cannot be cancelled: the goods have left, or the order is over or in review."
    ]
    assert everything(order) == before


# --- Returns ------------------------------------------------------------------------------------


def test_received_return_restocks_and_refunds(staff: Client) -> None:
    mug = a_mug(stock=5, sku="MUG-1")
    order = an_order(Order.Status.DELIVERED, mug=mug)
    announced = returns.request_return(order.pk, lines=[("MUG-1", 1)], reason="too large")

    do(staff, order_page(order, "receive-return"), arrived=announced.pk)

    order.refresh_from_db()
    announced.refresh_from_db()
    assert (order.status, announced.state) == ("RETURNED", "received")
    assert StockItem.objects.get(variant=mug).on_hand == 5
    assert refunds() == [(1800, "requested", "too large", CLERK)]
    assert log() == [
        (CLERK, "Return received: 1 × MUG-1: too large. Status: Return Initiated → Returned.")
    ]


def test_return_is_received_once(staff: Client) -> None:
    mug = a_mug(stock=5, sku="MUG-1")
    order = an_order(Order.Status.DELIVERED, mug=mug)
    announced = returns.request_return(order.pk, lines=[("MUG-1", 1)], reason="too large")
    url = order_page(order, "receive-return")
    first, second = form_id(staff, url), form_id(staff, url)

    staff.post(url, {"form_id": first, "arrived": announced.pk})
    again = staff.post(url, {"form_id": second, "arrived": announced.pk})

    assert again.status_code == 200 and "arrived" in again.context["form"].errors
    assert StockItem.objects.get(variant=mug).on_hand == 5
    assert len(refunds()) == 1


def test_return_of_another_order_is_no_choice(staff: Client) -> None:
    mug = a_mug(stock=5, sku="MUG-1")
    of_alice = an_order(Order.Status.DELIVERED, mug=mug)
    announced = returns.request_return(of_alice.pk, lines=[("MUG-1", 1)], reason="too large")
    of_bob = an_order(Order.Status.DELIVERED)

    answer = do(staff, order_page(of_bob, "receive-return"), arrived=announced.pk)

    assert list(answer.context["form"].errors) == ["arrived"]
    assert Return.objects.get().state == "requested"
