"""A guest's cart after it was ordered: closed with what was ordered; the rest is in the next cart.

A customer's cart is closed in the transaction of the order (writing.py). A guest's cart is kept in
Redis and is closed as soon as the order is committed: by the process that placed the order, or,
where that process died in between, by the next request that asks for the same order.
"""

import logging
from uuid import UUID

from apps.cart import carts
from apps.cart.carts import CartNotFound, CartsUnavailable, CartView
from apps.orders.intake.pending import Accepted
from apps.orders.models import Order, OrderLine

logger = logging.getLogger(__name__)


def leave(cart: CartView | None, accepted: Accepted) -> bool:
    """Close `cart` after its order; whether it is closed now. Never raises: the order stands."""
    if accepted.replayed:
        return leave_known(cart, accepted.order_id)
    return cart is not None and _close(cart, cart.quantities, cart.promo_codes)


def leave_known(cart: CartView | None, order_id: UUID) -> bool:
    """As `leave`, for a cart that was read after it was ordered: the order says what was in it."""
    if cart is None or not cart.open or cart.owner_id is not None:
        return cart is not None
    order = Order.objects.only("cart_id", "promo_codes").filter(pk=order_id).first()
    if order is None or order.cart_id != cart.id:
        return False
    lines = OrderLine.objects.filter(order_id=order_id).values_list("sku", "quantity")
    return _close(cart, dict(lines), tuple(order.promo_codes))


def _close(cart: CartView, quantities: dict[str, int], promo_codes: tuple[str, ...]) -> bool:
    if cart.owner_id is not None:
        return True
    try:
        carts.close(cart, quantities=quantities, promo_codes=promo_codes)
    except (CartNotFound, CartsUnavailable) as error:
        logger.info("an ordered cart stays open: %s", type(error).__name__)
        return False
    return True
