"""Sends what is due in the outbox.

    1. Claim a batch under a lease (leases.py). A message whose worker died twice is claimed alone.
    2. Ask the caps (caps.py) about messages that they have not admitted yet. A message over a cap
       is suppressed.
    3. Send each over one connection.
    4. Record what was sent: rows together, at least once a second.

**At least once.** When a worker is killed between 3 and 4, mail of up to a second is sent again.
The other order (record, then send) would lose it instead, and a shopper who gets a confirmation
twice is better off than one who gets none. Both copies carry the same Message-ID, made from the
row's id, so that mail programs that compare it show one.

A message fails for its own reason (wait, try again, dead after `ATTEMPTS_MAX`; at once when the
recipient is refused permanently) or because there is no mail server (no attempt is counted: an
outage makes no dead letters). Waiting is exponential with full jitter, by the database's clock:
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

import contextlib
import logging
import random
import smtplib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models.functions import Now

from apps.core import failpoints, leases, sql
from apps.core.leases import LeasedTable
from apps.notifications import caps, late
from apps.notifications.models import Notification

logger = logging.getLogger(__name__)

ATTEMPTS_MAX = 8
BATCH = 50
# Longer than the slowest batch takes: sending stops when half of it is used up.
LEASE = timedelta(minutes=5)
MARK_SENT_EVERY = timedelta(seconds=1)
BACKOFF_BASE = timedelta(minutes=1)
BACKOFF_CAP = timedelta(hours=4)
OUTAGE_PAUSE = timedelta(minutes=1)
failpoints.declare("mail", "before_send", "after_send", "after_commit")

_OUTBOX = LeasedTable(
    table="notifications_notification",
    key="id",
    key_type="bigint",
    claimable="state = 'due'",
    lease=LEASE,
    attempts_max=ATTEMPTS_MAX,
    returning=("t.kind", 't."to"', "t.subject", "t.body", "t.admitted_at IS NOT NULL"),
)
_GIVE_UP = """
    UPDATE notifications_notification
    SET state = 'dead', resolution = '', resolved_by = '', resolved_at = NULL,
        last_error = CASE WHEN last_error = '' THEN 'worker lost while sending' ELSE last_error END
    WHERE id IN (
        SELECT id FROM notifications_notification
        WHERE state = 'due' AND due_at <= statement_timestamp() AND attempts >= %(max)s
        FOR UPDATE SKIP LOCKED
    )
