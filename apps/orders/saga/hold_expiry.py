"""Expired holds. The database's clock decides, not a delayed message.

A hold is released only by its saga, after the payment was voided or refunded. Releasing it first
would sell the unit to another customer while the money may still arrive. So an expired hold makes
its saga due.
"""

from django.db import connection

from apps.core import dispatch

MAKE_DUE = """
    UPDATE orders_saga s SET due_at = now()
    WHERE s.state = 'forward' AND s.lease_until IS NULL AND s.due_at > now()
      AND s.deadline_at <= now()
      AND EXISTS (SELECT FROM inventory_hold h WHERE h.order_id = s.order_id
                  AND h.state = 'active' AND h.expires_at <= now())
"""


def make_due_expired() -> int:
    """Make sagas due whose hold has expired, and enqueue the task that runs them; how many."""
    with connection.cursor() as cursor:
        cursor.execute(MAKE_DUE)
        count = cursor.rowcount
    if count:
        dispatch.enqueue_on_commit("orders.advance_sagas")
    return count


def anything_due() -> bool:
    """Whether a saga is due and waits for a worker."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM orders_saga"
            " WHERE state IN ('forward', 'undoing') AND due_at <= now())"
        )
        return bool(cursor.fetchone()[0])
