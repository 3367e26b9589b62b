"""Read freely, write where the version is still the one read; try again when it is not."""

from django.db import transaction
from django.db.models import F

from apps.inventory.allocation import Grant, ReserveRequest, Shelf, Shortage, hand_out
from apps.inventory.models import StockItem
from apps.inventory.strategies import pessimistic
from apps.inventory.strategies import shelves as stock_rows

TRIES = 5


def take(requests: list[ReserveRequest]) -> list[Grant | Shortage]:
    """Bounded tries; past them this batch queues for the locks like everybody else."""
    for _ in range(TRIES):
        rows = stock_rows.read(requests)
        answers = hand_out(rows, requests)
        try:
            with transaction.atomic():  # a half-written try is taken back whole
                _write(rows)
        except _Changed:
            continue
        return answers
    return pessimistic.take(requests)


def _write(rows: list[Shelf]) -> None:
    for row in sorted(rows, key=lambda row: row.id):
        if not row.taken:
            continue
        written = StockItem.objects.filter(pk=row.id, version=row.version).update(
            reserved=F("reserved") + row.taken, version=F("version") + 1
        )
        if not written:
            raise _Changed


class _Changed(Exception):
    """Another transaction wrote the row after it was read."""
