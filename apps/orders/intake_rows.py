"""The intake's SQL: each question and the writing are one statement for a whole batch."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from uuid_utils.compat import uuid7

from apps.cart.models import Cart
from apps.orders import payloads
from apps.orders.checkout import FIRST_STEP
from apps.orders.models import Order
from apps.orders.moves import MESSAGES
from apps.orders.pending import Pending
from storefront import prepared


@dataclass(frozen=True, slots=True)
class KnownKey:
    """An accepted checkout as its key remembers it."""

    fingerprint: bytes
    order_id: UUID
    answer: dict[str, Any]


def known_keys(keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], KnownKey]:
    """Those of `keys` ((scope, key)) under which an order was accepted."""
    scopes, names = map(list, zip(*keys, strict=True))
    rows = prepared.fetch(
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
    """The keys under which some of `skus` were ordered in the time `within` until now."""
    # An order's id is a UUIDv7: of all that are younger the least.
    first = UUID(int=int((time.time() - within.total_seconds()) * 1000) << 80)
    rows = prepared.fetch(
        "SELECT DISTINCT k.key FROM orders_orderline l"
        " JOIN orders_idempotencykey k ON k.order_id = l.order_id"
        " WHERE l.sku = ANY(%s) AND l.order_id >= %s",
        [list(skus), first],
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


def next_numbers(count: int) -> list[int]:
    """`count` fresh numbers of the sequence."""
    rows = prepared.fetch(
        "SELECT nextval('orders_number') FROM generate_series(1, %s::int)", [count]
    )
    return [number for (number,) in rows]


def write(running: Sequence[Pending], answers: Mapping[UUID, dict[str, Any]]) -> None:
    """Everything an accepted checkout is, for a whole batch, in one statement (ACCEPT)."""
    batch = [
        {
            "id": p.order_id,
            "payment_id": uuid7(),
            "number": p.number,
            "user_id": p.request.user_id,
            "email": p.request.email,
            "cart_id": p.request.cart_id,
            "currency": p.priced.currency,
            "subtotal": p.priced.subtotal_amount,
            "discount": p.priced.discount_amount,
            "shipping": p.priced.shipping_amount,
            "tax": p.priced.tax_amount,
            "total": p.priced.total_amount,
            "shipping_address": p.request.shipping_address,
            "billing_address": p.request.billing_address,
            "shipping_method": p.request.shipping_method,
            "payment_method": p.request.payment_method,
            "return_url": payloads.page_url(p.order_id, base_url=p.request.base_url),
            "promo_codes": [applied.code for applied in p.priced.promos],
            "lines": [
                {
                    "sku": line.sku,
                    "name": line.name,
                    "quantity": line.quantity,
                    "unit": line.unit_amount,
                    "amount": line.line_amount,
                }
                for line in p.priced.lines
            ],
            "scope": p.request.scope,
            "key": p.request.key,
            "fingerprint": p.request.fingerprint.hex(),
            "answer": orjson.dumps(answers[p.order_id]).decode(),
        }
        for p in running
    ]
    prepared.run(
        ACCEPT,
        {
            "batch": orjson.dumps(batch).decode(),
            "message": MESSAGES[Order.Status.PENDING],
            "first_step": FIRST_STEP,
            "hold_time": settings.HOLD_TIME,
        },
    )
    carts = [p.request.cart_id for p in running if p.request.user_id and p.request.cart_id]
    if carts:
        Cart.objects.filter(pk__in=carts).update(open=False)


# One document for the batch: PostgreSQL takes it apart quicker than Python quotes thirty arrays.
# The database's clock sets the saga's deadline; it is the hold's.
ACCEPT = """
    WITH batch AS MATERIALIZED (
        SELECT * FROM json_to_recordset(%(batch)s::json) AS b(
            id uuid, payment_id uuid, number text, user_id bigint, email text, cart_id uuid,
            currency text, subtotal bigint, discount bigint, shipping bigint, tax bigint,
            total bigint, shipping_address jsonb, billing_address jsonb, shipping_method text,
            payment_method text, return_url text, promo_codes jsonb, lines json,
            scope text, key text, fingerprint text, answer text)
    ), placed AS (
        INSERT INTO orders_order (
            id, number, status, seq, user_id, email, cart_id, currency, subtotal_amount,
            discount_amount, shipping_amount, tax_amount, total_amount, shipping_address,
            billing_address, shipping_method, promo_codes)
        SELECT id, number, 'PENDING', 1, user_id, email, cart_id, currency, subtotal,
               discount, shipping, tax, total, shipping_address,
               nullif(billing_address, 'null'), shipping_method, promo_codes
        FROM batch
    ), lines AS (
        INSERT INTO orders_orderline (order_id, sku, name, quantity, unit_amount, line_amount)
        SELECT batch.id, line.sku, line.name, line.quantity, line.unit, line.amount
        FROM batch, json_to_recordset(batch.lines) AS line(
            sku text, name text, quantity int, unit bigint, amount bigint)
    ), payments AS (
        INSERT INTO payments_payment (
            id, order_id, status, amount, captured_amount, refunded_amount, currency,
            payment_method, return_url, next_action_url, decline_code, message, generation)
        SELECT payment_id, id, 'created', total, 0, 0, currency, payment_method, return_url,
               '', '', '', 1
        FROM batch
    ), sagas AS (
        INSERT INTO orders_saga (
            order_id, state, step, attempts, epoch, due_at, waiting_for, deadline_at,
            cancel_reason, last_error, review_reason, reviewed_from)
        SELECT id, 'forward', %(first_step)s::text, 0, 0, now(), '', now() + %(hold_time)s,
               '', '', '', ''
        FROM batch
    ), events AS (
        INSERT INTO orders_orderevent (order_id, seq, status, message, actor)
        SELECT id, 1, 'PENDING', %(message)s::text, '' FROM batch
    )
    INSERT INTO orders_idempotencykey (scope, key, fingerprint, order_id, answer)
    SELECT scope, key, decode(fingerprint, 'hex'), id, answer FROM batch
"""
