"""Returns money without an order: what is authorized is voided, what is captured is refunded, once.

    1. the discrepancy's row says that a return is attempted: committed before the gateway is asked
    2. the gateway is asked, under a key made from the row and the number of the attempt
    3. the answer is added to the row's history

A process may die between any two without harm: the next run reads both sides again and asks under
the same key. A day later, when the gateway has forgotten the key, the refund is found in the
gateway's list first; and the gateway never refunds more than it captured.
"""

import logging
from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from apps.core import failpoints
from apps.core.money import for_people
from apps.payments import database_identity, refunds
from apps.payments.gateway import (
    Gateway,
    GatewayOutcomeUnknown,
    GatewayRefund,
    GatewayRefused,
    Intent,
    IntentStatus,
)
from apps.payments.models import Discrepancy, Payment
from apps.payments.reconciler.discrepancies import RECONCILER, Kind, State, remember
from apps.payments.reconciler.two_sides import MAY_COME_ALIVE, kept

logger = logging.getLogger(__name__)

# More charges without an order than this in a day mean that our books are wrong (a backup was
# restored): then staff decide what is returned.
MOST_A_DAY = 20
failpoints.declare("reconcile.claim", "after_commit")
failpoints.declare("reconcile.return", "before_ask", "after_ask", "before_commit", "after_commit")


def return_money(
    gateway: Gateway,
    row: Discrepancy,
    intent: Intent,
    there: Sequence[GatewayRefund],
    payment: Payment | None,
) -> bool:
    """Return the money that `row` is about; True when the payment has to be read again.

    `intent` and `there` (its refunds) are as read just before. Raises the gateway's failures that
    are worth a new attempt.
    """
    if intent.status == IntentStatus.PROCESSING:
        return False  # the gateway does not know yet what there is to return
    if why := database_identity.why_readonly():
        _record(row, f"Not given back: {why}.")
        return False
    if not _begin(row):
        _record(
            row, f"Not given back by itself: more than {MOST_A_DAY} today. Are our books whole?"
        )
        return False
    if row.kind == Kind.GIVEN_UP and payment is not None and payment.captured_amount:
        return _by_our_books(row, payment)
    if any(_of_this_try(row, sent) for sent in there):
        return _record_earlier(row, there)
    failpoints.reach("reconcile.return", "before_ask")
    try:
        what = _ask(gateway, row, intent, there)
    except GatewayRefused as refused:
        what = f"The gateway refused: {refused.message}"
    except GatewayOutcomeUnknown as unknown:
        if not unknown.replayed:
            raise
        # This key repeats its failure for ever, and the money is still there. A new key cannot
        # refund twice: all that is left is refunded, and the gateway has no more.
        what = "The gateway failed; tried again under a new key."
        row.tries += 1
    failpoints.reach("reconcile.return", "after_ask")
    _record(row, what)
    return True


def _begin(row: Discrepancy) -> bool:
    if row.tries:
        return True  # begun by a run that died, or by a decision of staff
    today = Discrepancy.objects.filter(asked_at__gte=Now() - timedelta(days=1)).count()
    if today >= MOST_A_DAY:
        return False
    begun = Discrepancy.objects.filter(pk=row.pk, state=State.OPEN, tries=0).update(
        tries=F("tries") + 1, asked_at=Now()
    )
    failpoints.reach("reconcile.claim", "after_commit")
    row.tries += begun
    return bool(begun)


def _ask(gateway: Gateway, row: Discrepancy, intent: Intent, there: Sequence[GatewayRefund]) -> str:
    if intent.status in MAY_COME_ALIVE:
        gateway.void(intent.id, key=key(row, "void"))
        return f"{intent.id} was cancelled; {_amount(intent.amount, intent)} are free again."
    amount = kept(intent, there)
    sent = gateway.refund(
        intent.id,
        key=key(row, "refund"),
        amount=amount,
        currency=intent.currency,
        metadata={"discrepancy_id": str(row.pk), "try": str(row.tries)},
    )
    return f"{_amount(amount, intent)} were sent back: {sent.id}, {sent.status}."


def key(row: Discrepancy, purpose: str) -> str:
    """The gateway's idempotency key, from our own row."""
    return f"discrepancy:{row.pk}:{purpose}:{row.tries}"


def _by_our_books(row: Discrepancy, payment: Payment) -> bool:
    """It was captured for a payment of ours: the refund is a row of ours, too."""
    try:
        refund = refunds.request_refund(
            payment.order_id,
            amount=max(1, refunds.refundable(payment)),
            purpose=f"discrepancy:{row.pk}:{row.tries}",
            reason=row.why,
            actor=RECONCILER,
            payment_id=payment.pk,
        )
    except refunds.RefundRefused:
        return False  # it is under way already
    _record(row, f"A refund of {for_people(refund.amount, payment.currency)} was asked for.")
    return False


def _of_this_try(row: Discrepancy, sent: GatewayRefund) -> bool:
    return (sent.metadata.get("discrepancy_id"), sent.metadata.get("try")) == (
        str(row.pk),
        str(row.tries),
    )


def _record_earlier(row: Discrepancy, there: Sequence[GatewayRefund]) -> bool:
    """Add the state of a refund that was sent before: it is under way, or it failed."""
    for sent in there:
        if _of_this_try(row, sent):
            _record(row, f"The refund {sent.id} is {sent.status}.")
    return False


def _record(row: Discrepancy, what: str) -> None:
    """Add `what` to the row's history, unless it is the last line already."""
    if row.history and row.history[-1]["what"] == what:
        return
    remember(row, what)
    logger.warning("discrepancy %s of %s: %s", row.kind, row.subject, what)
    with transaction.atomic():
        Discrepancy.objects.filter(pk=row.pk).update(history=row.history, tries=row.tries)
        failpoints.reach("reconcile.return", "before_commit")
    failpoints.reach("reconcile.return", "after_commit")


def _amount(minor: int, intent: Intent) -> str:
    return for_people(minor, intent.currency)
