"""Waiting sagas whose time has come: a payment moved at the gateway, or the gateway is back.

Each may be called twice or not at all: a saga in backoff comes round within a minute, one that
waits for a webhook at its deadline.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Now
from django.dispatch import receiver

from apps.orders.models import Saga
from apps.payments import breaker
from apps.payments.signals import gateway_recovered, payments_settled
from storefront import bells

# In backoff because of the gateway: `last_error` begins with the name of a GatewayTransient. A row
# that is locked is in a worker's hands, or woken already: two that wake must not deadlock.
# Materialized: a subquery may be run once for each row, and then wakes more than the limit.
WAKE_BACKING_OFF = """
    WITH waiting AS MATERIALIZED (
        SELECT order_id FROM orders_saga
        WHERE state IN ('forward', 'undoing') AND due_at > now() AND lease_until IS NULL
          AND waiting_for = '' AND last_error LIKE %s
        ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED
    )
    UPDATE orders_saga s SET due_at = now() FROM waiting WHERE s.order_id = waiting.order_id
"""


@receiver(payments_settled)
def wake_waiting(sender: Any, order_ids: Iterable[UUID], **_: Any) -> None:
    """Make due what waits; a saga that a worker holds sees the payment by itself."""
    woken = (
        Saga.objects.filter(
            order_id__in=list(order_ids), state=Saga.State.FORWARD, lease_until__isnull=True
        )
        .exclude(waiting_for="")
        .update(due_at=Now())
    )
    if woken:
        transaction.on_commit(lambda: bells.ring("orders.advance_sagas"))


@receiver(gateway_recovered)
def wake_backing_off(sender: Any, **_: Any) -> None:
    """The gateway is back: all whom it kept waiting go on, and not up to a minute later."""
    _wake_backing_off(limit=None)


def wake_for_trial() -> int:
    """Orders to try the gateway with, when its rest is over and nobody happens to come round."""
    return _wake_backing_off(limit=breaker.TRIALS) if breaker.trial_is_due() else 0


def wake_late_hearers() -> int:
    """Who was turned away after the circuit closed, by a process that had not heard of it yet.

    They were in its hands when all others were woken, and would come round within a minute.
    """
    closed = breaker.is_closed()
    return _wake_backing_off(limit=None, error="GatewayCircuitOpen%") if closed else 0


def _wake_backing_off(*, limit: int | None, error: str = "Gateway%") -> int:
    with connection.cursor() as cursor:
        cursor.execute(WAKE_BACKING_OFF, [error, limit])
        woken = cursor.rowcount
    if woken:
        transaction.on_commit(lambda: bells.ring("orders.advance_sagas"))
    return woken
