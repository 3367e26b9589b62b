"""Read and lock the stock items that a batch needs; shared by the three strategies."""

from collections.abc import Iterable

from apps.core import sql
from apps.inventory.allocation import ReserveRequest, StockRow
from apps.inventory.models import StockItem

READ = """
    SELECT s.id, s.variant_id, s.on_hand - s.reserved, s.version, s.sells_on
    FROM inventory_stockitem s JOIN inventory_warehouse w ON w.id = s.warehouse_id
    WHERE s.variant_id = ANY(%s::bigint[])
    ORDER BY s.variant_id, w.priority, s.id
"""


def read(requests: Iterable[ReserveRequest]) -> list[StockRow]:
    """The stock items that could serve `requests`, preferred warehouse first. Takes no lock."""
    wanted = sorted({line.variant_id for request in requests for line in request.lines})
    return [StockRow(*row) for row in sql.fetch(READ, [wanted])]


def lock(rows: list[StockRow]) -> None:
    """`select_for_update()` on the rows in ascending id; reads the rest anew."""
    locked = {
        item.pk: item
        for item in StockItem.objects.select_for_update()
        .filter(pk__in=[row.id for row in rows])
        .order_by("pk")
    }
    for row in rows:
        item = locked[row.id]
        row.available = item.on_hand - item.reserved
        row.version = item.version
        row.sells_on = item.sells_on