"""

_DUE_LATER = "due_at = statement_timestamp() + %(wait)s, last_error = %(error)s"
_RETRY = _OUTBOX.release_statement(_DUE_LATER)
_UNCLAIM = _OUTBOX.release_statement(f"attempts = t.attempts - 1, {_DUE_LATER}")
_MARK_DEAD = _OUTBOX.release_statement(
    "state = 'dead', last_error = %(error)s, resolution = '', resolved_by = '', resolved_at = NULL"
)
_SUPPRESS = _OUTBOX.release_statement(
    "state = 'suppressed', last_error = 'nothing to say any more'"
)


@dataclass(frozen=True, slots=True)
class _Claimed:
    id: int
    fence: datetime
    attempts: int
    kind: str
    to: str
    subject: str
    body: str
    admitted: bool


class _NoPurpose(Exception):
    """The reason for the message is gone, as when the account was closed."""


class _NoMailServer(Exception):
    """The connection could not be opened; says nothing about any message."""


def deliver_due(*, at_most: timedelta = timedelta(seconds=30)) -> int:
    """Send what is due until nothing is, or for about `at_most`; returns how many were sent."""
    sql.run(_GIVE_UP, {"max": ATTEMPTS_MAX})
    ends = time.monotonic() + at_most.total_seconds()
    sent = 0
    with contextlib.suppress(_NoMailServer):
        while time.monotonic() < ends:
            claimed = 0
            for most, crashed in leases.one_round(BATCH):
                batch = _claim(limit=most, crashed=crashed)
                sent += _send(_admitted(batch))
                claimed += len(batch)
            if not claimed:
                break
    return sent


def _claim(*, limit: int, crashed: bool) -> list[_Claimed]:
    claimed = [_Claimed(*row) for row in _OUTBOX.claim(limit=limit, crashed=crashed)]
    # A claim has no order; a confirmation leaves before the mail about the parcel.
    return sorted(claimed, key=lambda one: one.id)


def _admitted(claimed: Sequence[_Claimed]) -> list[_Claimed]:
    """Those that the caps admit."""
    new = [caps.Candidate(one.id, one.kind, one.to) for one in claimed if not one.admitted]
    may_go = caps.admit(new) if new else set()
    return [one for one in claimed if one.admitted or one.id in may_go]


def _send(batch: Sequence[_Claimed]) -> int:
    """Send a claimed batch; returns how many were sent. The others stay due, with the reason."""
    claimed_at = marked_at = time.monotonic()
    server = get_connection()
    sent: list[int] = []
    unmarked: list[int] = []
    todo = list(batch)
    try:
        while todo:
            now = time.monotonic()
            if now - claimed_at > LEASE.total_seconds() / 2:
                _unclaim(todo, error="", wait=timedelta(0))
                return len(sent)
            if unmarked and now - marked_at >= MARK_SENT_EVERY.total_seconds():
                _mark_sent(unmarked)
                unmarked, marked_at = [], now
            try:
                server.open()
            except Exception as error:
                # Any error: host name, TLS, credentials, a proxy. None is the fault of the message.
                logger.warning("no mail server: %s: %s", type(error).__name__, error)
                _unclaim(todo, error=_described(error), wait=_jittered(OUTAGE_PAUSE))
                raise _NoMailServer from error
            claimed = todo.pop(0)
            failpoints.reach("mail", "before_send")
            try:
                claimed = _written(claimed)
                _mail(claimed, server)
            except _NoPurpose:
                _release(_SUPPRESS, [claimed])
            except Exception as error:
                _failed(claimed, error)
                server = _another_connection(server)
            else:
                failpoints.reach("mail", "after_send")
                sent.append(claimed.id)
                unmarked.append(claimed.id)
    finally:
        _mark_sent(unmarked)
        _close(server)
    return len(sent)


def _written(claimed: _Claimed) -> _Claimed:
    """With subject and body, where the kind has them written when they are sent (late.py)."""
    writer = late.writer_of(claimed.kind)
    if writer is None:
        if not claimed.body:
            raise LookupError(f"no writer for {claimed.kind}")  # an empty mail is of no use
        return claimed
    written = writer(claimed.to)
    if written is None:
        raise _NoPurpose
    return replace(claimed, subject=" ".join(written[0].split()), body=written[1])


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
    if claimed.attempts >= ATTEMPTS_MAX or _is_final(error):
        _release(_MARK_DEAD, [claimed], error=described)
        logger.error("dead letter %s (%s): %s", claimed.id, claimed.kind, described)
    else:
        wait = _jittered(min(BACKOFF_CAP, BACKOFF_BASE * 2 ** (claimed.attempts - 1)))
        _release(_RETRY, [claimed], error=described, wait=wait)
        logger.warning("message %s (%s): %s", claimed.id, claimed.kind, described)


def _is_final(error: Exception) -> bool:
    """Whether another attempt cannot help: the server refused the recipient permanently (5xx)."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(500 <= code < 600 for code, _ in error.recipients.values())
    # Django: a line break in a header, an address that cannot be encoded.
    return isinstance(error, ValueError)


def _mark_sent(ids: list[int]) -> None:
    # Without a fence: the mail was sent, whoever holds the claim by now.
    if ids:
        Notification.objects.filter(pk__in=ids).exclude(state=Notification.State.SENT).update(
            state=Notification.State.SENT, sent_at=Now(), last_error=""
        )
        failpoints.reach("mail", "after_commit")


def _unclaim(claimed: Sequence[_Claimed], *, error: str, wait: timedelta) -> None:
    """Due again after `wait`, without counting the attempt."""
    _release(_UNCLAIM, claimed, error=error, wait=wait)


def _release(statement: str, claimed: Sequence[_Claimed], **parameters: Any) -> None:
    _OUTBOX.write(statement, ((one.id, one.fence) for one in claimed), **parameters)


def _another_connection(server: BaseEmailBackend) -> BaseEmailBackend:
    """After an error the connection may be in the middle of an SMTP dialogue: take a new one."""
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
