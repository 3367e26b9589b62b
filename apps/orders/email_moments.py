"""Which mails about an order may be sent, and from which moment on.

A guest chooses the address that we write to. Twelve orders with a declined card would be twelve
mails to a stranger. So a mail about a failure is sent only where a payment was begun in earnest
(`NOT_BEFORE`). A mail that may not be sent is stored as withheld, for staff; the shopper reads the
same on the order's page and in the API.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum
from uuid import UUID

from apps.customers.mailbox import mailbox_of
from apps.orders.models import Order, OrderEvent
from apps.payments.models import Payment

S = Order.Status


class Moment(StrEnum):
    """From when on a mail may be sent."""

    PAID = "paid"  # the saga and the actions of staff compose it only then
    IN_EARNEST = "payment begun in earnest"


NOT_BEFORE: Mapping[str, Moment] = {
    "order_confirmed": Moment.PAID,
    "order_shipped": Moment.PAID,
    "return_announced": Moment.PAID,
    "return_received": Moment.PAID,
    "return_refused": Moment.PAID,
    "refund_sent": Moment.PAID,
    "payment_declined": Moment.IN_EARNEST,
    "order_cancelled": Moment.IN_EARNEST,
}
TOO_EARLY = "the payment was never begun in earnest: the address may be a stranger's"


def withheld(kind: str, orders: Collection[Order]) -> dict[UUID, str]:
    """Those of `orders` whose mail of this kind may not be sent (yet), each with the reason."""
    if NOT_BEFORE[kind] is Moment.PAID:
        return {}
    may_go = in_earnest(orders)
    return {order.pk: TOO_EARLY for order in orders if order.pk not in may_go}


def in_earnest(orders: Collection[Order]) -> set[UUID]:
    """The ids of orders whose payment was begun in earnest, not by a stranger who tries addresses.

    One of these is enough:

    - the bank reserved money, once;
    - it asked the shopper (3-D Secure) and a person answered, yes or no: the payment is authorized,
      or declined with a code. Being asked without an answer is not enough;
    - the order belongs to an account, names the account's own mailbox, and the account has paid
      before. Being signed in is not enough: a new account may name any address.
    """
    ids = [order.pk for order in orders]
    reached = set(
        OrderEvent.objects.filter(
            order_id__in=ids, status__in=[S.PAYMENT_AUTHORIZED, S.REQUIRES_ACTION]
        ).values_list("order_id", "status")
    )
    answered = set(
        Payment.objects.filter(order_id__in=ids)
        .exclude(decline_code="")
        .values_list("order_id", flat=True)
    )
    earnest = {order_id for order_id, status in reached if status == S.PAYMENT_AUTHORIZED}
    earnest |= {order_id for order_id, status in reached if order_id in answered}
    theirs = [
        order
        for order in orders
        if order.user is not None and mailbox_of(order.user.email) == mailbox_of(order.email)
    ]
    paying = set(
        OrderEvent.objects.filter(
            status=S.CONFIRMED, order__user__in={order.user_id for order in theirs}
        ).values_list("order__user", flat=True)
    )
    return earnest | {order.pk for order in theirs if order.user_id in paying}
