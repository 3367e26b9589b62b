"""The order's moves from status to status: the one statement that makes a move.

A move is a conditional UPDATE (`WHERE status IN (…)`) plus an event row in the same transaction,
and after the commit a broadcast to the processes that serve websockets. A move that is not allowed
any more changes no row: another worker was first, which is not an error. status.py says which
status may follow which.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import transaction

from apps.core import dispatch, sql
from apps.orders.status import STATUSES
from apps.orders.unshipped import STATUSES_UNSHIPPED

GROUP = "orders.moved"  # the channel layer's group of all processes that serve websockets

# By status, those from which it may be reached, and the message of the move.
TRANSITIONS: Mapping[str, tuple[str, ...]] = {
    status: row.follows for status, row in STATUSES.items() if row.follows
}
MESSAGES: Mapping[str, str] = {status: row.message for status, row in STATUSES.items()}

MOVE = """
    WITH wanted AS (
        SELECT * FROM json_to_recordset(%(wanted)s::json)
            AS w(id uuid, message text, next_action jsonb, actor text)
    ), moved AS (
        UPDATE orders_order o SET status = %(to)s, seq = o.seq + 1, updated_at = now(),
            client = CASE WHEN %(forgets_client)s::bool THEN '' ELSE o.client END
        FROM wanted WHERE o.id = wanted.id AND o.status = ANY(
            CASE WHEN o.shipping_method = '' THEN %(unshipped_from)s::text[]
                 ELSE %(from)s::text[] END)
        RETURNING o.id, o.number, o.seq, wanted.next_action, wanted.actor,
            CASE WHEN wanted.message <> '' THEN wanted.message
                 WHEN o.shipping_method = '' THEN %(unshipped)s::text
                 ELSE %(message)s::text END AS message
    )
    INSERT INTO orders_orderevent (order_id, seq, status, message, next_action, actor)
    SELECT id, seq, %(to)s, message, next_action, actor FROM moved
    RETURNING order_id, seq, created_at, message, next_action,
        (SELECT number FROM moved WHERE id = order_id)
"""


@dataclass(frozen=True, slots=True)
class Transition:
    """One order that is to move to the status `to`.

    message: for the shopper; the default is the status's own.
    next_action: what the shopper has to do, as the API shows it.
    actor: who asked for it, for staff.
    """

    order_id: UUID
    to: str
    message: str = ""
    next_action: dict[str, Any] | None = None
    actor: str = ""


def make(transitions: Iterable[Transition], *, actor: str = "") -> set[tuple[UUID, str]]:
    """Make the moves that are still allowed; the (order id, status) pairs that were made.

    `actor` counts for those that name none. One statement for each status.
    """
    by_status: dict[str, list[Transition]] = {}
    for move in transitions:
        by_status.setdefault(move.to, []).append(move)
    made = set()
    for to, moves in by_status.items():
        unshipped = STATUSES_UNSHIPPED[to].follows
        made |= _make(to, moves, TRANSITIONS[to], actor, unshipped_from=unshipped)
    return made


def repeat(move: Transition) -> bool:
    """Write one more event for an order that keeps its status, because `next_action` has changed.

    False where the order has another status by now.
    """
    same = (move.to,)
    return bool(_make(move.to, [move], same, "", unshipped_from=same))


def note(order_id: UUID, message: str, *, actor: str = "") -> None:
    """Write one more event for an order that keeps its status: something else has happened to it.

    What the shopper has to do, if anything, stays as the event before says.
    """
    with transaction.atomic():
        # Locked by a statement of its own: the next ones then see the event of whoever was first.
        ((status,),) = sql.fetch(
            "SELECT status FROM orders_order WHERE id = %s FOR NO KEY UPDATE", [order_id]
        )
        last = sql.fetch(
            "SELECT next_action FROM orders_orderevent WHERE order_id = %s"
            " ORDER BY seq DESC LIMIT 1",
            [order_id],
        )
        # Without an event there is nothing to repeat; the refund that is told must not fail for it.
        action = _parsed(last[0][0]) if last else None
        repeat(Transition(order_id, status, message, next_action=action, actor=actor))


def _make(
    to: str,
    moves: list[Transition],
    from_: tuple[str, ...],
    actor: str,
    *,
    unshipped_from: tuple[str, ...],
) -> set[tuple[UUID, str]]:
    # Ascending id: two workers that move overlapping sets wait for each other, not crosswise.
    moves.sort(key=lambda move: move.order_id)
    rows = sql.fetch(
        MOVE,
        {
            "wanted": sql.document(
                {
                    "id": move.order_id,
                    "message": move.message,
                    "next_action": move.next_action,
                    "actor": move.actor or actor,
                }
                for move in moves
            ),
            "to": str(to),
            "message": MESSAGES[to],
            "unshipped": STATUSES_UNSHIPPED[to].message,
            "from": [str(status) for status in from_],
            "unshipped_from": [str(status) for status in unshipped_from],
            "forgets_client": STATUSES[to].forgets_client,
        },
    )
    broadcast(
        [
            event_payload(order_id, number, to, seq, message, at, _parsed(action))
            for order_id, seq, at, message, action, number in rows
        ]
    )
    return {(row[0], str(to)) for row in rows}


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


def broadcast(payloads: list[dict[str, Any]]) -> None:
    """Broadcast (order id, seq, text) after the commit: a move that is rolled back is never shown.

    Every process that serves websockets gets all of them and looks up who watches. The text is
    made once, here: those processes pass it on without parsing it.
    """
    moves = [(payload["id"], payload["seq"], as_text(payload)) for payload in payloads]
    if moves:
        transaction.on_commit(lambda: dispatch.broadcast_on_commit(GROUP, moves))


def _parsed(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
