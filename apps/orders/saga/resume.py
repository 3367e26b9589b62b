"""Makes waiting sagas due at once: a payment changed at the gateway, or the gateway is back.

Each function may run twice or not at all: a saga in backoff is due within a minute, one that waits
for a webhook at its deadline.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now
from django.dispatch import receiver

from apps.core import dispatch
from apps.orders.models import Saga
from apps.payments import circuit_state
from apps.payments.signals import gateway_recovered, payments_settled

SWEEP_S = 2  # how often the sweep runs (storefront/settings/celery.py)

# In backoff because of the gateway: `last_error` begins with the name of a GatewayTransient. A row
# that is locked is being written by a worker or made due already: SKIP LOCKED avoids a deadlock.
# Materialized: a subquery may be run once for each row, and then takes more than the limit.
MAKE_DUE_BACKING_OFF = """
    WITH waiting AS MATERIALIZED (
        SELECT order_id FROM orders_saga
        WHERE state IN ('forward', 'undoing') AND due_at > now() AND lease_until IS NULL
          AND waiting_for = '' AND last_error LIKE %s
        ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED
    )
    UPDATE orders_saga s SET due_at = now() FROM waiting WHERE s.order_id = waiting.order_id
"""


@receiver(payments_settled)
def resume_waiting(sender: Any, order_ids: Iterable[UUID], **_: Any) -> None:
    """Orders whose payment was settled. A saga that is claimed reads the payment itself."""
    count = (
        Saga.objects.filter(
            order_id__in=list(order_ids), state=Saga.State.FORWARD, lease_until__isnull=True
        )
        .exclude(waiting_for="")
        .update(due_at=Now())
    )
    if count:
        transaction.on_commit(lambda: dispatch.enqueue_on_commit("orders.advance_sagas"))


@receiver(gateway_recovered)
def resume_backing_off(sender: Any, **_: Any) -> None:
    """The gateway is back: all orders that it delayed go on now, not up to a minute later."""
    _resume_backing_off(limit=None)


def resume_for_trial() -> int:
    """Orders to try the gateway with, when the circuit breaker allows a trial and none is due."""
    return _resume_backing_off(limit=circuit_state.TRIALS) if circuit_state.trial_is_due() else 0


def resume_turned_away() -> int:
    """Orders turned away after the circuit closed, by a process that did not know it yet.

    They were claimed when all others were made due, and would wait for up to a minute.
    """
    closed = circuit_state.is_closed()
    return _resume_backing_off(limit=None, error="GatewayCircuitOpen%") if closed else 0


def resume_kept_back() -> int:
    """Orders whose calls were kept back, as many as the gateway takes until the next sweep.

    Without it they would wait for up to a minute while the limit is not used.
    """
    a_second = settings.STRIPE_ENDPOINT_REQUESTS_PER_SECOND or settings.STRIPE_REQUESTS_PER_SECOND
    if not a_second:
        return 0
    return _resume_backing_off(limit=SWEEP_S * a_second, error="GatewayThrottled%")


def _resume_backing_off(*, limit: int | None, error: str = "Gateway%") -> int:
    with connection.cursor() as cursor:
        cursor.execute(MAKE_DUE_BACKING_OFF, [error, limit])
        count = cursor.rowcount
    if count:
        transaction.on_commit(lambda: dispatch.enqueue_on_commit("orders.advance_sagas"))
    return count
