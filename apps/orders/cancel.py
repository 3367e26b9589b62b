"""Calling an order off before it has left the house.

1. lock the saga: whoever cancels and whoever ships stand in one queue
2. on its way forward: leave a wish; the worker turns round at its next write
3. finished (confirmed, labelled): send it back from its last undoable step
4. anything else (left the house, over, already turning): not cancellable, or nothing to do
"""

from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from apps.orders.checkout import LAST_UNDOABLE
from apps.orders.errors import NotCancellable
from apps.orders.models import Order, Saga
from storefront import bells

BEFORE_SHIPMENT = (
    Order.Status.PENDING,
    Order.Status.REQUIRES_ACTION,
    Order.Status.PAYMENT_AUTHORIZED,
    Order.Status.CONFIRMED,
)


def request_cancellation(
    order_id: UUID, *, reason: str = "shopper", actor: str = "shopper"
) -> None:
    """Ask for an order to be undone; `reason` is a key of endings.REASONS.

    `actor`, who asks, stands in the saga and in the order's last event.

    Asking again changes nothing. Raises NotCancellable once the goods have left, or when the order
    is over or in the hands of a person.
    """
    with transaction.atomic():
        saga = Saga.objects.select_for_update().get(order_id=order_id)
        status = Order.objects.values_list("status", flat=True).get(pk=order_id)
        if saga.state == Saga.State.UNDOING:
            return
        if status not in BEFORE_SHIPMENT or saga.state in (Saga.State.REVIEW, Saga.State.UNDONE):
            raise NotCancellable
        mine = Saga.objects.filter(pk=order_id)
        if saga.state == Saga.State.DONE:
            mine.update(
                state=Saga.State.UNDOING,
                step=LAST_UNDOABLE,
                attempts=0,
                due_at=Now(),
                cancel_reason=reason,
                cancel_requested_at=Now(),
                cancel_requested_by=actor[:254],
                updated_at=Now(),
            )
        else:
            # Who asked first is who asked.
            mine.filter(cancel_requested_at__isnull=True).update(
                cancel_requested_at=Now(), cancel_reason=reason, cancel_requested_by=actor[:254]
            )
            # Asleep (waiting, backing off): wake it. Claimed: the worker sees the wish itself.
            mine.filter(lease_until__isnull=True).update(due_at=Now())
        transaction.on_commit(lambda: bells.ring("orders.advance_sagas"))


def is_cancellable(order: Order) -> bool:
    """Whether a page should offer it; the verb above decides."""
    return (
        order.status in BEFORE_SHIPMENT
        and Saga.objects.filter(
            Q(state=Saga.State.FORWARD) | Q(state=Saga.State.DONE), order=order
        ).exists()
    )
