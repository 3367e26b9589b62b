"""Invariants 4 and 16: what is kept of each payment, and of each order."""

from apps.orders.audit.invariant import Invariant

# A part that was taken at the gateway's dashboard: it waits for staff, has gone back or is on its
# way (of a payment given up, by the reconciler), or staff let the order go on for it.
PART_IS_KNOWN = """(
    p.captured_amount < p.amount
    AND (p.status IN ('partly_captured', 'voided')
         OR p.captured_amount = p.refunded_amount
         OR EXISTS (SELECT FROM payments_refund b
                    WHERE b.payment_id = p.id AND b.came_back_at IS NOT NULL)
         OR EXISTS (SELECT FROM backoffice_decision d
                    WHERE d.kind = 'saga' AND d.decision = 'accept_part'
                      AND d.subject = p.order_id::text))
)"""

# One live payment per order (UNIQUE), taken whole or not at all: what is kept of it is the total,
# nothing, or the total less the refunds that our rows show. A part counts only by a decision. Of
# an earlier attempt the same holds by itself, and of all together below.
MONEY_KEPT = Invariant(
    number=4,
    name="what is kept is the total, nothing, or the total less its refunds",
    query=f"""
        SELECT 'order ' || p.order_id,
               p.captured_amount || ' captured, ' || p.refunded_amount || ' refunded of '
               || coalesce(o.total_amount, p.amount) || ', refund rows say '
               || coalesce(r.settled, 0) || coalesce(' and ' || r.asked || ' asked for', '')
        FROM payments_payment p
        LEFT JOIN (SELECT payment_id, sum(amount) FILTER (WHERE status = 'succeeded') AS settled,
                          sum(amount) FILTER (WHERE status = 'requested') AS asked
                   FROM payments_refund WHERE status <> 'failed' GROUP BY payment_id) r
               ON r.payment_id = p.id
        LEFT JOIN orders_order o ON o.id = p.order_id
        WHERE p.refunded_amount <> coalesce(r.settled, 0)
           OR p.amount <> o.total_amount
           OR ((p.captured_amount NOT IN (0, p.amount)
                OR p.captured_amount - p.refunded_amount NOT IN
                   (0, p.amount, p.amount - coalesce(r.settled, 0)))
               AND NOT {PART_IS_KNOWN})
           OR coalesce(r.settled, 0) + coalesce(r.asked, 0) > p.captured_amount
           OR p.refunded_amount > p.captured_amount
           OR (p.status = 'refunded') <> (p.captured_amount > 0
                                          AND p.refunded_amount = p.captured_amount)
    """,  # noqa: S608 - of constants only
)

KEPT_OF_ORDER = Invariant(
    number=16,
    name="what is kept of an order, over all attempts, is the total, nothing, or less its refunds",
    query=f"""
        SELECT 'order ' || o.number,
               k.kept || ' kept of ' || o.total_amount || ' in ' || k.attempts
               || ' attempts, refunds say ' || k.refunded
        FROM orders_order o JOIN (
            SELECT p.order_id, count(*) AS attempts, bool_and({PART_IS_KNOWN}) AS known,
                   sum(p.captured_amount - p.refunded_amount) AS kept,
                   coalesce(sum(r.settled), 0) AS refunded
            FROM payments_payment p LEFT JOIN (
                SELECT payment_id, sum(amount) AS settled FROM payments_refund
                WHERE status = 'succeeded' GROUP BY payment_id
            ) r ON r.payment_id = p.id GROUP BY p.order_id
        ) k ON k.order_id = o.id
        WHERE k.kept NOT IN (0, o.total_amount, o.total_amount - k.refunded)
          AND NOT k.known
        UNION ALL
        SELECT 'order ' || coalesce(o.number, p.order_id::text),
               p.captured_amount || ' captured of ' || p.amount
               || ' authorized, and nobody is asked'
        FROM payments_payment p LEFT JOIN orders_order o ON o.id = p.order_id
        WHERE p.captured_amount NOT IN (0, p.amount)
          AND NOT {PART_IS_KNOWN}
    """,  # noqa: S608 - of constants only
)
