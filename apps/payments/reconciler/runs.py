"""When is compared, and how far it has come.

    open     our payments that are under way for a little while, one by one; open discrepancies
    recent   what the gateway says has changed out of turn; then the payments that it lists as
             created since the last time, each once, when it is old enough to be judged
    all      everything that the gateway lists, then those of ours that the list did not show

`open` tells what no webhook told, within a minute. `recent` finds what we do not know of. What
neither can see (a change that the gateway forgot to tell) `all` finds within a day.

A run goes on from its row: after each page the row says what was the last one compared. Memory
holds one page. One process compares at a time (an advisory lock); should the lock be lost with its
connection, two do the same twice, and what is done is done under the same keys.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import islice
from math import inf
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import F
from django.utils import timezone

from apps.payments.gateway import (
    NO_SUCH_OBJECT,
    PAGE,
    Gateway,
    GatewayError,
    GatewayRefused,
    GatewayTransient,
    Intent,
    get_gateway,
)
from apps.payments.models import Discrepancy, Payment, Reconciliation, SeenIntent
from apps.payments.reconciler.comparing import GRACE, doubtful
from apps.payments.reconciler.looks import Looker

logger = logging.getLogger(__name__)

S = Payment.Status
Scope = Reconciliation.Scope
Phase = Reconciliation.Phase

LOCK = 0x5EC0_4C11  # any number nobody else's advisory lock has
LOOK_AFTER = timedelta(seconds=15)  # an order that goes well has ended long before
AT_ONCE = 8  # questions at a time: the checkout's come first
OVERLAP = timedelta(minutes=1)
LATENESS = timedelta(minutes=15)  # of a webhook's last word, past the hold's longest time
STOPPED = "Stopped. "
PATIENCE = 5  # failed looks in a row, and the gateway is away
SLICE = 5_000  # rows of ours looked through at a time
FIRST_PHASE = {
    Scope.OPEN: Phase.PAYMENTS,
    Scope.RECENT: Phase.CHANGED,
    Scope.ALL: Phase.LISTED,
}
NEXT_PHASE = {
    (Scope.OPEN, Phase.PAYMENTS): Phase.DOUBTS,
    (Scope.OPEN, Phase.DOUBTS): Phase.IDLE,
    (Scope.RECENT, Phase.CHANGED): Phase.LISTED,
    (Scope.RECENT, Phase.LISTED): Phase.IDLE,
    (Scope.ALL, Phase.LISTED): Phase.OURS,
    (Scope.ALL, Phase.OURS): Phase.IDLE,
}
UNSEEN = """
    WITH slice AS (
        SELECT id, intent_id, created_at, captured_amount FROM payments_payment
        WHERE id > %(after)s ORDER BY id LIMIT %(slice)s
    )
    SELECT (SELECT max(id::text) FROM slice), slice.intent_id
    FROM slice LEFT JOIN payments_seenintent seen ON seen.intent_id = slice.intent_id
    WHERE slice.captured_amount > 0 AND slice.intent_id IS NOT NULL AND seen.intent_id IS NULL
      AND slice.created_at BETWEEN %(since)s AND %(until)s
    UNION ALL SELECT max(id::text), NULL FROM slice
"""


class Busy(Exception):
    """Another process compares."""


def begin(scope: str, *, since: datetime | None = None) -> None:
    """Have everything (or what is younger than `since`) compared anew; whoever runs next begins
    with it. One that is under way goes on instead, unless a moment is named. Raises Busy."""
    with _alone():
        row = _row(scope)
        if since is not None or not row.is_under_way:
            _begin(row, since=since)


def run(
    scope: str,
    *,
    at_most: float = inf,
    every: timedelta | None = None,
    tell: Callable[[Reconciliation], None] = lambda run: None,
) -> Reconciliation:
    """Go on with a comparison, or begin one, for `at_most` seconds; `tell` hears of each page.

    None is begun while the last one began less than `every` ago. The row it returns is IDLE when it
    came to its end. Raises Busy, and what stopped it: the row then says so too, and the next run
    goes on where this one stopped.
    """
    with _alone():
        row = _row(scope)
        looker = Looker.begin(row, get_gateway())
        looker.tell()  # who was settled by a run that died before it could say so
        if not row.is_under_way:
            if every and row.started_at and row.started_at > looker.ours.now - every:
                return row
            _begin(row)
        elif row.error.startswith(STOPPED):
            row.error = ""  # what this run makes good
        try:
            _go_on(
                row, looker, ends=None if at_most is None else time.monotonic() + at_most, tell=tell
            )
        except Exception as error:
            _fail(row, error)
            raise
        return row


@contextmanager
def _alone() -> Iterator[None]:
    """A session lock, not a transaction: the gateway is called meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        if not cursor.fetchone()[0]:
            raise Busy
    try:
        yield
    finally:
        if connection.connection is not None and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


