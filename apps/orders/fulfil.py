"""From the packing table to the door: what staff tell the shop about a parcel."""

from uuid import UUID

from django.db import transaction

from apps.notifications import outbox
from apps.orders import letters, moves
from apps.orders.models import Order, Saga
from apps.orders.moves import Move
from apps.payments.models import Payment
from apps.shipping import parcels

S = Order.Status


class NotReady(Exception):
    """The order is not in the state for this."""


def hand_to_carrier(order_id: UUID, *, actor: str) -> None:
    """The parcel has left: from here on the order cannot be cancelled. Raises NotReady."""
    with transaction.atomic():
        # The lock that a cancellation takes: of the two, one comes first and the other hears no.
        saga = Saga.objects.select_for_update().get(order_id=order_id)
        if saga.state != Saga.State.DONE:
            raise NotReady("The order is not finished, or it is being cancelled.")
        if Payment.objects.filter(order_id=order_id, status=Payment.Status.REFUNDED).exists():
            raise NotReady("Everything was refunded: cancel the order instead of shipping it.")
        if not moves.make([Move(order_id, S.SHIPPED)], actor=actor):
            raise NotReady("Only a confirmed order can be handed over.")
        shipment = parcels.hand_over(order_id)
        outbox.put([letters.shipped(Order.objects.get(pk=order_id), shipment)])


def mark_delivered(order_id: UUID, *, actor: str) -> None:
    """The parcel has arrived. Raises NotReady."""
    with transaction.atomic():
        if not moves.make([Move(order_id, S.DELIVERED)], actor=actor):
            raise NotReady("Only a shipped order can be delivered.")
        parcels.deliver(order_id)
