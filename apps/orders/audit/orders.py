"""Invariants 7, 9 and 13: an order, its rows and its amounts fit together."""

from apps.orders.audit.invariant import Invariant

ONE_OF_EACH = Invariant(
    number=7,
    name="every order has one key, one saga, one live payment",
    query="""
        SELECT 'order ' || o.number,
               concat_ws(', ', CASE WHEN k.id IS NULL THEN 'no key' END,
                         CASE WHEN s.order_id IS NULL THEN 'no saga' END,
                         CASE WHEN p.id IS NULL THEN 'no payment' END)
        FROM orders_order o LEFT JOIN orders_idempotencykey k ON k.order_id = o.id
        LEFT JOIN orders_saga s ON s.order_id = o.id
        LEFT JOIN payments_payment p ON p.order_id = o.id AND p.live
        WHERE k.id IS NULL OR s.order_id IS NULL OR p.id IS NULL
        UNION ALL
        SELECT 'payment ' || p.id, p.status || ', for order ' || p.order_id || ' that is not there'
        FROM payments_payment p
        WHERE NOT EXISTS (SELECT FROM orders_order o WHERE o.id = p.order_id)
    """,
)

ENDS_MATCH = Invariant(
    number=9,
    name="confirmed means paid and sold; cancelled means nothing is kept",
    query="""
        SELECT 'order ' || o.number,
               o.status || ' with payment ' || p.status || ' and hold ' || h.state
        FROM orders_order o JOIN payments_payment p ON p.order_id = o.id AND p.live
        JOIN inventory_hold h ON h.order_id = o.id JOIN orders_saga s ON s.order_id = o.id
        WHERE o.status IN ('CONFIRMED', 'SHIPPED', 'DELIVERED', 'RETURN_INITIATED', 'RETURNED')
          AND s.state <> 'undoing' AND s.state <> 'review'
          AND (p.status NOT IN ('captured', 'refunded') OR h.state <> 'confirmed')
        UNION ALL
        SELECT 'order ' || o.number, 'CANCELLED, but hold ' || h.state
        FROM orders_order o JOIN inventory_hold h ON h.order_id = o.id
        WHERE o.status = 'CANCELLED' AND h.state NOT IN ('released', 'restocked')
        UNION ALL
        SELECT 'order ' || o.number, 'CANCELLED, but payment ' || p.status || ' keeps '
               || p.captured_amount - p.refunded_amount
        FROM orders_order o JOIN payments_payment p ON p.order_id = o.id
        WHERE o.status = 'CANCELLED'
          AND (p.captured_amount <> p.refunded_amount OR p.status NOT IN ('voided', 'refunded'))
          -- A refund that the bank sent back: a case, until it is sent again or paid otherwise.
          AND NOT EXISTS (SELECT FROM payments_refund r
                          WHERE r.payment_id = p.id AND r.came_back_at IS NOT NULL)
        UNION ALL
        -- A card that was tried before: ended before the next one was asked (payments/attempts.py).
        SELECT 'order ' || o.number,
               o.status || ', but attempt ' || p.attempt || ' is ' || p.status
        FROM orders_order o JOIN payments_payment p ON p.order_id = o.id AND NOT p.live
        WHERE o.status IN ('PAYMENT_AUTHORIZED', 'CONFIRMED', 'SHIPPED', 'DELIVERED',
                           'RETURN_INITIATED', 'RETURNED')
          AND p.status NOT IN ('voided', 'refunded')
          AND NOT EXISTS (SELECT FROM payments_refund r
                          WHERE r.payment_id = p.id AND r.came_back_at IS NOT NULL)
        UNION ALL
        SELECT 'order ' || o.number,
               'waits for another card without ' || CASE WHEN h.id IS NULL THEN 'a hold'
               ELSE 'an end: ' || h.expires_at || ' held, ' || s.deadline_at || ' promised' END
        FROM orders_saga s JOIN orders_order o ON o.id = s.order_id
        LEFT JOIN inventory_hold h ON h.order_id = o.id AND h.state = 'active'
        WHERE o.status = 'PAYMENT_FAILED' AND s.state = 'forward'
          AND (h.id IS NULL OR h.expires_at < s.deadline_at)
        UNION ALL
        SELECT 'order ' || o.number, 'CANCELLED, but its promo is still redeemed'
        FROM orders_order o JOIN promos_redemption r ON r.order_id = o.id
        WHERE o.status = 'CANCELLED' AND r.live
        UNION ALL
        SELECT 'order ' || o.number, 'not confirmed, but payment ' || p.status
        FROM orders_order o JOIN payments_payment p ON p.order_id = o.id
        JOIN orders_saga s ON s.order_id = o.id
        WHERE o.status IN ('PENDING', 'REQUIRES_ACTION', 'PAYMENT_AUTHORIZED', 'PAYMENT_FAILED')
          AND p.captured_amount > 0 AND s.state = 'done'
        UNION ALL
        SELECT 'order ' || o.number, o.status || ', but its saga is ' || s.state
        FROM orders_saga s JOIN orders_order o ON o.id = s.order_id
        WHERE s.state IN ('done', 'undone')
          AND o.status IN ('PENDING', 'REQUIRES_ACTION', 'PAYMENT_AUTHORIZED', 'PAYMENT_FAILED')
    """,
)

TOTALS = Invariant(
    number=13,
    name="totals add up and none is negative",
    query="""
        SELECT 'order ' || o.number,
               o.total_amount || ' total, lines ' || coalesce(sum(l.line_amount), 0)
        FROM orders_order o LEFT JOIN orders_orderline l ON l.order_id = o.id GROUP BY o.id
        HAVING o.subtotal_amount <> coalesce(sum(l.line_amount), 0)
            OR o.total_amount <> o.subtotal_amount - o.discount_amount
               + o.shipping_amount + o.tax_amount
            OR least(o.total_amount, o.subtotal_amount, o.discount_amount,
                     o.shipping_amount, o.tax_amount) < 0
    """,
)
