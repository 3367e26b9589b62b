"""Reading and locking the scarce rows, shared by the strategies."""

from collections.abc import Iterable

from apps.inventory.allocation import ReserveRequest, Shelf
from apps.inventory.models import StockItem
from storefront import prepared

READ = """
    SELECT s.id, s.variant_id, s.on_hand - s.reserved, s.version
    FROM inventory_stockitem s JOIN inventory_warehouse w ON w.id = s.warehouse_id
    WHERE s.variant_id = ANY(%s::bigint[])
    ORDER BY s.variant_id, w.priority, s.id
"""


def read(requests: Iterable[ReserveRequest]) -> list[Shelf]:
    """The stock items that could serve `requests`, preferred warehouse first; no lock."""
    wanted = sorted({line.variant_id for request in requests for line in request.lines})
    return [Shelf(*row) for row in prepared.fetch(READ, [wanted])]


def lock(shelves: list[Shelf]) -> None:
    """Lock the rows in ascending id and bring `available` up to date."""
    locked = {
        item.pk: item
        for item in StockItem.objects.select_for_update()
        .filter(pk__in=[shelf.id for shelf in shelves])
        .order_by("pk")
    }
    for shelf in shelves:
        shelf.available = locked[shelf.id].on_hand - locked[shelf.id].reserved
        shelf.version = locked[shelf.id].version
