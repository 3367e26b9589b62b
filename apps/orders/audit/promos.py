"""Invariant 6: promo codes are not used more often than they may be."""

from apps.orders.audit.invariant import Invariant

PROMO_COUNTERS = Invariant(
    number=6,
    name="promo counters equal the live redemptions, within the limits",
    query="""
        SELECT 'promo ' || p.code, p.used || ' counted, ' || count(r.id) || ' live'
        FROM promos_promo p LEFT JOIN promos_redemption r ON r.promo_id = p.id AND r.live
        GROUP BY p.id HAVING p.used <> count(r.id) OR count(r.id) > p.total_limit
        UNION ALL
        SELECT 'promo ' || p.code, r.customer_key || ' used it ' || count(*) || ' times'
        FROM promos_promo p JOIN promos_redemption r ON r.promo_id = p.id AND r.live
        WHERE p.customer_limit IS NOT NULL AND r.use_number IS NOT NULL
        GROUP BY p.id, r.customer_key HAVING count(*) > p.customer_limit
        UNION ALL
        SELECT 'order ' || o.number, o.status || ', and its use of ' || p.code || ' is not counted'
        FROM promos_redemption r JOIN promos_promo p ON p.id = r.promo_id
        JOIN orders_order o ON o.id = r.order_id
        WHERE r.live AND r.use_number IS NULL
          AND o.status NOT IN ('PENDING', 'REQUIRES_ACTION', 'PAYMENT_FAILED', 'CANCELLED')
        UNION ALL
        SELECT 'redemption ' || r.id, 'for order ' || r.order_id || ' that is not there'
        FROM promos_redemption r
        WHERE NOT EXISTS (SELECT FROM orders_order o WHERE o.id = r.order_id)
    """,
)
