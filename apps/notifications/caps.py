"""Caps: how many mails of a kind one mailbox gets.

Without caps a stranger could make the shop send mail to any address. The unit is the mailbox
(apps/customers/mailbox.py), whatever the spelling of the address.

Mails are counted when they are sent (delivery.py), not when they are written: no order waits for
it, and a mail over the cap is still a row, `suppressed`, with the reason, for staff to see. They
are counted in PostgreSQL, under a lock, because two workers that count at once would each find one
place left.

The confirmation of a paid order has no cap: its recipient has paid.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection, transaction

from apps.customers.mailbox import mailbox_of

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `amount` mails to one mailbox in any period of length `within`."""

    amount: int
    within: timedelta

    def __str__(self) -> str:
        return f"{self.amount} in {self.within}"  # "3 in 1:00:00"


CAPS: Mapping[str, tuple[Cap, ...]] = {
    "order_confirmed": (),
    "order_shipped": (Cap(30, HOUR), Cap(100, DAY)),
    "return_announced": (Cap(10, HOUR), Cap(30, DAY)),
    "return_received": (Cap(10, HOUR), Cap(30, DAY)),
    "return_refused": (Cap(10, HOUR), Cap(30, DAY)),
    "refund_sent": (Cap(30, HOUR), Cap(100, DAY)),
    "payment_declined": (Cap(5, HOUR), Cap(15, DAY)),
    "order_cancelled": (Cap(5, HOUR), Cap(15, DAY)),
    "password_reset": (Cap(1, timedelta(minutes=5)), Cap(3, HOUR), Cap(6, DAY)),
    "password_changed": (Cap(5, HOUR), Cap(10, DAY)),
}
DEFAULT = (Cap(3, HOUR), Cap(10, DAY))  # for kinds that are not in CAPS

_LOCK = 0x4D41494C  # "MAIL"

_AGES = """
    SELECT mailbox, kind, statement_timestamp() - admitted_at
    FROM notifications_notification
    JOIN unnest(%(mailboxes)s::text[], %(kinds)s::text[]) AS asked (mailbox, kind)
        USING (mailbox, kind)
    WHERE admitted_at > statement_timestamp() - %(longest)s
"""
_ADMIT = """
    UPDATE notifications_notification AS outbox
    SET admitted_at = statement_timestamp(), mailbox = asked.mailbox
    FROM unnest(%(ids)s::bigint[], %(mailboxes)s::text[]) AS asked (id, mailbox)
    WHERE outbox.id = asked.id
"""
_SUPPRESS = """
    UPDATE notifications_notification AS outbox
    SET state = 'suppressed', last_error = asked.reason, mailbox = asked.mailbox
    FROM unnest(%(ids)s::bigint[], %(mailboxes)s::text[], %(reasons)s::text[])
        AS asked (id, mailbox, reason)
    WHERE outbox.id = asked.id AND outbox.state = 'due'
"""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A message that is to be sent for the first time."""

    id: int
    kind: str
    to: str


def admit(messages: Iterable[Candidate]) -> set[int]:
    """The ids of those that may be sent now; the others are suppressed.

    Decided in the order of their ids. A message that was admitted once is not passed here again: a
    retry of a mail is no second mail.
    """
    candidates = sorted(messages, key=lambda message: message.id)
    free = {message.id for message in candidates if not CAPS.get(message.kind, DEFAULT)}
    counted = [message for message in candidates if message.id not in free]
    if not counted:
        return free
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        # A new statement: its snapshot begins after the lock was taken.
        return free | _decide(cursor, counted)


def _decide(cursor, counted: Sequence[Candidate]) -> set[int]:  # type: ignore[no-untyped-def]
    keys = {(mailbox_of(message.to), message.kind) for message in counted}
    ages: dict[tuple[str, str], list[timedelta]] = {key: [] for key in keys}
    longest = max(cap.within for _, kind in keys for cap in CAPS.get(kind, DEFAULT))
    mailboxes, kinds = map(list, zip(*keys, strict=True))
    cursor.execute(_AGES, {"mailboxes": mailboxes, "kinds": kinds, "longest": longest})
    for mailbox, kind, age in cursor.fetchall():
        ages[mailbox, kind].append(age)
    admitted: list[tuple[int, str]] = []
    suppressed: list[tuple[int, str, str]] = []
    for message in counted:
        key = mailbox_of(message.to), message.kind
        reached = _reached(CAPS.get(message.kind, DEFAULT), ages[key])
        if reached is None:
            ages[key].append(timedelta(0))
            admitted.append((message.id, key[0]))
        else:
            reason = f"over the cap of this mailbox: {reached} of this kind"
            suppressed.append((message.id, key[0], reason))
    if admitted:
        ids, boxes = map(list, zip(*admitted, strict=True))
        cursor.execute(_ADMIT, {"ids": ids, "mailboxes": boxes})
    if suppressed:
        ids, boxes, reasons = map(list, zip(*suppressed, strict=True))
        cursor.execute(_SUPPRESS, {"ids": ids, "mailboxes": boxes, "reasons": reasons})
    return {message_id for message_id, _ in admitted}


def _reached(caps: Sequence[Cap], ages: Sequence[timedelta]) -> Cap | None:
    return next(
        (cap for cap in caps if sum(age < cap.within for age in ages) >= cap.amount),
        None,
    )
