"""Who may see an order: its owner, or whoever holds its token. Everybody else sees nothing."""

from typing import Any
from uuid import UUID

from apps.orders import tokens
from apps.orders.errors import OrderNotFound
from apps.orders.models import Order


def find_order(order_id: UUID, *, user: Any = None, token: str | None = None) -> Order:
    """The order, if `user` owns it or `token` opens it.

    Raises OrderNotFound for a stranger just as for an order that does not exist.
    """
    found = Order.objects.filter(pk=order_id).first()
    if found is None:
        raise OrderNotFound(order_id)
    owns = user is not None and user.is_authenticated and found.user_id == user.pk
    if owns or tokens.is_valid(order_id, token):
        return found
    raise OrderNotFound(order_id)


def name_of(user: Any) -> str:
    """Who asks, for the audit trail: the account, or a guest with the order's token."""
    return user.email if user is not None and user.is_authenticated else "guest"
