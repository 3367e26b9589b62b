"""Pessimistic locking: `SELECT … FOR UPDATE` first, then decide, then write.

The locks (`stock_rows.lock`, ascending id) last from before the decision to the caller's commit,
so no other transaction can change the rows in between.
"""

from django.db.models import F

from apps.inventory.allocation import Grant, ReserveRequest, Shortage, allocate
from apps.inventory.models import StockItem
from apps.inventory.strategies import stock_rows


def reserve(requests: list[ReserveRequest]) -> list[Grant | Shortage]:
    """1. Read the rows. 2. `select_for_update()` them. 3. Allocate. 4. Write with F-expressions."""
    rows = stock_rows.read(requests)
    stock_rows.lock(rows)
    answers = allocate(rows, requests)
    for row in rows:
        if row.allocated:
            StockItem.objects.filter(pk=row.id).update(
                reserved=F("reserved") + row.allocated, version=F("version") + 1
            )
    return answers
