"""The outbox: a message is a row, written in the transaction that made it true.

`put` writes; a second `put` for the same order, kind and matter writes nothing, so a step that runs
twice sends one mail. delivery.py sends. What it gave up on is a dead letter: a person sends it
again (`replay`) or closes it (`dismiss`), saying who and why. The row keeps the last such word, the
log of decisions (apps/desk) keeps all of them.
"""

from collections.abc import Sequence

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from apps.desk import log
from apps.notifications.errors import NotDead
from apps.notifications.messages import Message, compose
from apps.notifications.models import Notification
from storefront import bells, prepared

__all__ = ["KIND", "Message", "compose", "dead_letters", "dismiss", "put", "replay"]

KIND = "mail"  # as the desk knows it
DELIVER = "notifications.deliver"

_INSERT = """
    INSERT INTO notifications_notification
        (order_id, kind, about, "to", subject, body, state, attempts, last_error, resolution,
         resolved_by)
    SELECT message.*, 'due', 0, '', '', ''
    FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[]) AS message
    ON CONFLICT (order_id, kind, about) DO NOTHING
"""


def put(messages: Sequence[Message]) -> int:
    """Write these messages in the caller's transaction; answers how many are new.

    Rolled back with the caller, they never were. Delivery is asked for on commit.
    """
    if not messages:
        return 0
    # Sorted: two workers with overlapping batches wait for each other in one direction only.
    rows = sorted((m.order_id, m.kind, m.about, m.to, m.subject, m.body) for m in messages)
    written = prepared.run(_INSERT, [list(column) for column in zip(*rows, strict=True)])
    if written:
        transaction.on_commit(lambda: bells.ring(DELIVER))
    return written


def dead_letters() -> QuerySet[Notification]:
    """What was given up and nobody has decided about."""
    return Notification.objects.filter(state=Notification.State.DEAD, resolved_at__isnull=True)


def replay(notification: Notification, *, actor: str, reason: str) -> None:
    """Send a dead letter again, from its first try on. Raises `NotDead`, `ReasonMissing`."""
    _resolve(
        notification,
        log.RETRY,
        actor=actor,
        reason=reason,
        state=Notification.State.DUE,
        attempts=0,
        due_at=Now(),
    )
    transaction.on_commit(lambda: bells.ring(DELIVER))


def dismiss(notification: Notification, *, actor: str, reason: str) -> None:
    """Close a dead letter unsent. Raises `NotDead`, `ReasonMissing`."""
    _resolve(notification, log.RESOLVE, actor=actor, reason=reason)


def _resolve(
    notification: Notification, decision: str, *, actor: str, reason: str, **changes: object
) -> None:
    actor, reason = log.checked(actor, reason)
    with transaction.atomic():
        # One statement: of two people who press the button at once, one is told that it is done.
        resolved = dead_letters().filter(pk=notification.pk)
        if not resolved.update(resolution=reason, resolved_by=actor, resolved_at=Now(), **changes):
            raise NotDead
        log.record(
            KIND,
            notification.pk,
            decision,
            actor=actor,
            reason=reason,
            order_id=notification.order_id,
        )
    notification.refresh_from_db()
