"""The default: one conditional UPDATE for the whole batch, locks only when it does not fit."""

from collections import Counter

from django.db import transaction

from apps.inventory.allocation import Grant, ReserveRequest, Shelf, Shortage, hand_out
from apps.inventory.strategies import shelves as stock_rows
from storefront import prepared

# All or nothing: the rows are locked in ascending id by `scarce` (FOR UPDATE returns the newest
# version, also of a row that it had to wait for), and nothing moves unless every one of them has
# enough. The condition stands in the UPDATE itself once more: it is what keeps the promise.
RESERVE = """
    WITH need AS (
        SELECT * FROM unnest(%s::bigint[], %s::int[]) AS n(id, units)
    ), scarce AS (
        SELECT s.on_hand - s.reserved >= n.units AS fits
        FROM inventory_stockitem s JOIN need n USING (id)
        ORDER BY s.id FOR UPDATE OF s
    )
    UPDATE inventory_stockitem s
    SET reserved = s.reserved + n.units, version = s.version + 1
    FROM need n
    WHERE s.id = n.id AND s.on_hand - s.reserved >= n.units
      AND (SELECT count(*) FILTER (WHERE fits) FROM scarce) = %s
"""


def take(requests: list[ReserveRequest]) -> list[Grant | Shortage]:
    """1. Read the rows without a lock and hand out on paper.
    2. Nobody gets anything? Then it is sold out: no lock, no write.
    3. Does everything fit into the preferred rows? One conditional UPDATE for all of it.
    4. It missed, or it did not all fit: lock the rows in ascending id and hand out for certain.
    """
    rows = stock_rows.read(requests)
    answers = hand_out(rows, requests)
    if all(isinstance(answer, Shortage) for answer in answers):
        return answers
    if all(isinstance(answer, Grant) for answer in answers) and _reserve(rows):
        return answers
    for row in rows:
        row.taken = 0
    stock_rows.lock(rows)
    answers = hand_out(rows, requests)
    if any(row.taken for row in rows) and not _update(rows):
        raise RuntimeError("locked stock changed under the lock")
    return answers


def _reserve(rows: list[Shelf]) -> bool:
    several_warehouses = max(Counter(row.variant_id for row in rows).values()) > 1
    if not several_warehouses:
        return _update(rows)
    # A miss keeps its row locks; the certain way then locks rows of other warehouses too, out of
    # order. Rolling back to a savepoint gives the locks back: without it two shops deadlock.
    try:
        with transaction.atomic():
            if not _update(rows):
                raise _Missed
    except _Missed:
        return False
    return True


def _update(rows: list[Shelf]) -> bool:
    taking = sorted((row for row in rows if row.taken), key=lambda row: row.id)
    touched = prepared.run(
        RESERVE, [[row.id for row in taking], [row.taken for row in taking], len(taking)]
    )
    return touched == len(taking)


class _Missed(Exception):
    """The conditional UPDATE touched too few rows."""
