"""Invariant 14: what people decided is kept with the actor and the reason."""

from apps.orders.audit.invariant import Invariant

DECIDED = Invariant(
    number=14,
    name="every dead letter is open, or resolved by somebody for a reason",
    query="""
        SELECT 'mail ' || id, 'resolved without actor or reason' FROM notifications_notification
        WHERE resolved_at IS NOT NULL AND (resolved_by = '' OR resolution = '')
        UNION ALL
        SELECT 'event ' || event_id, 'resolved without actor or reason' FROM payments_webhookinbox
        WHERE resolved_at IS NOT NULL AND (resolved_by = '' OR resolution = '')
        UNION ALL
        SELECT 'refund ' || id, 'resolved without actor or reason' FROM payments_refund
        WHERE resolved_at IS NOT NULL AND (resolved_by = '' OR resolution = '')
        UNION ALL
        SELECT 'event ' || event_id, 'mirror given up by nobody' FROM payments_webhookinbox w
        WHERE mirror_resolved_at IS NOT NULL
          AND NOT EXISTS (SELECT FROM backoffice_decision d
                          WHERE d.kind = 'mirror' AND d.subject = w.event_id)
        UNION ALL
        SELECT 'discrepancy ' || id, 'resolved without actor or reason' FROM payments_discrepancy
        WHERE state = 'resolved' AND (resolved_by = '' OR resolution = '' OR resolved_at IS NULL)
        UNION ALL
        SELECT kind || ' ' || subject, 'decided without actor or reason' FROM backoffice_decision
        WHERE actor = '' OR reason = ''
        UNION ALL
        SELECT 'order ' || order_id, 'in review without a reason' FROM orders_saga
        WHERE state = 'review' AND review_reason = ''
    """,
)
