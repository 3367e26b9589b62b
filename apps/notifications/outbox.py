"""The outbox: a message is a row, written in the transaction that made it true.

`put` writes; a second `put` for the same order and kind writes nothing, so a step that runs twice
sends one mail. delivery.py sends. What it gave up on is a dead letter: a person sends it again
(`replay`) or closes it (`dismiss`), saying who and why. The row keeps the last such word, the log
keeps all of them.
"""

import logging
from collections.abc import Sequence

from django.db import connection, transaction
from django.db.models.functions import Now

from apps.notifications.errors import NotDead, ReasonMissing
from apps.notifications.messages import Message, compose
from apps.notifications.models import Notification
from storefront import bells

__all__ = ["Message", "compose", "dismiss", "put", "replay"]

logger = logging.getLogger(__name__)

DELIVER = "notifications.deliver"

_INSERT = """
    INSERT INTO notifications_notification
        (order_id, kind, "to", subject, body, state, attempts, last_error, resolution, resolved_by)
    SELECT message.*, 'due', 0, '', '', ''
    FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[]) AS message
    ON CONFLICT (order_id, kind) DO NOTHING
"""


def put(messages: Sequence[Message]) -> int:
    """Write these messages in the caller's transaction; answers how many are new.

    Rolled back with the caller, they never were. Delivery is asked for on commit.
    """
    if not messages:
        return 0
    # Sorted: two workers with overlapping batches wait for each other in one direction only.
    rows = sorted((m.order_id, m.kind, m.to, m.subject, m.body) for m in messages)
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [list(column) for column in zip(*rows, strict=True)])
        written = cursor.rowcount
    if written:
        transaction.on_commit(lambda: bells.ring(DELIVER))
    return written


def replay(notification: Notification, *, actor: str, reason: str) -> None:
    """Send a dead letter again, from its first try on. Raises `NotDead`, `ReasonMissing`."""
    _resolve(
        notification,
        actor=actor,
        reason=reason,
        state=Notification.State.DUE,
        attempts=0,
        due_at=Now(),
    )
    transaction.on_commit(lambda: bells.ring(DELIVER))


def dismiss(notification: Notification, *, actor: str, reason: str) -> None:
    """Close a dead letter unsent. Raises `NotDead`, `ReasonMissing`."""
    _resolve(notification, actor=actor, reason=reason)


def _resolve(notification: Notification, *, actor: str, reason: str, **changes: object) -> None:
    actor, reason = actor.strip(), reason.strip()
    if not actor or not reason:
        raise ReasonMissing
    # One statement: of two people who press the button at once, one is told that it is done.
    resolved = Notification.objects.filter(
        pk=notification.pk, state=Notification.State.DEAD, resolved_at__isnull=True
    ).update(resolution=reason[:255], resolved_by=actor[:254], resolved_at=Now(), **changes)
    if resolved != 1:
        raise NotDead
    notification.refresh_from_db()
    logger.info(
        "dead letter %s (%s of order %s) resolved, now %s, by %s: %s",
        notification.pk,
        notification.kind,
        notification.order_id,
        notification.state,
        actor,
        reason,
    )
