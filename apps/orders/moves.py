"""The order's moves: which status may follow which, and the one statement that makes a move.

A move is a conditional UPDATE (`WHERE status IN (from)`) plus an event row in the same
transaction, and after the commit a push to whoever watches. A move that is not allowed any more
touches no row: somebody else was there first, which is not an error.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import transaction

from apps.orders.models import Order
from storefront import bells, prepared

S = Order.Status

GROUP = "orders.moved"  # the channel layer's group in which every live process is

# to: from
MOVES: Mapping[str, tuple[str, ...]] = {
    S.REQUIRES_ACTION: (S.PENDING,),
    S.PAYMENT_AUTHORIZED: (S.PENDING, S.REQUIRES_ACTION),
    S.PAYMENT_FAILED: (S.PENDING, S.REQUIRES_ACTION),
    S.CONFIRMED: (S.PAYMENT_AUTHORIZED,),
    S.SHIPPED: (S.CONFIRMED,),
    S.DELIVERED: (S.SHIPPED,),
    S.RETURN_INITIATED: (S.DELIVERED, S.RETURNED),  # some came back, and now the rest
    S.RETURNED: (S.RETURN_INITIATED,),
    S.CANCELLED: (S.PENDING, S.PAYMENT_FAILED, S.PAYMENT_AUTHORIZED, S.CONFIRMED),
}

MESSAGES: Mapping[str, str] = {
    S.PENDING: "Order received. Your items are held for you.",
    S.REQUIRES_ACTION: "Your bank asks you to approve the payment.",
    S.PAYMENT_AUTHORIZED: "Your bank has approved the payment.",
    S.PAYMENT_FAILED: "The payment did not go through.",
    S.CONFIRMED: "Paid and confirmed. We are packing your order.",
    S.SHIPPED: "Your order is on its way.",
    S.DELIVERED: "Your order was delivered.",
    S.RETURN_INITIATED: "We are expecting your return.",
    S.RETURNED: "Your return has arrived and the money is on its way back.",
    S.CANCELLED: "The order was cancelled. You have not been charged.",
}

MOVE = """
    WITH wish AS (
        SELECT * FROM json_to_recordset(%(wishes)s::json)
            AS w(id uuid, message text, next_action jsonb, actor text)
    ), moved AS (
        UPDATE orders_order o SET status = %(to)s, seq = o.seq + 1, updated_at = now()
        FROM wish WHERE o.id = wish.id AND o.status = ANY(%(from)s)
        RETURNING o.id, o.number, o.seq, wish.message, wish.next_action, wish.actor
    )
    INSERT INTO orders_orderevent (order_id, seq, status, message, next_action, actor)
    SELECT id, seq, %(to)s, message, next_action, actor FROM moved
    RETURNING order_id, seq, created_at, message, next_action,
        (SELECT number FROM moved WHERE id = order_id)
"""


@dataclass(frozen=True, slots=True)
class Move:
    """A wish to move one order; `message` is for the shopper (default: MESSAGES), `actor` who
    wished it, for the staff.
    """

    order_id: UUID
    to: str
    message: str = ""
    next_action: dict[str, Any] | None = None
    actor: str = ""


def make(moves: Iterable[Move], *, actor: str = "") -> set[tuple[UUID, str]]:
    """Make the moves that are still allowed; the (order id, status) pairs that were made.

    `actor` is who made those that name nobody.
    """
    by_status: dict[str, list[Move]] = {}
    for move in moves:
        by_status.setdefault(move.to, []).append(move)
    made = set()
    for to, wishes in by_status.items():
        # Ascending id: two workers moving overlapping sets queue up instead of deadlocking.
        wishes.sort(key=lambda move: move.order_id)
        rows = prepared.fetch(
            MOVE,
            {
                "wishes": prepared.document(
                    {
                        "id": move.order_id,
                        "message": move.message or MESSAGES[to],
                        "next_action": move.next_action,
                        "actor": move.actor or actor,
                    }
                    for move in wishes
                ),
                "to": str(to),
                "from": [str(status) for status in MOVES[to]],
            },
        )
        made |= {(row[0], str(to)) for row in rows}
        announce(
            [
                event_payload(order_id, number, to, seq, message, at, _parsed(action))
                for order_id, seq, at, message, action, number in rows
            ]
        )
    return made


def event_payload(
    order_id: UUID,
    number: str,
    status: str,
    seq: int,
    message: str,
    created_at: datetime,
    next_action: Any,
) -> dict[str, Any]:
    """One move as the status endpoint, the event list and the websocket show it."""
    return {
        "id": str(order_id),
        "number": number,
        "status": str(status),
        "seq": seq,
        "message": message,
        "updated_at": created_at.isoformat().replace("+00:00", "Z"),
        "next_action": next_action,
    }


def as_text(payload: Mapping[str, Any]) -> str:
    """One move as the JSON that the websocket sends."""
    return orjson.dumps(payload).decode()


def announce(payloads: list[dict[str, Any]]) -> None:
    """Push (order id, seq, text) after the commit: a move that was rolled back is never shown.

    Every live process hears all of them and looks up who watches. The text is made here, once:
    there it is passed on unread.
    """
    told = [(payload["id"], payload["seq"], as_text(payload)) for payload in payloads]
    if told:
        transaction.on_commit(lambda: bells.push(GROUP, told))


def _parsed(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
