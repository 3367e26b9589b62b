"""Who may see an order: its owner, or a client with its token. The one door for all faces."""

from typing import Any
from uuid import UUID

from apps.core import wrong_tokens
from apps.orders import tokens
from apps.orders.errors import OrderNotFound
from apps.orders.models import Order


def find_order(order_id: UUID, *, user: Any = None, token: str | None = None) -> Order:
    """The order, if `user` owns it or `token` is its token.

    Raises OrderNotFound, for an order of another customer as for one that does not exist, and
    rate_limits.LimitReached in its place after too many wrong tokens for this order.
    """
    found = Order.objects.filter(pk=order_id).first()
    if found is not None:
        owns = user is not None and user.is_authenticated and found.user_id == user.pk
        if owns or tokens.is_valid(order_id, token):
            return found
    wrong_tokens.count("order", order_id, token)
    raise OrderNotFound(order_id)


def name_of(user: Any) -> str:
    """The actor for an order's events: the account's e-mail, or `guest` for one with a token."""
    return user.email if user is not None and user.is_authenticated else "guest"
