"""Which actions make sense as an order stands. Only the buttons go by this, no check does."""

from typing import Any
from uuid import UUID

from apps.orders.admin.actions import cancellation, erasure
from apps.orders.fulfilment.cancellation import is_cancellable
from apps.orders.models import Order, Return, Saga
from apps.payments import refunds
from apps.payments.models import Payment


def offered(order_id: UUID, user: Any) -> frozenset[str]:
    """The names of the actions, as OrderAdmin's methods are called.

    Of the rights of `user` only those are looked at that depend on the order.
    """
    order = Order.objects.select_related("saga").filter(pk=order_id).first()
    if order is None:
        return frozenset()
    saga: Saga | None = getattr(order, "saga", None)
    saga_state = saga.state if saga is not None else None
    payment = Payment.objects.filter(order_id=order_id, live=True).first()
    in_review = saga_state == Saga.State.REVIEW
    finished = order.status == Order.Status.CONFIRMED and saga_state == Saga.State.DONE
    ships = bool(order.shipping_method)
    announced = order.returns.filter(state=Return.State.REQUESTED).exists()
    possible = {
        "hand_over": finished and ships,
        "deliver": order.status == Order.Status.SHIPPED or (finished and not ships),
        "receive_return": announced,
        "refuse_return": announced,
        "refund": payment is not None and refunds.refundable(payment) > 0,
        "cancel": is_cancellable(order) and user.has_perms(cancellation.needed(order)),
        "erase_buyer": erasure.is_offered(order),
        "retry": in_review,
        "undo": in_review,
        "accept_part": in_review
        and payment is not None
        and payment.status == Payment.Status.PARTLY_CAPTURED,
        "resolve": in_review,
    }
    return frozenset(name for name, is_possible in possible.items() if is_possible)
