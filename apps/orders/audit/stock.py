"""Invariants 1 to 3: the stock and what is held of it."""

from apps.orders.audit.invariant import Invariant

ON_HAND = Invariant(
    number=1,
    name="on_hand equals the ledger",
    query="""
        SELECT 'stock item ' || s.id,
               s.on_hand || ' on hand, ledger says ' || coalesce(sum(m.quantity), 0)
        FROM inventory_stockitem s LEFT JOIN inventory_stockmovement m ON m.stock_item_id = s.id
        GROUP BY s.id HAVING s.on_hand <> coalesce(sum(m.quantity), 0)
    """,
)

RESERVED = Invariant(
    number=2,
    name="reserved equals the active holds, each of an order",
    query="""
        SELECT 'stock item ' || s.id,
               s.reserved || ' reserved, holds say ' || coalesce(sum(h.quantity), 0)
        FROM inventory_stockitem s
        LEFT JOIN inventory_hold h ON h.stock_item_id = s.id AND h.state = 'active'
        GROUP BY s.id HAVING s.reserved <> coalesce(sum(h.quantity), 0)
        UNION ALL
        SELECT 'hold ' || h.id, h.state || ', for order ' || h.order_id || ' that is not there'
        FROM inventory_hold h
        WHERE NOT EXISTS (SELECT FROM orders_order o WHERE o.id = h.order_id)
    """,
)

BOUNDS = Invariant(
    number=3,
    name="0 ≤ reserved, and ≤ on_hand of what is sold out by its count",
    query="""
        SELECT 'stock item ' || id, reserved || ' of ' || on_hand FROM inventory_stockitem
        WHERE reserved < 0 OR (reserved > on_hand AND NOT sells_on)
        UNION ALL
        SELECT 'stock item ' || s.id,
               CASE WHEN s.sells_on THEN 'sells on' ELSE 'sold out by its count' END
               || ', but its variant says ' || v.inventory_policy
        FROM inventory_stockitem s JOIN catalog_variant v ON v.id = s.variant_id
        WHERE s.sells_on = (v.inventory_policy = 'deny')
    """,
)
