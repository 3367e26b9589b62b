"""Sends what is due in the outbox.

    1. Claim a batch: one UPDATE over rows locked with SKIP LOCKED counts the try and moves
       `due_at` past the lease. Whoever comes meanwhile sees nothing due. A worker that dies
       leaves rows that fall due again when the lease ends.
    2. Send each over one connection.
    3. Write down what went: sent rows together, at least once a second.

**At least once.** A worker killed between 2 and 3 sends up to a second's mails again. The other
order (write, then send) would lose them instead, and a shopper who gets a confirmation twice is
better off than one who gets none. Both copies carry the same Message-ID, made from the row's id, so
that mail systems which fold by it show one.

Tries are counted at the claim, so that a message that kills its worker runs out of them too. It
must not take its neighbours along: after two tries a message is claimed alone.

A message fails by itself (wait, try again, dead after `TRIES_MAX`; at once when the recipient is
refused for good) or because there is no mail server (no try is counted: an outage makes no dead
letters). Waiting is exponential with full jitter, by the database's clock:
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

import contextlib
import logging
import random
import smtplib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parseaddr
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import connection
from django.db.models.functions import Now

from apps.notifications.models import Notification
from storefront import failpoints

logger = logging.getLogger(__name__)

TRIES_MAX = 8
BATCH = 50
ALONE_AFTER_TRIES = 2
# Longer than the slowest honest batch: sending stops when half of it is used up.
LEASE = timedelta(minutes=5)
WRITE_DOWN_EVERY = timedelta(seconds=1)
BACKOFF_BASE = timedelta(minutes=1)
BACKOFF_CAP = timedelta(hours=4)
OUTAGE_PAUSE = timedelta(minutes=1)
failpoints.declare("mail", "before_send", "after_send", "after_commit")

# A subquery in the WHERE may be run once for each row, and then claims more than the limit.
_CLAIM = """
    WITH due AS MATERIALIZED (
        SELECT id FROM notifications_notification
        WHERE state = 'due' AND due_at <= statement_timestamp()
            AND attempts >= %(from)s AND attempts < %(to)s
        ORDER BY due_at
        LIMIT %(limit)s
        FOR UPDATE SKIP LOCKED
    )
    UPDATE notifications_notification n
    SET attempts = n.attempts + 1, due_at = statement_timestamp() + %(lease)s
    FROM due WHERE n.id = due.id
    RETURNING n.id, n.order_id, n.kind, n."to", n.subject, n.body, n.attempts
"""

_GIVE_UP = """
    UPDATE notifications_notification
    SET state = 'dead', resolution = '', resolved_by = '', resolved_at = NULL,
        last_error = CASE WHEN last_error = '' THEN 'worker lost while sending' ELSE last_error END
    WHERE id IN (
        SELECT id FROM notifications_notification
        WHERE state = 'due' AND due_at <= statement_timestamp() AND attempts >= %(tries)s
        FOR UPDATE SKIP LOCKED
    )
"""

# Only while the claim is still ours: the same attempt, not yet settled by anyone.
_RETRY = """
    UPDATE notifications_notification
    SET due_at = statement_timestamp() + %(wait)s, last_error = %(error)s
    WHERE id = %(id)s AND state = 'due' AND attempts = %(attempts)s
"""
_BURY = """
    UPDATE notifications_notification
    SET state = 'dead', last_error = %(error)s,
        resolution = '', resolved_by = '', resolved_at = NULL
    WHERE id = %(id)s AND state = 'due' AND attempts = %(attempts)s
"""
_GIVE_BACK = """
    UPDATE notifications_notification AS outbox
    SET attempts = outbox.attempts - 1, due_at = statement_timestamp() + %(wait)s,
        last_error = %(error)s
    FROM unnest(%(ids)s::bigint[], %(attempts)s::int[]) AS claimed (id, attempts)
    WHERE outbox.id = claimed.id AND outbox.state = 'due' AND outbox.attempts = claimed.attempts
