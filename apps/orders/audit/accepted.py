"""Invariant 12: what a client was told is accepted is there."""

from collections.abc import Iterable
from uuid import UUID

from apps.orders.audit.invariant import SHOWN, Finding
from apps.orders.models import Order


def check_accepted(order_ids: Iterable[UUID]) -> Finding:
    """Invariant 12: every order in a client's log of 2xx answers exists."""
    wanted = set(order_ids)
    found = set(Order.objects.filter(pk__in=wanted).values_list("pk", flat=True))
    lost = [f"order {order_id} was accepted and is not there" for order_id in wanted - found]
    return Finding(12, "every accepted order exists", False, len(lost), tuple(lost[:SHOWN]))
