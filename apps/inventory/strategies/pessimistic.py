"""Lock first: SELECT … FOR UPDATE in ascending id, then hand out and write."""

from django.db.models import F

from apps.inventory.allocation import Grant, ReserveRequest, Shortage, hand_out
from apps.inventory.models import StockItem
from apps.inventory.strategies import shelves as stock_rows


def take(requests: list[ReserveRequest]) -> list[Grant | Shortage]:
    """Hold the locks from before the decision to the commit: nobody can come between."""
    rows = stock_rows.read(requests)
    stock_rows.lock(rows)
    answers = hand_out(rows, requests)
    for row in rows:
        if row.taken:
            StockItem.objects.filter(pk=row.id).update(
                reserved=F("reserved") + row.taken, version=F("version") + 1
            )
    return answers
