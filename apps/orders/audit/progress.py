"""Invariants 8, 10 and 11: everything moves on in time, and each step once."""

from apps.orders.audit.invariant import Invariant

NOTHING_OVERDUE = Invariant(
    number=8,
    name="nothing stays open past its time",
    liveness=True,
    query="""
        SELECT 'order ' || o.number,
               concat_ws(', ', s.state || ' at ' || s.step, 'due ' || s.due_at, s.last_error)
        FROM orders_saga s JOIN orders_order o ON o.id = s.order_id
        WHERE s.state IN ('forward', 'undoing')
          AND (s.due_at IS NULL
               OR (s.due_at < now() - %(grace)s AND s.updated_at < now() - %(grace)s)
               OR (s.deadline_at < now() - %(grace)s AND s.step = 'authorize_payment'
                   AND s.state = 'forward'))
        UNION ALL
        SELECT 'hold ' || h.id, 'expired ' || h.expires_at
        FROM inventory_hold h LEFT JOIN orders_saga s ON s.order_id = h.order_id
        WHERE h.state = 'active' AND h.expires_at < now() - %(grace)s
          AND coalesce(s.state, '') <> 'review'
    """,
)

STEPS_ONCE = Invariant(
    number=10,
    name="every step is completed at most once per direction",
    query="""
        SELECT 'order ' || saga_id, step || ' ' || direction || ' done ' || count(*) || ' times'
        FROM orders_sagastep WHERE outcome = 'done'
        GROUP BY saga_id, step, direction HAVING count(*) > 1
        UNION ALL
        SELECT 'order ' || l.saga_id, 'log has epoch ' || max(l.epoch) || ', saga ' || s.epoch
        FROM orders_sagastep l JOIN orders_saga s ON s.order_id = l.saga_id
        GROUP BY l.saga_id, s.epoch HAVING max(l.epoch) > s.epoch
        UNION ALL
        SELECT 'order ' || saga_id, 'epoch fell from ' || before || ' to ' || epoch
        FROM (SELECT saga_id, epoch, lag(epoch) OVER (PARTITION BY saga_id ORDER BY id) AS before
              FROM orders_sagastep) steps WHERE epoch < before
        UNION ALL
        SELECT 'order ' || o.number, 'seq ' || o.seq || ' with ' || count(e.id) || ' events'
        FROM orders_order o LEFT JOIN orders_orderevent e ON e.order_id = o.id
        GROUP BY o.id HAVING o.seq <> count(e.id) OR max(e.seq) <> o.seq
    """,
)

DELIVERED_IN_TIME = Invariant(
    number=11,
    name="mail goes out and webhooks are applied in time",
    liveness=True,
    query="""
        SELECT 'mail ' || id, kind || ' due ' || due_at FROM notifications_notification
        WHERE state = 'due' AND due_at < now() - %(grace)s
        UNION ALL
        SELECT 'event ' || event_id, type || ' due ' || due_at FROM payments_webhookinbox
        WHERE state = 'received' AND due_at < now() - %(grace)s
        UNION ALL
        SELECT 'refund ' || id, 'requested, due ' || due_at FROM payments_refund
        WHERE status = 'requested' AND purpose NOT LIKE 'cancellation%%'
          AND attempts < %(refund_attempts)s AND due_at < now() - %(grace)s
    """,
)
