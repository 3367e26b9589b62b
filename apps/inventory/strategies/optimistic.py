"""Optimistic locking: read without a lock, write where `version` is still the one that was read.

The write is an F-expression UPDATE. A row that another transaction changed meanwhile matches none;
then the whole batch is decided anew from what is there now.
"""

from django.db import transaction
from django.db.models import F

from apps.inventory.allocation import Grant, ReserveRequest, Shortage, StockRow, allocate
from apps.inventory.models import StockItem
from apps.inventory.strategies import pessimistic, stock_rows

MAX_ATTEMPTS = 5


def reserve(requests: list[ReserveRequest]) -> list[Grant | Shortage]:
    """At most `MAX_ATTEMPTS` attempts; after them this batch waits for locks (pessimistic)."""
    for _ in range(MAX_ATTEMPTS):
        rows = stock_rows.read(requests)
        answers = allocate(rows, requests)
        try:
            with transaction.atomic():  # a savepoint: a half-written attempt is rolled back whole
                _write(rows)
        except _VersionChanged:
            continue
        return answers
    return pessimistic.reserve(requests)


def _write(rows: list[StockRow]) -> None:
    for row in sorted(rows, key=lambda row: row.id):
        if not row.allocated:
            continue
        written = StockItem.objects.filter(pk=row.id, version=row.version).update(
            reserved=F("reserved") + row.allocated, version=F("version") + 1
        )
        if not written:
            raise _VersionChanged


class _VersionChanged(Exception):
    """Another transaction wrote the row after it was read."""
