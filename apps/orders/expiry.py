"""Holds past their time. The database's clock decides; no message with a countdown does.

A hold is released only by its saga, after the payment was called back: releasing it first would
sell the unit to somebody else while the money may still arrive. So an expired hold wakes its saga.
"""

from django.db import connection

from apps.orders.models import Saga
from storefront import bells

WAKE = """
    UPDATE orders_saga s SET due_at = now()
    WHERE s.state = 'forward' AND s.lease_until IS NULL AND s.due_at > now()
      AND s.deadline_at <= now()
      AND EXISTS (SELECT FROM inventory_hold h WHERE h.order_id = s.order_id
                  AND h.state = 'active' AND h.expires_at <= now())
"""


def wake_expired() -> int:
    """Make sagas due whose hold has expired; how many."""
    with connection.cursor() as cursor:
        cursor.execute(WAKE)
        woken = cursor.rowcount
    if woken:
        bells.ring("orders.advance_sagas")
    return woken


def anything_due() -> bool:
    """Whether a saga waits for a worker."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM orders_saga"
            " WHERE state IN ('forward', 'undoing') AND due_at <= now())"
        )
        return bool(cursor.fetchone()[0])


def in_review() -> int:
    """Orders that wait for a person."""
    return Saga.objects.filter(state=Saga.State.REVIEW).count()