def _row(scope: str) -> Reconciliation:
    return Reconciliation.objects.get_or_create(scope=scope)[0]


def _begin(row: Reconciliation, *, since: datetime | None = None) -> None:
    looker = Looker.begin(row, get_gateway())
    now, born_at = looker.ours.now, looker.ours.born_at
    at_first = now - settings.HOLD_TIME_CAP - LATENESS
    if row.scope == Scope.RECENT:
        # From where the last whole run ended: nothing falls between, however long ago that was.
        row.since = row.until - OVERLAP if row.until else at_first
        row.changed_since = row.changed_since or at_first
        row.until = now - GRACE
    elif row.scope == Scope.ALL:
        row.since, row.until = since or born_at - GRACE, now - GRACE
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE payments_seenintent")
    row.phase, row.cursor, row.error = FIRST_PHASE[Scope(row.scope)], "", ""
    row.compared = row.settled = 0
    row.started_at = now
    row.save()


def _go_on(
    row: Reconciliation,
    looker: Looker,
    *,
    ends: float,
    tell: Callable[[Reconciliation], None],
) -> None:
    steps = {
        Phase.PAYMENTS: _look_at_payments,
        Phase.DOUBTS: _look_at_doubts,
        Phase.CHANGED: _look_at_changes,
        Phase.LISTED: _look_at_list,
        Phase.OURS: _look_at_ours,
    }
    while row.is_under_way:
        over = steps[Phase(row.phase)](row, looker)
        looker.tell()
        if over:
            _next_phase(row)
        row.save(
            update_fields=[
                *("phase", "cursor", "compared", "changed_since", "error", "failures"),
                *("finished_at",),
            ]
        )
        tell(row)
        if time.monotonic() > ends:
            return


def _next_phase(row: Reconciliation) -> None:
    if row.phase == Phase.CHANGED:
        row.changed_since = row.started_at
    row.phase, row.cursor = NEXT_PHASE[Scope(row.scope), Phase(row.phase)], ""
    if row.phase == Phase.IDLE:
        row.finished_at = timezone.now()
        row.failures = row.failures + 1 if row.error else 0


def _fail(row: Reconciliation, error: Exception) -> None:
    words = f"{STOPPED}{type(error).__name__}: {error}"[:255]
    logger.warning("comparing with the gateway (%s) stopped: %s", row.scope, words)
    Reconciliation.objects.filter(pk=row.pk).update(failures=F("failures") + 1, error=words)


# --- One page each; True when the phase is over ---------------------------------------------------


def _look_at_payments(row: Reconciliation, looker: Looker) -> bool:
    """Our open payments: what no webhook told, and charges whose answer was lost."""
    payments = list(
        Payment.objects.filter(
            pk__gt=row.cursor or UUID(int=0),
            status__in=[S.CREATED, S.REQUIRES_ACTION, S.AUTHORIZED],
            asked_at__lt=looker.ours.now - LOOK_AFTER,
            amount__gt=0,
        ).order_by("pk")[:PAGE]
    )
    if not payments:
        return True
    answers = _ask_for(looker.gateway, payments)
    shown = [answer for answer in answers.values() if isinstance(answer, Intent)]
    settled = looker.settle_all(shown)
    patience = Patience(row)
    for payment in payments:
        answer = answers[payment.pk]
        with patience.with_one(str(payment.intent_id or payment.pk)):
            if isinstance(answer, GatewayRefused) and answer.code == NO_SUCH_OBJECT:
                looker.unknown(payment)
            elif isinstance(answer, GatewayError):
                raise answer
            elif answer is not None and doubtful(answer, settled.get(answer.id), looker.ours):
                looker.closely(answer.id)
    row.cursor = str(payments[-1].pk)
    row.compared += len(payments)
    return len(payments) < PAGE


def _ask_for(
    gateway: Gateway, payments: Iterable[Payment]
) -> dict[UUID, Intent | GatewayError | None]:
    """Each payment as the gateway shows it; None when it shows none (yet), or why not known."""

    def ask(payment: Payment) -> Intent | GatewayError | None:
        try:
            if payment.intent_id:
                return gateway.retrieve(payment.intent_id)
            # Its "yes" is enough: what it does not find yet, `recent` finds in the list.
            return gateway.search(payment_id=str(payment.pk))
        except GatewayError as error:
            return error

    payments = list(payments)
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="reconciler") as crowd:
        return dict(zip([p.pk for p in payments], crowd.map(ask, payments), strict=True))


