"""Copies applied events into dj-stripe's tables, off the critical path.

dj-stripe's processing calls Stripe from inside its transaction and costs several commits, which is
why it happens here, event by event, and not in the view. Its tables are for reading and reports;
the shop's own books never depend on them. A lagging mirror is a number in /metrics, nothing more.
"""

import logging
import time

from django.db import connection
from django.db.models.functions import Now
from djstripe.models import Event

from apps.payments.models import WebhookInbox
from apps.payments.stripe_gateway import bound_library_calls

logger = logging.getLogger(__name__)

BATCH = 20
MAX_ATTEMPTS = 8  # over some two hours

# The `due_at` of an applied row is the mirror's: lease and backoff in one, doubling from 30 s.
# Without it a moment's outage would use up all attempts, and two mirrors would share events.
CLAIM = """
    UPDATE payments_webhookinbox
    SET due_at = now() + interval '30 seconds' * 2 ^ mirror_attempts,
        mirror_attempts = mirror_attempts + 1
    WHERE event_id IN (
        SELECT event_id FROM payments_webhookinbox
        WHERE mirrored_at IS NULL AND mirror_attempts < %s
          AND state IN ('applied', 'ignored') AND due_at <= now()
        ORDER BY received_at LIMIT %s FOR UPDATE SKIP LOCKED
    )
    RETURNING event_id
"""


def mirror_due(*, at_most: float) -> int:
    """Mirror events for up to `at_most` seconds; how many."""
    bound_library_calls()
    ends = time.monotonic() + at_most
    mirrored = 0
    while time.monotonic() < ends:
        with connection.cursor() as cursor:
            cursor.execute(CLAIM, [MAX_ATTEMPTS, BATCH])
            claimed = [event_id for (event_id,) in cursor.fetchall()]
        if not claimed:
            break
        mirrored += sum(_mirror(event_id) for event_id in claimed)
    return mirrored


def backlog() -> int:
    """Events that dj-stripe's tables do not know yet."""
    return WebhookInbox.objects.filter(
        mirrored_at__isnull=True,
        mirror_attempts__lt=MAX_ATTEMPTS,
        state__in=[WebhookInbox.State.APPLIED, WebhookInbox.State.IGNORED],
    ).count()


def _mirror(event_id: str) -> bool:
    row = WebhookInbox.objects.filter(pk=event_id)
    try:
        Event.process(data=row.values_list("payload", flat=True).get())
    except Exception as error:  # whatever the library stumbles over must not stop the rest
        logger.warning("event %s is not mirrored: %s", event_id, type(error).__name__)
        return False
    row.update(mirrored_at=Now())
    return True
