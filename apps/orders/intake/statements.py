"""What the intake asks the database about earlier orders: one query for a whole batch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson

from apps.core import sql
from apps.orders.intake.order_numbers import oldest_id
from apps.orders.models import Order


@dataclass(frozen=True, slots=True)
class KnownKey:
    """An accepted checkout as its idempotency key remembers it."""

    fingerprint: bytes
    order_id: UUID
    answer: dict[str, Any]


def known_keys(keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], KnownKey]:
    """Those of `keys` ((scope, key)) under which an order was accepted."""
    scopes, names = map(list, zip(*keys, strict=True))
    rows = sql.fetch(
        "SELECT k.scope, k.key, k.fingerprint, k.order_id, k.answer"
        " FROM orders_idempotencykey k"
        " JOIN unnest(%s::text[], %s::text[]) AS n(scope, key)"
        " ON k.scope = n.scope AND k.key = n.key",
        [scopes, names],
    )
    return {
        (scope, key): KnownKey(bytes(fingerprint), order_id, orjson.loads(answer))
        for scope, key, fingerprint, order_id, answer in rows
    }


def keys_of_orders(skus: Sequence[str], within: timedelta) -> list[str]:
    """The keys under which any of `skus` were ordered in the time `within` until now."""
    rows = sql.fetch(
        "SELECT DISTINCT k.key FROM orders_orderline l"
        " JOIN orders_idempotencykey k ON k.order_id = l.order_id"
        " WHERE l.sku = ANY(%s) AND l.order_id >= %s",
        [list(skus), oldest_id(within.total_seconds())],
    )
    return [key for (key,) in rows]


def live_orders_of_carts(cart_ids: Iterable[UUID | None]) -> dict[UUID | None, tuple[UUID, str]]:
    """(order id, number) of the live order of each cart that has one."""
    wanted = [cart_id for cart_id in cart_ids if cart_id is not None]
    if not wanted:
        return {}
    live = Order.objects.filter(cart_id__in=wanted).exclude(status=Order.Status.CANCELLED)
    return {
        cart_id: (pk, number) for cart_id, pk, number in live.values_list("cart_id", "pk", "number")
    }
