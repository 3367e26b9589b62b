"""Invariant 15: what was paid for each line, and what of it goes back."""

from apps.orders.audit.invariant import Invariant

# Orders of the release that did not keep it are in the first query only as a whole: all of their
# lines are without, and so is their shipping.
PAID_BY_LINE = Invariant(
    number=15,
    name="what was paid for the lines is the total, and no line gives back more",
    query="""
        WITH received AS (
            SELECT rl.line_id, sum(coalesce(rl.accepted, rl.quantity)) AS units,
                   sum(rl.quantity) AS announced, sum(rl.refund_amount) AS owed,
                   bool_or(rl.refund_amount IS NULL) AS unknown
            FROM orders_returnline rl JOIN orders_return r ON r.id = rl.of_return_id
            WHERE r.state = 'received' GROUP BY rl.line_id
        ), returned AS (
            SELECT r.id, r.order_id, sum(rl.refund_amount) AS owed
            FROM orders_return r JOIN orders_returnline rl ON rl.of_return_id = r.id
            WHERE r.state = 'received'
            GROUP BY r.id HAVING bool_and(rl.refund_amount IS NOT NULL)
        )
        SELECT 'order ' || o.number,
               o.total_amount || ' total, paid for lines ' || coalesce(l.paid::text, 'unknown')
               || ', shipping ' || o.shipping_amount || ' with tax '
               || coalesce(o.shipping_tax_amount::text, 'unknown')
        FROM orders_order o JOIN (
            SELECT order_id, count(*) AS lines, count(tax_amount) AS known,
                   sum(discount_amount) AS discount,
                   sum(line_amount - discount_amount + tax_amount) AS paid
            FROM orders_orderline GROUP BY order_id
        ) l ON l.order_id = o.id
        WHERE (l.known, o.shipping_tax_amount IS NULL) <> (0, true)
          AND (l.known <> l.lines OR o.shipping_tax_amount IS NULL
               OR l.discount <> o.discount_amount
               OR l.paid + o.shipping_amount + o.shipping_tax_amount <> o.total_amount)
        UNION ALL
        SELECT 'order ' || o.number,
               l.sku || ': ' || l.line_amount - l.discount_amount + l.tax_amount || ' paid, '
               || received.owed || ' owed for ' || received.units || ' of ' || l.quantity
               || CASE WHEN received.announced > l.quantity
                       THEN ', ' || received.announced || ' announced' ELSE '' END
        FROM received JOIN orders_orderline l ON l.id = received.line_id
        JOIN orders_order o ON o.id = l.order_id
        WHERE NOT received.unknown
          AND (received.units > l.quantity OR received.announced > l.quantity
               OR received.owed > l.line_amount - l.discount_amount + l.tax_amount
               OR (received.units = l.quantity
                   AND received.owed <> l.line_amount - l.discount_amount + l.tax_amount))
        UNION ALL
        SELECT 'order ' || o.number,
               'return ' || returned.id || ': ' || returned.owed || ' owed, refunds say '
               || sum(f.amount)
        FROM returned JOIN orders_order o ON o.id = returned.order_id
        JOIN payments_payment p ON p.order_id = o.id
        JOIN payments_refund f ON f.payment_id = p.id AND f.status <> 'failed'
         AND (f.purpose = 'return:' || returned.id
              OR starts_with(f.purpose, 'return:' || returned.id || '#'))
        GROUP BY o.number, returned.id, returned.owed HAVING sum(f.amount) > returned.owed
        UNION ALL
        SELECT 'order ' || o.number, owed.owed || ' owed for returns, refunds say ' || refunds.asked
        FROM (SELECT order_id, sum(owed) AS owed FROM returned GROUP BY order_id) owed
        JOIN orders_order o ON o.id = owed.order_id
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(f.amount), 0) AS asked
            FROM payments_payment p JOIN payments_refund f ON f.payment_id = p.id
            WHERE p.order_id = o.id
        ) refunds
        WHERE refunds.asked < owed.owed
    """,
)
