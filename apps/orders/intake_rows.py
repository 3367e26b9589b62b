"""The intake's SQL: one statement per table for a whole batch, rows handed over by unnest()."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from uuid_utils.compat import uuid7

from apps.cart.models import Cart
from apps.orders.checkout import FIRST_STEP
from apps.orders.models import Order
from apps.orders.moves import MESSAGES
from storefront import prepared

if TYPE_CHECKING:
    from apps.orders.pending import Pending


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
        (scope, key): KnownKey(bytes(fingerprint), order_id, _parsed(answer))
        for scope, key, fingerprint, order_id, answer in rows
    }


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


def write(running: "Sequence[Pending]", answers: dict[UUID, dict[str, Any]]) -> None:
    """Order, lines, payment, saga, first event and key of each accepted checkout."""
    ids = [p.order_id for p in running]
    insert(
        "orders_order",
        id=("uuid", ids),
        number=("text", [p.number for p in running]),
        user_id=("bigint", [p.request.user_id for p in running]),
        email=("text", [p.request.email for p in running]),
        cart_id=("uuid", [p.request.cart_id for p in running]),
        currency=("text", [p.priced.currency for p in running]),
        subtotal_amount=("bigint", [p.priced.subtotal_amount for p in running]),
        discount_amount=("bigint", [p.priced.discount_amount for p in running]),
        shipping_amount=("bigint", [p.priced.shipping_amount for p in running]),
        tax_amount=("bigint", [p.priced.tax_amount for p in running]),
        total_amount=("bigint", [p.priced.total_amount for p in running]),
        shipping_address=("jsonb", [json.dumps(p.request.shipping_address) for p in running]),
        billing_address=(
            "jsonb",
            [p.request.billing_address and json.dumps(p.request.billing_address) for p in running],
        ),
        shipping_method=("text", [p.request.shipping_method for p in running]),
        promo_codes=("jsonb", [json.dumps([a.code for a in p.priced.promos]) for p in running]),
        status=("text", [Order.Status.PENDING.value] * len(running)),
        seq=("int", [1] * len(running)),
    )
    lines = [(p.order_id, line) for p in running for line in p.priced.lines]
    insert(
        "orders_orderline",
        order_id=("uuid", [order_id for order_id, _ in lines]),
        sku=("text", [line.sku for _, line in lines]),
        name=("text", [line.name for _, line in lines]),
        quantity=("int", [line.quantity for _, line in lines]),
        unit_amount=("bigint", [line.unit_amount for _, line in lines]),
        line_amount=("bigint", [line.line_amount for _, line in lines]),
    )
    insert(
        "payments_payment",
        id=("uuid", [uuid7() for _ in running]),
        order_id=("uuid", ids),
        status=("text", ["created"] * len(running)),
        amount=("bigint", [p.priced.total_amount for p in running]),
        currency=("text", [p.priced.currency for p in running]),
        payment_method=("text", [p.request.payment_method for p in running]),
        captured_amount=("bigint", [0] * len(running)),
        refunded_amount=("bigint", [0] * len(running)),
        next_action_url=("text", [""] * len(running)),
        decline_code=("text", [""] * len(running)),
        message=("text", [""] * len(running)),
        generation=("int", [1] * len(running)),
    )
    _write_sagas(ids)
    insert(
        "orders_orderevent",
        order_id=("uuid", ids),
        seq=("int", [1] * len(running)),
        status=("text", [Order.Status.PENDING.value] * len(running)),
        message=("text", [MESSAGES[Order.Status.PENDING]] * len(running)),
        actor=("text", [""] * len(running)),
    )
    insert(
        "orders_idempotencykey",
        scope=("text", [p.request.scope for p in running]),
        key=("text", [p.request.key for p in running]),
        fingerprint=("bytea", [p.request.fingerprint for p in running]),
        order_id=("uuid", ids),
        answer=("jsonb", [json.dumps(answers[order_id]) for order_id in ids]),
    )
    carts = [p.request.cart_id for p in running if p.request.user_id and p.request.cart_id]
    if carts:
        Cart.objects.filter(pk__in=carts).update(open=False)


def insert(table: str, **columns: tuple[str, list[Any]]) -> None:
    """INSERT … SELECT unnest(…): `column=(type, values)`; names and types are this module's."""
    names = ", ".join(columns)
    # PostgreSQL has no bind format for jsonb[] in psycopg's text arrays: pass text, cast per row.
    picked = ", ".join(
        f"{name}::jsonb" if kind == "jsonb" else name for name, (kind, _) in columns.items()
    )
    arrays = ", ".join(
        f"%s::{'text' if kind == 'jsonb' else kind}[]" for kind, _ in columns.values()
    )
    prepared.run(
        f"INSERT INTO {table} ({names}) SELECT {picked}"  # noqa: S608
        f" FROM unnest({arrays}) AS n({names})",
        [values for _, values in columns.values()],
    )


def _write_sagas(ids: list[UUID]) -> None:
    # The database's clock sets the deadline; it is the hold's.
    prepared.run(
        "INSERT INTO orders_saga (order_id, state, step, attempts, epoch, due_at, waiting_for,"
        " deadline_at, cancel_reason, last_error, review_reason, reviewed_from)"
        " SELECT o, 'forward', %s, 0, 0, now(), '', now() + %s, '', '', '', ''"
        " FROM unnest(%s::uuid[]) AS n(o)",
        [FIRST_STEP, settings.HOLD_TIME, ids],
    )


def _parsed(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
