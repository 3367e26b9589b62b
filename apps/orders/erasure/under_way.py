"""Which orders still need their buyer: to be shipped to, written to, or paid back."""

from collections.abc import Sequence

from apps.orders.models import Order, Saga
from apps.payments import erasure as payments

S = Order.Status
# A return that is announced is under way: its goods come with the buyer's name.
OVER = (S.DELIVERED, S.RETURNED, S.CANCELLED)
ENDED = (Saga.State.DONE, Saga.State.UNDONE)


def under_way(orders: Sequence[Order]) -> list[str]:
    """What is under way, one sentence each; empty when nothing is."""
    ids = [order.pk for order in orders]
    running = set(
        Saga.objects.filter(pk__in=ids).exclude(state__in=ENDED).values_list("pk", flat=True)
    )
    found = [
        f"order {order.number} is {order.get_status_display()}"
        for order in orders
        if order.status not in OVER
    ]
    found += [
        f"order {order.number} is not finished"
        for order in orders
        if order.status in OVER and order.pk in running
    ]
    return found + payments.under_way(ids)
