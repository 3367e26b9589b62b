"""What staff report about a parcel: handed to the carrier, delivered."""

from uuid import UUID

from django.db import transaction

from apps.notifications import outbox
from apps.orders import emails, transitions
from apps.orders.models import Order, Saga
from apps.orders.transitions import Transition
from apps.payments.models import Payment
from apps.shipping import parcels

S = Order.Status


class NotReady(Exception):
    """The order is not in a state that allows this; the message is for staff."""


def hand_to_carrier(order_id: UUID, *, actor: str) -> None:
    """The parcel has left: the order cannot be cancelled any more. Raises NotReady."""
    with transaction.atomic():
        # A cancellation takes the same lock: one of the two is first, and the other is refused.
        saga = Saga.objects.select_for_update().get(order_id=order_id)
        if not _ships(order_id):
            raise NotReady("Nothing of it is shipped: mark it delivered when it is done.")
        if saga.state != Saga.State.DONE:
            raise NotReady("The order is not finished, or it is being cancelled.")
        if Payment.objects.filter(
            order_id=order_id, live=True, status=Payment.Status.REFUNDED
        ).exists():
            raise NotReady("Everything was refunded: cancel the order instead of shipping it.")
        if not transitions.make([Transition(order_id, S.SHIPPED)], actor=actor):
            raise NotReady("Only a confirmed order can be handed over.")
        shipment = parcels.hand_over(order_id)
        outbox.put([emails.shipped(Order.objects.get(pk=order_id), shipment)])


def mark_delivered(order_id: UUID, *, actor: str) -> None:
    """The parcel has arrived, or what needs no parcel is done. Raises NotReady."""
    with transaction.atomic():
        # As in hand_to_carrier: a cancellation takes the same lock.
        saga = Saga.objects.select_for_update().filter(order_id=order_id).first()
        # Delivered may follow a refused return as well (returns.py), which is not for staff to say.
        status = Order.objects.select_for_update(no_key=True).get(pk=order_id).status
        if status == S.RETURN_INITIATED:
            raise NotReady("It was delivered before; a return of it is announced.")
        ships = _ships(order_id)
        if not ships and (saga is None or saga.state != Saga.State.DONE):
            raise NotReady("The order is not finished, or it is being cancelled.")
        if not transitions.make([Transition(order_id, S.DELIVERED)], actor=actor):
            needed = "shipped" if ships else "confirmed"
            raise NotReady(f"Only a {needed} order can be delivered.")
        if ships:
            parcels.deliver(order_id)


def _ships(order_id: UUID) -> bool:
    return not Order.objects.filter(pk=order_id, shipping_method="").exists()
