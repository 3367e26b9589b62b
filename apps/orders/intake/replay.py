"""Requests whose outcome an earlier order decides: the same key again, or the same cart."""

from collections.abc import Sequence

from apps.orders.errors import CartAlreadyOrdered, IdempotencyKeyReused
from apps.orders.intake import statements
from apps.orders.intake.pending import Accepted, Outcomes, Pending


def outcomes_of_earlier_orders(batch: Sequence[Pending]) -> Outcomes:
    """The outcome of each checkout whose key, or whose cart, has made an order before."""
    if not batch:
        return {}
    outcomes: Outcomes = {}
    # Carts before keys. Another process may commit the same request between the two queries. In
    # this order its key is seen whenever its cart is seen; the other way round the shopper's own
    # order would be reported as another customer's.
    carts = statements.live_orders_of_carts([p.request.cart_id for p in batch])
    known = statements.known_keys([pending.key for pending in batch])
    for pending in batch:
        if pending.key in known:
            try:
                outcomes[pending.order_id] = replayed(
                    known[pending.key], pending.request.fingerprint
                )
            except IdempotencyKeyReused as error:
                outcomes[pending.order_id] = error
        elif pending.request.cart_id in carts:
            outcomes[pending.order_id] = CartAlreadyOrdered(*carts[pending.request.cart_id])
    return outcomes


def replayed(known: statements.KnownKey, fingerprint: bytes) -> Accepted:
    """The stored answer for the same request; raises IdempotencyKeyReused for another one."""
    if known.fingerprint != fingerprint:
        raise IdempotencyKeyReused
    return Accepted(known.order_id, known.answer, replayed=True)