"""


@dataclass(frozen=True, slots=True)
class _Claimed:
    id: int
    order_id: UUID
    kind: str
    to: str
    subject: str
    body: str
    attempts: int


class _NoMailServer(Exception):
    """The connection could not be opened; says nothing about any message."""


def deliver_due(*, at_most: timedelta = timedelta(seconds=30)) -> int:
    """Send what is due until nothing is, or for about `at_most`; answers how many went."""
    _execute(_GIVE_UP, {"tries": TRIES_MAX})
    ends = time.monotonic() + at_most.total_seconds()
    went = 0
    with contextlib.suppress(_NoMailServer):
        while time.monotonic() < ends:
            fresh = _claim(from_attempts=0, to_attempts=ALONE_AFTER_TRIES, limit=BATCH)
            went += _send(fresh)
            # In turns, so that a busy evening starves nobody who waits for another try.
            alone = _claim(from_attempts=ALONE_AFTER_TRIES, to_attempts=TRIES_MAX, limit=1)
            went += _send(alone)
            if not fresh and not alone:
                break
    return went


def _claim(*, from_attempts: int, to_attempts: int, limit: int) -> list[_Claimed]:
    values: dict[str, Any] = {"from": from_attempts, "to": to_attempts, "limit": limit}
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, values | {"lease": LEASE})
        claimed = [_Claimed(*row) for row in cursor.fetchall()]
    # RETURNING has no order; a confirmation leaves before the word of the parcel.
    return sorted(claimed, key=lambda one: one.id)


def _send(batch: Sequence[_Claimed]) -> int:
    """Send a claimed batch; whatever is not sent is left due, with the reason beside it."""
    claimed_at = written_at = time.monotonic()
    server = get_connection()
    went: list[int] = []
    not_written: list[int] = []
    todo = list(batch)
    try:
        while todo:
            now = time.monotonic()
            if now - claimed_at > LEASE.total_seconds() / 2:
                _give_back(todo, error="", wait=timedelta(0))
                return len(went)
            if not_written and now - written_at >= WRITE_DOWN_EVERY.total_seconds():
                _mark_sent(not_written)
                not_written, written_at = [], now
            try:
                server.open()
            except Exception as error:
                # Anything: a wrong host name, TLS, credentials, a proxy. None is the message's.
                logger.warning("no mail server: %s: %s", type(error).__name__, error)
                _give_back(todo, error=_described(error), wait=_jittered(OUTAGE_PAUSE))
                raise _NoMailServer from error
            claimed = todo.pop(0)
            failpoints.reach("mail", "before_send")
            try:
                _mail(claimed, server)
            except Exception as error:
                _failed(claimed, error)
                server = _another_connection(server)
            else:
                failpoints.reach("mail", "after_send")
                went.append(claimed.id)
                not_written.append(claimed.id)
    finally:
        _mark_sent(not_written)
        _close(server)
    return len(went)


def _mail(claimed: _Claimed, server: BaseEmailBackend) -> None:
    host = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    EmailMessage(
        subject=claimed.subject,
        body=claimed.body,
        to=[claimed.to],
        headers={"Message-ID": f"<notification-{claimed.id}@{host}>"},
        connection=server,
    ).send()


def _failed(claimed: _Claimed, error: Exception) -> None:
    described = _described(error)
    values: dict[str, Any] = {"id": claimed.id, "attempts": claimed.attempts, "error": described}
    if claimed.attempts >= TRIES_MAX or _is_final(error):
        _execute(_BURY, values)
        logger.error("dead letter %s (%s): %s", claimed.id, claimed.kind, described)
    else:
        wait = _jittered(min(BACKOFF_CAP, BACKOFF_BASE * 2 ** (claimed.attempts - 1)))
        _execute(_RETRY, values | {"wait": wait})
        logger.warning("message %s (%s): %s", claimed.id, claimed.kind, described)


def _is_final(error: Exception) -> bool:
    """Whether trying again cannot help: the server refused the recipient for good (5xx)."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(500 <= code < 600 for code, _ in error.recipients.values())
    # Django: a line break in a header, an address that cannot be encoded.
    return isinstance(error, ValueError)


def _mark_sent(ids: list[int]) -> None:
    # Whoever holds the claim by now: the mail went, and no state is truer than that.
    if ids:
        Notification.objects.filter(pk__in=ids).exclude(state=Notification.State.SENT).update(
            state=Notification.State.SENT, sent_at=Now(), last_error=""
        )
        failpoints.reach("mail", "after_commit")


def _give_back(claimed: Sequence[_Claimed], *, error: str, wait: timedelta) -> None:
    """Due again after `wait`, the try not counted."""
    _execute(
        _GIVE_BACK,
        {
            "ids": [one.id for one in claimed],
            "attempts": [one.attempts for one in claimed],
            "error": error,
            "wait": wait,
        },
    )


def _another_connection(server: BaseEmailBackend) -> BaseEmailBackend:
    """After an error a connection may stand in the middle of a conversation: take a new one."""
    _close(server)
    return get_connection()


def _close(server: BaseEmailBackend) -> None:
    try:
        server.close()
    except Exception as error:
        logger.info("closing the mail connection: %s", error)


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".replace("\x00", "")[:255]


def _jittered(longest: timedelta) -> timedelta:
    return longest * random.random()


def _execute(statement: str, values: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
