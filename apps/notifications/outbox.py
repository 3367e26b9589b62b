"""The outbox: a message is a row, written in the transaction of the event that it reports.

`put` writes; a second `put` for the same order, kind and `about` writes nothing, so a step that
runs twice sends one mail. `put_account` writes mail of an account, which has no order. delivery.py
sends, within the caps of each mailbox (caps.py). A message that it gave up is a dead letter: staff
send it again (`replay`) or close it (`dismiss`), with name and reason. The row keeps the last
decision, the decision log (apps/backoffice) keeps all.
"""

from collections.abc import Sequence

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from apps.backoffice import decision_log
from apps.core import dispatch, sql
from apps.core.erased_person import is_erased
from apps.notifications import erasure
from apps.notifications.errors import NotDead
from apps.notifications.messages import SUBJECT_MAX, Message, compose
from apps.notifications.models import Notification

__all__ = [
    "KIND",
    "Message",
    "compose",
    "dead_letters",
    "dismiss",
    "put",
    "put_account",
    "replay",
]

KIND = "mail"  # the kind of its review cases
DELIVER = "notifications.deliver"

_INSERT = """
    INSERT INTO notifications_notification
        (order_id, kind, about, "to", subject, body, state, attempts, last_error, resolution,
         resolved_by)
    SELECT order_id, kind, about, "to", subject, body,
        CASE WHEN withheld = '' THEN 'due' ELSE 'suppressed' END, 0, withheld, '', ''
    FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
        AS message (order_id, kind, about, "to", subject, body, withheld)
    ON CONFLICT (order_id, kind, about) DO NOTHING
"""


def put(messages: Sequence[Message]) -> int:
    """Write these messages in the caller's transaction; returns how many are new.

    They are rolled back with the caller. Delivery is enqueued on commit.
    """
    if not messages:
        return 0
    # Sorted, so that two workers with overlapping batches cannot deadlock.
    rows = sorted(
        (m.order_id, m.kind, m.about, m.to, m.subject, m.body, m.withheld or _why_no_address(m.to))
        for m in messages
    )
    written = sql.run(_INSERT, [list(column) for column in zip(*rows, strict=True)])
    if written:
        transaction.on_commit(lambda: dispatch.enqueue_on_commit(DELIVER))
    return written


def _why_no_address(to: str) -> str:
    """Why a mail to this address cannot be sent: its buyer was erased; else empty."""
    return erasure.WHY if is_erased(to) else ""


def put_account(kind: str, *, to: str, subject: str, body: str = "") -> None:
    """Write a mail of an account in the caller's transaction; delivery is enqueued on commit.

    Without a `body` the kind needs a writer (late.py) that makes the text at sending. It may be
    called any number of times: a mailbox gets what its cap allows.
    """
    Notification.objects.create(kind=kind, to=to, subject=subject[:SUBJECT_MAX], body=body)
    transaction.on_commit(lambda: dispatch.enqueue_on_commit(DELIVER))


def dead_letters() -> QuerySet[Notification]:
    """Messages that were given up and that staff have not decided about."""
    return Notification.objects.filter(state=Notification.State.DEAD, resolved_at__isnull=True)


def replay(notification: Notification, *, actor: str, reason: str) -> None:
    """Send a dead letter again, with all its attempts. Raises `NotDead`, `ReasonMissing`."""
    _resolve(
        notification,
        decision_log.RETRY,
        actor=actor,
        reason=reason,
        state=Notification.State.DUE,
        attempts=0,
        crashed_claims=0,
        due_at=Now(),
    )
    transaction.on_commit(lambda: dispatch.enqueue_on_commit(DELIVER))


def dismiss(notification: Notification, *, actor: str, reason: str) -> None:
    """Close a dead letter unsent. Raises `NotDead`, `ReasonMissing`."""
    _resolve(notification, decision_log.RESOLVE, actor=actor, reason=reason)


def _resolve(
    notification: Notification, decision: str, *, actor: str, reason: str, **changes: object
) -> None:
    actor, reason = decision_log.checked(actor, reason)
    with transaction.atomic():
        # One conditional UPDATE: of two people who decide at once, one gets NotDead.
        resolved = dead_letters().filter(pk=notification.pk)
        if not resolved.update(resolution=reason, resolved_by=actor, resolved_at=Now(), **changes):
            raise NotDead
        decision_log.record(
            KIND,
            notification.pk,
            decision,
            actor=actor,
            reason=reason,
            order_id=notification.order_id,
        )
    notification.refresh_from_db()
