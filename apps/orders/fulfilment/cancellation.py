"""Cancelling an order that has not been handed to the carrier.

1. Lock the saga: cancelling and shipping exclude each other.
2. While the saga goes forward, note the request in its row; the worker turns back at its next
   write. A finished saga (confirmed, labelled) is sent back from its last undoable step.
3. The worker undoes every step (saga/engine.py).
4. When everything is undone, saga/undone.py moves the order to CANCELLED and mails the shopper.
"""

from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from apps.core import dispatch
from apps.orders.errors import NotCancellable
from apps.orders.models import Order, Saga
from apps.orders.saga.outcomes import CancelReason
from apps.orders.saga.steps import LAST_UNDOABLE, MONEY_IS_TAKEN
from apps.orders.saga.undone import BY_SHOPPER
from apps.orders.status import BEFORE_SHIPMENT
from apps.payments import refunds
from apps.payments.models import Payment


def request_cancellation(
    order_id: UUID, *, reason: CancelReason = BY_SHOPPER, actor: str = "shopper"
) -> None:
    """Ask for an order to be undone.

    actor: who asks; kept in the saga and in the order's last event, at most 254 characters.

    Asking again changes nothing. Raises NotCancellable once the goods have left, or when the order
    is over or waits for a person's decision.
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
                cancel_reason=reason.code,
                cancel_requested_at=Now(),
                cancel_requested_by=actor[:254],
                updated_at=Now(),
            )
        else:
            # The first request is kept: its actor and its reason count.
            mine.filter(cancel_requested_at__isnull=True).update(
                cancel_requested_at=Now(),
                cancel_reason=reason.code,
                cancel_requested_by=actor[:254],
            )
            # A saga that waits or backs off becomes due. A claimed one reads the request itself.
            mine.filter(lease_until__isnull=True).update(due_at=Now())
        transaction.on_commit(lambda: dispatch.enqueue_on_commit("orders.advance_sagas"))


def gives_money_back(saga: Saga) -> bool:
    """Whether cancelling this order now would send money back, or might.

    True where money was taken and not refunded, and from the step on that takes it: the gateway may
    be taking it at this moment. Before that step an authorization is only called back. Lock the
    saga to rely on the answer: no worker begins the step meanwhile.
    """
    payment = Payment.objects.filter(order_id=saga.order_id, live=True).first()
    if payment is None or payment.amount == 0:
        return False
    if refunds.refundable(payment) > 0:
        return True
    return saga.state == Saga.State.FORWARD and saga.step in MONEY_IS_TAKEN


def is_requested(order: Order) -> bool:
    """Whether it was asked for and is not done yet."""
    return (
        order.status != Order.Status.CANCELLED
        and Saga.objects.filter(order=order, cancel_requested_at__isnull=False).exists()
    )


def is_cancellable(order: Order) -> bool:
    """Whether a page should offer to cancel; `request_cancellation` decides."""
    return (
        order.status in BEFORE_SHIPMENT
        and Saga.objects.filter(
            Q(state=Saga.State.FORWARD) | Q(state=Saga.State.DONE), order=order
        ).exists()
    )
