"""Which orders wait for units that are not there yet.

Units are owed to whoever ordered last: what comes in goes to the oldest order first. So an order
waits for as many of its units as the debt of the stock item is larger than what later orders took.
"""

from collections.abc import Iterable
from uuid import UUID

from apps.core import sql

# Ids of orders are in the order of time. The ledger is read from the hold on: later orders only.
OWED = """
    SELECT mine.order_id, mine.sku,
           sum(greatest(0, least(quantity, debt - held_later - sold_later)))::int
    FROM (
        SELECT h.order_id, v.sku, h.quantity, s.reserved - s.on_hand AS debt,
               (SELECT coalesce(sum(l.quantity), 0) FROM inventory_hold l
                WHERE l.stock_item_id = s.id AND l.state = 'active' AND l.order_id > h.order_id
               ) AS held_later,
               (SELECT coalesce(-sum(m.quantity), 0) FROM inventory_stockmovement m
                WHERE m.stock_item_id = s.id AND m.created_at >= h.created_at
                  AND m.kind IN ('confirmed', 'restocked') AND m.order_id > h.order_id
               ) AS sold_later
        FROM inventory_hold h
        JOIN inventory_stockitem s ON s.id = h.stock_item_id
        JOIN catalog_variant v ON v.id = s.variant_id
        WHERE h.order_id = ANY(%s) AND h.state IN ('active', 'confirmed')
          AND s.sells_on AND v.inventory_policy = 'continue' AND s.reserved > s.on_hand
    ) mine
    GROUP BY mine.order_id, mine.sku
"""


def owed(order_ids: Iterable[UUID]) -> dict[tuple[UUID, str], int]:
    """Units that are not there yet, by order and SKU; SKUs of which all are there are absent.

    For orders that have not been shipped: a parcel that has left is not known here.
    """
    found = sql.fetch(OWED, [list(order_ids)])
    return {(order_id, sku): units for order_id, sku, units in found if units}
