"""Copies applied events into dj-stripe's tables, off the critical path.

dj-stripe's processing calls Stripe from inside its transaction and costs several commits, which is
why it happens here, event by event, and not in the view. Its tables are for reading and reports;
the shop's own books never depend on them. A lagging mirror is a number in /metrics, nothing more.

An event that cannot be mirrored in MAX_ATTEMPTS tries waits for a person, who has it tried again or
gives it up.
"""

import logging
import time
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from djstripe.models import Event

from apps.desk import log
from apps.payments.models import MIRROR_ATTEMPTS_MAX, WebhookInbox
from apps.payments.stripe_gateway import bound_library_calls
from storefront.redaction import redact

logger = logging.getLogger(__name__)

BATCH = 20
MAX_ATTEMPTS = MIRROR_ATTEMPTS_MAX
KIND = "mirror"  # as the desk knows it
State = WebhookInbox.State

# The `due_at` of an applied row is the mirror's: lease and backoff in one, doubling from 30 s.
# Without it a moment's outage would use up all attempts, and two mirrors would share events.
CLAIM = """
    WITH due AS MATERIALIZED (
        SELECT event_id FROM payments_webhookinbox
        WHERE mirrored_at IS NULL AND mirror_attempts < %s
          AND state IN ('applied', 'ignored') AND due_at <= now()
        ORDER BY received_at LIMIT %s FOR UPDATE SKIP LOCKED
    )
    UPDATE payments_webhookinbox w
    SET due_at = now() + interval '30 seconds' * 2 ^ w.mirror_attempts,
        mirror_attempts = w.mirror_attempts + 1
    FROM due WHERE w.event_id = due.event_id
    RETURNING w.event_id
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
        state__in=[State.APPLIED, State.IGNORED],
    ).count()


def failed() -> QuerySet[WebhookInbox]:
    """Events that no try helps, and nobody has given up on."""
    return WebhookInbox.objects.filter(
        mirrored_at__isnull=True,
        mirror_resolved_at__isnull=True,
        mirror_attempts__gte=MAX_ATTEMPTS,
        state__in=[State.APPLIED, State.IGNORED],
    )


def retry(event_id: str, *, actor: str, reason: str) -> bool:
    """Try again, with fresh attempts; False when it is not open. Raises ReasonMissing."""
    return _decide(event_id, log.RETRY, actor, reason, mirror_attempts=0, due_at=Now())


def give_up(event_id: str, *, actor: str, reason: str) -> bool:
    """Leave it out of dj-stripe's tables; False when it is not open. Raises ReasonMissing."""
    return _decide(event_id, log.RESOLVE, actor, reason, mirror_resolved_at=Now())


def _decide(event_id: str, decision: str, actor: str, reason: str, **changes: Any) -> bool:
    with transaction.atomic():
        written = failed().filter(pk=event_id).update(**changes)
        if written:
            log.record(KIND, event_id, decision, actor=actor, reason=reason)
    return bool(written)


def _mirror(event_id: str) -> bool:
    row = WebhookInbox.objects.filter(pk=event_id)
    try:
        Event.process(data=row.values_list("payload", flat=True).get())
    except Exception as error:  # whatever the library stumbles over must not stop the rest
        logger.warning("event %s is not mirrored: %s", event_id, type(error).__name__)
        row.update(mirror_error=redact(f"{type(error).__name__}: {error}")[:255])
        return False
    row.update(mirrored_at=Now(), mirror_error="")
    return True
