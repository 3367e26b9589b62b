"""Writing the accepted checkouts of a batch: one statement for all rows of all orders.

Order, lines, first event and idempotency key are written here; the payment's and the saga's columns
are named by their owners. Customers' carts are closed in the same transaction.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from apps.cart import customers
from apps.core import sql
from apps.core.batch_insert import BatchInsert, compose
from apps.orders import payloads
from apps.orders.intake.pending import Pending
from apps.orders.models import Order
from apps.orders.saga import new_sagas
from apps.orders.transitions import MESSAGES
from apps.payments import new_payments

_ORDERS = BatchInsert(
    columns="""
        id uuid, number text, user_id bigint, email text, mailbox text, client text, cart_id uuid,
        currency text, subtotal bigint, discount bigint, shipping bigint, shipping_tax bigint,
        tax bigint, total bigint, shipping_address jsonb, billing_address jsonb,
        shipping_method text, promo_codes jsonb
    """,
    insert="""
        INSERT INTO orders_order (
            id, number, status, seq, user_id, email, mailbox, client, cart_id, currency,
            subtotal_amount, discount_amount, shipping_amount, shipping_tax_amount, tax_amount,
            total_amount, shipping_address, billing_address, shipping_method, promo_codes)
        SELECT id, number, 'PENDING', 1, user_id, email, mailbox, client, cart_id, currency,
               subtotal, discount, shipping, shipping_tax, tax, total, shipping_address,
               nullif(billing_address, 'null'), shipping_method, promo_codes
        FROM batch
    """,
)
_LINES = BatchInsert(
    columns="lines json",
    insert="""
        INSERT INTO orders_orderline (order_id, sku, name, quantity, unit_amount, line_amount,
            discount_amount, tax_amount)
        SELECT batch.id, line.sku, line.name, line.quantity, line.unit, line.amount,
               line.discount, line.tax
        FROM batch, json_to_recordset(batch.lines) AS line(
            sku text, name text, quantity int, unit bigint, amount bigint, discount bigint,
            tax bigint)
    """,
)
_EVENTS = BatchInsert(
    columns="",
    insert="""
        INSERT INTO orders_orderevent (order_id, seq, status, message, actor)
        SELECT id, 1, 'PENDING', %(message)s::text, '' FROM batch
    """,
)
_KEYS = BatchInsert(
    columns="scope text, key text, fingerprint text, answer text",
    insert="""
        INSERT INTO orders_idempotencykey (scope, key, fingerprint, order_id, answer)
        SELECT scope, key, decode(fingerprint, 'hex'), id, answer FROM batch
    """,
)
ACCEPT = compose(_ORDERS, _LINES, new_payments.INSERT, new_sagas.INSERT, _EVENTS, _KEYS)


def write(accepted: Sequence[Pending], answers: Mapping[UUID, dict[str, Any]]) -> None:
    """Write everything that an accepted checkout consists of; `answers` are by order id."""
    sql.run(
        ACCEPT,
        {
            "batch": sql.document(_row(pending, answers[pending.order_id]) for pending in accepted),
            "message": MESSAGES[Order.Status.PENDING],
            **new_sagas.parameters(),
        },
    )
    ordered = [
        customers.Ordered(
            cart_id=pending.request.cart_id,
            version=pending.request.cart_version,
            quantities=dict(pending.request.lines),
            promo_codes=pending.request.promo_codes,
        )
        for pending in accepted
        if pending.request.user_id and pending.request.cart_id
    ]
    if ordered:
        customers.close_ordered(ordered)


def _row(pending: Pending, answer: dict[str, Any]) -> dict[str, Any]:
    """The fields of one order, by the names of the parts' `columns`."""
    request, quote = pending.request, pending.priced
    return {
        "id": pending.order_id,
        "number": pending.number,
        "user_id": request.user_id,
        "email": request.email,
        "mailbox": pending.mailbox,
        "client": request.client,
        "cart_id": request.cart_id,
        "currency": quote.currency,
        "subtotal": quote.subtotal_amount,
        "discount": quote.discount_amount,
        "shipping": quote.shipping_amount,
        "shipping_tax": quote.shipping_tax_amount,
        "tax": quote.tax_amount,
        "total": quote.total_amount,
        "shipping_address": request.shipping_address,
        "billing_address": request.billing_address,
        "shipping_method": quote.shipping_method,
        "promo_codes": [applied.code for applied in quote.promos],
        "lines": [
            {
                "sku": line.sku,
                "name": line.name,
                "quantity": line.quantity,
                "unit": line.unit_amount,
                "amount": line.line_amount,
                "discount": line.discount_amount,
                "tax": line.tax_amount,
            }
            for line in quote.lines
        ],
        "scope": request.scope,
        "key": request.key,
        "fingerprint": request.fingerprint.hex(),
        "answer": orjson.dumps(answer).decode(),
        **new_payments.fields(
            payment_method=request.payment_method,
            return_url=payloads.return_url(pending.order_id, base_url=request.base_url),
        ),
    }
