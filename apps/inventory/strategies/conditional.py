"""The default: one conditional UPDATE for the whole batch, locks only when it does not fit."""

from collections import Counter

from django.db import transaction

from apps.inventory.allocation import Grant, ReserveRequest, Shelf, Shortage, hand_out
from apps.inventory.strategies import shelves as stock_rows
from storefront import prepared

# The rows are locked in ascending id by `scarce` (FOR UPDATE returns the newest version, also of a
# row that it had to wait for), and nothing moves unless every one of them has enough. The condition
# stands in the UPDATE itself once more: it is what keeps the promise.
#
# Nearly always that is all or nothing. But the UPDATE asks its condition first of the row as it was
# when the statement began, and goes by the newest version only where it still holds. A unit that
# came back meanwhile is seen by `scarce` and not by the UPDATE: some rows are written, that one is
# not. (Without the condition there, PostgreSQL would hold the CHECK against the old row.)
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
    RETURNING s.id
"""
# Under the locks of RESERVE, which was just there: a new statement sees its rows.
TAKE_BACK = """
    UPDATE inventory_stockitem s
    SET reserved = s.reserved - n.units, version = s.version + 1
    FROM unnest(%s::bigint[], %s::int[]) AS n(id, units)
    WHERE s.id = n.id
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
    """Whether all of it was written; otherwise nothing is."""
    taking = sorted((row for row in rows if row.taken), key=lambda row: row.id)
    written = prepared.fetch(
        RESERVE, [[row.id for row in taking], [row.taken for row in taking], len(taking)]
    )
    if 0 < len(written) < len(taking):
        units = {row.id: row.taken for row in taking}
        ids = [row_id for (row_id,) in written]
        prepared.run(TAKE_BACK, [ids, [units[row_id] for row_id in ids]])
    return len(written) == len(taking)


class _Missed(Exception):
    """The conditional UPDATE touched too few rows."""
