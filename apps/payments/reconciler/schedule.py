"""When the two sides are compared, and how far a comparison has come.

    open     our payments that have been under way for a while, one by one; open discrepancies
    recent   refunds, cancellations and disputes that the gateway reports; then the payments that it
             lists as created since the last run, each once, when it is old enough to be judged
    all      everything that the gateway lists, then those of ours that the list did not show

`open` finds within a minute what no webhook reported. `recent` finds payments that we do not know.
What neither can see (a change that the gateway did not report) `all` finds within a day.

A run continues from its row: after each page the row names the last one compared. Memory holds one
page. One process compares at a time (an advisory lock); should the lock be lost with its
connection, two processes do the same work, under the same idempotency keys.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from math import inf

from django.conf import settings
from django.db import connection
from django.db.models import F
from django.utils import timezone

from apps.payments.gateway import get_gateway
from apps.payments.models import Reconciliation
from apps.payments.reconciler import pages
from apps.payments.reconciler.inspection import Inspector
from apps.payments.reconciler.two_sides import GRACE

logger = logging.getLogger(__name__)

Scope = Reconciliation.Scope
Phase = Reconciliation.Phase

LOCK = 0x5EC0_4C11  # any number that no other advisory lock uses
LATENESS = timedelta(minutes=15)  # how late a webhook may come after the longest hold has ended
STOPPED = "Stopped. "
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


class Busy(Exception):
    """Another process is comparing."""


def begin(scope: str, *, since: datetime | None = None) -> None:
    """Begin a comparison in `scope`, of all payments created after `since`; the next run does it.

    A comparison that is under way is continued instead, unless `since` is given. Raises Busy.
    """
    with _exclusively():
        row = _row(scope)
        if since is not None or not row.is_under_way:
            _begin(row, since=since)


def run(
    scope: str,
    *,
    at_most: float = inf,
    every: timedelta | None = None,
    progress: Callable[[Reconciliation], None] = lambda run: None,
) -> Reconciliation:
    """Continue a comparison, or begin one, for `at_most` seconds; `progress` is called each page.

    None is begun while the last one began less than `every` ago. The row that is returned is IDLE
    when the comparison has ended. Raises Busy, and the exception that stopped it: the row then says
    so too, and the next run continues where this one stopped.
    """
    with _exclusively():
        row = _row(scope)
        inspector = Inspector.begin(row, get_gateway().that_can_wait())
        inspector.announce()  # payments settled by a run that died before it announced them
        if not row.is_under_way:
            if every and row.started_at and row.started_at > inspector.ours.now - every:
                return row
            _begin(row)
        elif row.error.startswith(STOPPED):
            row.error = ""  # this run repeats what the stopped one left out
        try:
            _continue(
                row,
                inspector,
                ends=time.monotonic() + at_most,
                progress=progress,
            )
        except Exception as error:
            _fail(row, error)
            raise
        return row


@contextmanager
def _exclusively() -> Iterator[None]:
    """Hold a session lock, without a transaction: the gateway is called meanwhile."""
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
    inspector = Inspector.begin(row, get_gateway().that_can_wait())
    now, born_at = inspector.ours.now, inspector.ours.born_at
    at_first = now - settings.HOLD_TIME_CAP - LATENESS
    if row.scope == Scope.RECENT:
        # From where the last whole run ended, however long ago, so that no time is left out.
        row.since = row.until - pages.OVERLAP if row.until else at_first
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


def _continue(
    row: Reconciliation,
    inspector: Inspector,
    *,
    ends: float,
    progress: Callable[[Reconciliation], None],
) -> None:
    steps = {
        Phase.PAYMENTS: pages.compare_open_payments,
        Phase.DOUBTS: pages.compare_discrepancies,
        Phase.CHANGED: pages.compare_changes,
        Phase.LISTED: pages.compare_listed,
        Phase.OURS: pages.compare_unlisted,
    }
    while row.is_under_way:
        over = steps[Phase(row.phase)](row, inspector)
        inspector.announce()
        if over:
            _next_phase(row)
        row.save(
            update_fields=[
                *("phase", "cursor", "compared", "changed_since", "error", "failures"),
                *("finished_at",),
            ]
        )
        progress(row)
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
