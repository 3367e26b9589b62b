"""Holds: reserved by the intake, then confirmed, released or restocked by the saga.

This module is the only writer of `inventory_hold`. Every function takes a batch of orders, runs
inside the caller's transaction, and changes nothing when it is called again: the units of a hold
move only together with the change of its state.

    reserve                 units are held: `reserved` rises (strategies/: how, under concurrency)
    confirm                 the order is sold: units leave `on_hand` and `reserved`
    release                 the order ended before the sale: `reserved` falls
    restock                 a confirmed sale is undone: units come back into `on_hand`
    extend, set_expiry      the hold lasts longer, or until a given moment
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from apps.core import sql
from apps.inventory import strategies
from apps.inventory.allocation import Grant, ReserveRequest, Shortage
from apps.inventory.models import Hold, StockMovement

INSERT = """
    INSERT INTO inventory_hold (order_id, stock_item_id, quantity, state, expires_at)
    SELECT o, s, q, 'active', now() + %s
    FROM unnest(%s::uuid[], %s::bigint[], %s::int[]) AS n(o, s, q)
"""
MOVE = """
    UPDATE inventory_hold SET state = %s WHERE order_id = ANY(%s::uuid[]) AND state = %s
    RETURNING order_id, stock_item_id, quantity
"""
# Locks in ascending id, as everywhere: two batches that share SKUs wait instead of deadlocking.
CHANGE = """
    WITH change AS (
        SELECT * FROM unnest(%s::bigint[], %s::int[], %s::int[]) AS c(id, on_hand, reserved)
    ), scarce AS (
        SELECT s.id FROM inventory_stockitem s JOIN change USING (id) ORDER BY s.id FOR UPDATE OF s
    )
    UPDATE inventory_stockitem s
    SET on_hand = s.on_hand + c.on_hand, reserved = s.reserved + c.reserved, version = s.version + 1
    FROM change c JOIN scarce USING (id) WHERE s.id = c.id
"""
RECORD = """
    INSERT INTO inventory_stockmovement
        (id, stock_item_id, kind, quantity, reason, actor, order_id)
    SELECT gen_random_uuid(), s, %s, q, %s, %s, o
    FROM unnest(%s::uuid[], %s::bigint[], %s::int[]) AS n(o, s, q)
"""

Moved = list[tuple[UUID, int, int]]  # order id, stock item id, units


def reserve(requests: list[ReserveRequest], *, hold_time: timedelta) -> list[Shortage | None]:
    """Hold units for each order, whole or not at all.

    One answer per request, in their order: `None` where the order is held, else the Shortage.
    The hold expires `hold_time` from now by the database's clock.
    """
    answers = strategies.reserve(requests)
    rows = [
        (request.order_id, item, units)
        for request, answer in zip(requests, answers, strict=True)
        if isinstance(answer, Grant)
        for item, units in answer.units.items()
    ]
    if rows:
        orders, items, units = map(list, zip(*rows, strict=True))
        sql.run(INSERT, [hold_time, orders, items, units])
    return [answer if isinstance(answer, Shortage) else None for answer in answers]


def confirm(order_ids: Iterable[UUID]) -> set[UUID]:
    """Turn holds into sales: units leave `on_hand`. Returns the orders whose stock is confirmed.

    An order that is missing from the result has lost its hold.
    """
    ids = list(order_ids)
    moved = _move(ids, Hold.State.ACTIVE, Hold.State.CONFIRMED)
    _change(moved, on_hand=-1, reserved=-1)
    _record(moved, kind=StockMovement.Kind.CONFIRMED, sign=-1, reason="sold")
    return set(
        Hold.objects.filter(order_id__in=ids, state=Hold.State.CONFIRMED).values_list(
            "order_id", flat=True
        )
    )


def release(order_ids: Iterable[UUID]) -> None:
    """End active holds: their units are for sale again."""
    moved = _move(list(order_ids), Hold.State.ACTIVE, Hold.State.RELEASED)
    _change(moved, on_hand=0, reserved=-1)


def restock(order_ids: Iterable[UUID], *, reason: str) -> None:
    """Undo confirmed sales: units come back into `on_hand`, with `reason` in the ledger."""
    moved = _move(list(order_ids), Hold.State.CONFIRMED, Hold.State.RESTOCKED)
    _change(moved, on_hand=1, reserved=0)
    _record(moved, kind=StockMovement.Kind.RESTOCKED, sign=1, reason=reason)


def extend(order_ids: Iterable[UUID], *, hold_time: timedelta, cap: timedelta) -> None:
    """Keep active holds for another `hold_time`, but at most until `cap` after they were made.

    Called while a payment is under way. Never makes a hold shorter.
    """
    sql.run(
        "UPDATE inventory_hold"
        " SET expires_at = least(created_at + %s, greatest(expires_at, now() + %s))"
        " WHERE order_id = ANY(%s::uuid[]) AND state = 'active'",
        [cap, hold_time, list(order_ids)],
    )


def set_expiry(expiries: Mapping[UUID, datetime]) -> None:
    """Set when the active holds of each order expire, sooner or later than before."""
    sql.run(
        "UPDATE inventory_hold h SET expires_at = n.expires_at"
        " FROM unnest(%s::uuid[], %s::timestamptz[]) AS n(order_id, expires_at)"
        " WHERE h.order_id = n.order_id AND h.state = 'active'",
        [list(expiries), list(expiries.values())],
    )


def _move(order_ids: list[UUID], old: Hold.State, new: Hold.State) -> Moved:
    return sql.fetch(MOVE, [new.value, order_ids, old.value])


def _change(moved: Moved, *, on_hand: int, reserved: int) -> None:
    units: Counter[int] = Counter()
    for _order, item, quantity in moved:
        units[item] += quantity
    if not units:
        return
    items = sorted(units)
    sql.run(
        CHANGE, [items, [on_hand * units[i] for i in items], [reserved * units[i] for i in items]]
    )


def _record(moved: Moved, *, kind: StockMovement.Kind, sign: int, reason: str) -> None:
    if not moved:
        return
    orders, items, units = map(list, zip(*moved, strict=True))
    sql.run(RECORD, [kind.value, reason, "saga", orders, items, [sign * unit for unit in units]])