def _look_at_doubts(row: Reconciliation, looker: Looker) -> bool:
    """What did not fit: does it still not?"""
    doubts = list(
        Discrepancy.objects.filter(state="open", pk__gt=row.cursor or UUID(int=0)).order_by("pk")[
            :AT_ONCE
        ]
    )
    patience = Patience(row)
    for doubt in doubts:
        with patience.with_one(doubt.subject):
            looker.closely(doubt.subject)
        row.cursor = str(doubt.pk)
    row.compared += len(doubts)
    return len(doubts) < AT_ONCE


def _look_at_changes(row: Reconciliation, looker: Looker) -> bool:
    """Refunds, cancellations and disputes of our payments, whoever made them."""
    assert row.changed_since is not None, "a run has begun"
    since = row.changed_since - OVERLAP
    try:
        listed = looker.gateway.list_changes(since=since, behind=row.cursor or None)
        changes = list(islice(listed, PAGE))
    except GatewayRefused as no:
        return _from_the_top(row, no)
    ours = {
        payment.intent_id: payment
        for payment in Payment.objects.filter(intent_id__in=[c.intent_id for c in changes])
    }
    patience = Patience(row)
    looked_at = set()
    for change in changes:
        payment = ours.get(change.intent_id)
        # Most are our own doing, and what they did is in our books.
        known = change.closes and payment and payment.status in (S.VOIDED, S.REFUNDED)
        if payment is not None and not known and change.intent_id not in looked_at:
            looked_at.add(change.intent_id)
            with patience.with_one(change.intent_id):
                looker.closely(change.intent_id)
        row.cursor = change.id
    row.compared += len(looked_at)
    return len(changes) < PAGE


def _look_at_list(row: Reconciliation, looker: Looker) -> bool:
    """What the gateway lists in the span: all of it is compared, the doubtful closely."""
    assert row.since is not None, "a run has begun"
    try:
        listed = looker.gateway.list_intents(
            created_after=row.since, created_before=row.until, behind=row.cursor or None
        )
        intents = list(islice(listed, PAGE))
    except GatewayRefused as no:
        return _from_the_top(row, no)
    if row.scope == Scope.ALL:
        SeenIntent.objects.bulk_create(
            [SeenIntent(intent_id=intent.id) for intent in intents], ignore_conflicts=True
        )
    settled = looker.settle_all(intents)
    patience = Patience(row)
    for intent in intents:
        if doubtful(intent, settled.get(intent.id), looker.ours):
            with patience.with_one(intent.id):
                looker.closely(intent.id)
        row.cursor = intent.id
    row.compared += len(intents)
    return len(intents) < PAGE


def _look_at_ours(row: Reconciliation, looker: Looker) -> bool:
    """Charges in our books that the list did not show."""
    with connection.cursor() as cursor:
        cursor.execute(
            UNSEEN,
            {
                "after": row.cursor or UUID(int=0),
                "slice": SLICE,
                "since": row.since,
                "until": row.until,
            },
        )
        rows = cursor.fetchall()
    last = rows[-1][0]
    patience = Patience(row)
    for _, intent_id in rows[:-1]:
        with patience.with_one(intent_id):
            looker.closely(intent_id)
    row.cursor = last or row.cursor
    return last is None


def _from_the_top(row: Reconciliation, no: GatewayRefused) -> bool:
    """The gateway has forgotten where we were in its list."""
    if no.code != NO_SUCH_OBJECT or not row.cursor:
        raise no
    row.cursor = ""
    return False


class Patience:
    """One payment that cannot be looked at does not hold up the others; a gateway that is away
    ends the run. What was left out is in the run's `error`, and looked at in the next."""

    def __init__(self, row: Reconciliation) -> None:
        self._row = row
        self._failed = 0

    @contextmanager
    def with_one(self, name: str) -> Iterator[None]:
        try:
            yield
        except (GatewayTransient, GatewayRefused) as error:
            self._failed += 1
            if self._failed >= PATIENCE:
                raise
            logger.warning("%s could not be looked at: %s", name, error)
            self._row.error = f"{name}: {type(error).__name__}: {error}"[:255]
        else:
            self._failed = 0
