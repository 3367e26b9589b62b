"""Each phase of a comparison, one page at a time. Each function returns True at the phase's end.

A page reads PAGE payments or changes (CONCURRENT_CALLS discrepancies, SLICE rows of ours), compares
them, and moves the run's cursor; the caller saves the run.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import islice
from uuid import UUID

from django.db import connection

from apps.payments.gateway import (
    NO_SUCH_OBJECT,
    PAGE,
    Gateway,
    GatewayError,
    GatewayRefused,
    Intent,
)
from apps.payments.models import Discrepancy, Payment, Reconciliation, SeenIntent
from apps.payments.reconciler.comparing import may_differ
from apps.payments.reconciler.failure_limit import FailureLimit
from apps.payments.reconciler.findings import RETURNED
from apps.payments.reconciler.inspection import Inspector

S = Payment.Status
Scope = Reconciliation.Scope

LOOK_AFTER = timedelta(seconds=15)  # an order without trouble has ended long before
CONCURRENT_CALLS = 8  # few, so that the checkout's calls are not delayed
OVERLAP = timedelta(minutes=1)  # of two runs that follow each other
SLICE = 5_000  # rows of ours read at a time
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


def compare_open_payments(row: Reconciliation, inspector: Inspector) -> bool:
    """Our open payments: changes without a webhook, and charges whose answer was lost."""
    payments = list(
        Payment.objects.filter(
            pk__gt=row.cursor or UUID(int=0),
            status__in=[S.CREATED, S.REQUIRES_ACTION, S.AUTHORIZED],
            asked_at__lt=inspector.ours.now - LOOK_AFTER,
            amount__gt=0,
        ).order_by("pk")[:PAGE]
    )
    if not payments:
        return True
    answers = _ask_for(inspector.gateway, payments)
    shown = [answer for answer in answers.values() if isinstance(answer, Intent)]
    settled = inspector.settle_all(shown)
    limit = FailureLimit(row)
    for payment in payments:
        answer = answers[payment.pk]
        with limit.inspecting(str(payment.intent_id or payment.pk)):
            if isinstance(answer, GatewayRefused) and answer.code == NO_SUCH_OBJECT:
                inspector.unknown(payment)
            elif isinstance(answer, GatewayError):
                raise answer
            elif answer is not None and may_differ(answer, settled.get(answer.id), inspector.ours):
                inspector.inspect(answer.id)
    row.cursor = str(payments[-1].pk)
    row.compared += len(payments)
    return len(payments) < PAGE


def _ask_for(
    gateway: Gateway, payments: Iterable[Payment]
) -> dict[UUID, Intent | GatewayError | None]:
    """The gateway's side of each payment: None when it shows none (yet), or the failure to ask."""

    def ask(payment: Payment) -> Intent | GatewayError | None:
        try:
            if payment.intent_id:
                return gateway.retrieve(payment.intent_id)
            # The search may lag. What it does not find yet, `recent` finds in the list.
            return gateway.search(payment_id=str(payment.pk))
        except GatewayError as error:
            return error

    payments = list(payments)
    with ThreadPoolExecutor(CONCURRENT_CALLS, thread_name_prefix="reconciler") as threads:
        return dict(zip([p.pk for p in payments], threads.map(ask, payments), strict=True))


def compare_discrepancies(row: Reconciliation, inspector: Inspector) -> bool:
    """Open discrepancies: whether the two sides still differ."""
    discrepancies = list(
        Discrepancy.objects.filter(state="open", pk__gt=row.cursor or UUID(int=0)).order_by("pk")[
            :CONCURRENT_CALLS
        ]
    )
    limit = FailureLimit(row)
    for discrepancy in discrepancies:
        with limit.inspecting(discrepancy.subject):
            inspector.inspect(discrepancy.subject)
        row.cursor = str(discrepancy.pk)
    row.compared += len(discrepancies)
    return len(discrepancies) < CONCURRENT_CALLS


def compare_changes(row: Reconciliation, inspector: Inspector) -> bool:
    """Refunds, cancellations and disputes of our payments, made by us or by others."""
    assert row.changed_since is not None, "a run has begun"
    since = row.changed_since - OVERLAP
    try:
        listed = inspector.gateway.list_changes(since=since, behind=row.cursor or None)
        changes = list(islice(listed, PAGE))
    except GatewayRefused as refused:
        return _restart_list(row, refused)
    ours = {
        payment.intent_id: payment
        for payment in Payment.objects.filter(intent_id__in=[c.intent_id for c in changes])
    }
    # Money without an order that was sent back: the bank may refuse it, days later.
    strays = set(
        Discrepancy.objects.filter(
            subject__in=[c.intent_id for c in changes], kind__in=RETURNED
        ).values_list("subject", flat=True)
    )
    limit = FailureLimit(row)
    inspected = set()
    for change in changes:
        payment = ours.get(change.intent_id)
        # Most changes were made by us and are in our books.
        known = change.closes and payment and payment.status in (S.VOIDED, S.REFUNDED)
        concerns_us = (payment is not None and not known) or (
            change.intent_id in strays and not change.closes
        )
        if concerns_us and change.intent_id not in inspected:
            inspected.add(change.intent_id)
            with limit.inspecting(change.intent_id):
                inspector.inspect(change.intent_id)
        row.cursor = change.id
    row.compared += len(inspected)
    return len(changes) < PAGE


def compare_listed(row: Reconciliation, inspector: Inspector) -> bool:
    """What the gateway lists in the span: all is compared; what may differ is inspected."""
    assert row.since is not None, "a run has begun"
    try:
        listed = inspector.gateway.list_intents(
            created_after=row.since, created_before=row.until, behind=row.cursor or None
        )
        intents = list(islice(listed, PAGE))
    except GatewayRefused as refused:
        return _restart_list(row, refused)
    if row.scope == Scope.ALL:
        SeenIntent.objects.bulk_create(
            [SeenIntent(intent_id=intent.id) for intent in intents], ignore_conflicts=True
        )
    settled = inspector.settle_all(intents)
    limit = FailureLimit(row)
    for intent in intents:
        if may_differ(intent, settled.get(intent.id), inspector.ours):
            with limit.inspecting(intent.id):
                inspector.inspect(intent.id)
        row.cursor = intent.id
    row.compared += len(intents)
    return len(intents) < PAGE


def compare_unlisted(row: Reconciliation, inspector: Inspector) -> bool:
    """Charges in our books that the gateway did not list."""
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
    limit = FailureLimit(row)
    for _, intent_id in rows[:-1]:
        with limit.inspecting(intent_id):
            inspector.inspect(intent_id)
    row.cursor = last or row.cursor
    return last is None


def _restart_list(row: Reconciliation, refused: GatewayRefused) -> bool:
    """Begin the list again: the gateway does not know the payment at which we stopped."""
    if refused.code != NO_SUCH_OBJECT or not row.cursor:
        raise refused
    row.cursor = ""
    return False
