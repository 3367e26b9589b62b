"""Money without an order goes back: reserved is cancelled, taken is refunded, once.

    1. the discrepancy's row is there, and says that it is tried: committed before anybody is asked
    2. the gateway is asked, under a key made from the row and the try
    3. what it said goes into the row's history

Dying between any two is harmless: the next run looks anew, and asks under the same key. Whoever
comes a day later, when the key is forgotten, sees the refund in the gateway's list first; and the
gateway never gives back more than it took.
"""

import logging
from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from apps.payments import refunds
from apps.payments.gateway import (
    Gateway,
    GatewayOutcomeUnknown,
    GatewayRefund,
    GatewayRefused,
    Intent,
    IntentStatus,
)
from apps.payments.models import Discrepancy, Payment
from apps.payments.reconciler.comparing import MAY_COME_ALIVE, kept
from apps.payments.reconciler.discrepancies import OURSELVES, Kind, State, remember
from storefront import failpoints
from storefront.money import for_people

logger = logging.getLogger(__name__)

# More charges without an order than this in a day, and it is our books that are wrong (a backup
# was restored): then a person says what is to go back.
MOST_A_DAY = 20
failpoints.declare("reconcile.claim", "after_commit")
failpoints.declare("reconcile.return", "before_ask", "after_ask", "before_commit", "after_commit")


def give_back(
    gateway: Gateway,
    row: Discrepancy,
    intent: Intent,
    there: Sequence[GatewayRefund],
    payment: Payment | None,
) -> bool:
    """Give back what `row` is about; True when it is worth looking how it stands now.

    `intent` and `there` are as they were a moment ago. Raises what the gateway raises when it may
    heal by itself.
    """
    if intent.status == IntentStatus.PROCESSING:
        return False  # the gateway does not know yet what there is to give back
    if not _begin(row):
        _tell(row, f"Not given back by itself: more than {MOST_A_DAY} today. Are our books whole?")
        return False
    if row.kind == Kind.GIVEN_UP and payment is not None and payment.captured_amount:
        return _by_our_books(row, payment)
    if any(_of_this_try(row, sent) for sent in there):
        return _tell_of_earlier(row, there)
    failpoints.reach("reconcile.return", "before_ask")
    try:
        what = _ask(gateway, row, intent, there)
    except GatewayRefused as no:
        what = f"The gateway refused: {no.message}"
    except GatewayOutcomeUnknown as unknown:
        if not unknown.replayed:
            raise
        # This key repeats its failure for ever, and the money is there still. No second refund
        # can come of a new one: all that is left goes back, and the gateway has no more.
        what = "The gateway failed; tried again under a new key."
        row.tries += 1
    failpoints.reach("reconcile.return", "after_ask")
    _tell(row, what)
    return True


def _begin(row: Discrepancy) -> bool:
    if row.tries:
        return True  # begun by a run that died, or by a person's word
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
        metadata={"discrepancy_id": str(row.pk), "try": str(row.tries)},
    )
    return f"{_amount(amount, intent)} were sent back: {sent.id}, {sent.status}."


def key(row: Discrepancy, purpose: str) -> str:
    """The gateway's idempotency key, from our own row."""
    return f"discrepancy:{row.pk}:{purpose}:{row.tries}"


def _by_our_books(row: Discrepancy, payment: Payment) -> bool:
    """It was taken for a payment of ours: the refund is one of ours, too."""
    try:
        refund = refunds.request_refund(
            payment.order_id,
            amount=max(1, refunds.refundable(payment)),
            purpose=f"discrepancy:{row.pk}:{row.tries}",
            reason=row.why,
            actor=OURSELVES,
        )
    except refunds.RefundRefused:
        return False  # it is on its way already
    _tell(row, f"A refund of {for_people(refund.amount, payment.currency)} was asked for.")
    return False


def _of_this_try(row: Discrepancy, sent: GatewayRefund) -> bool:
    return (sent.metadata.get("discrepancy_id"), sent.metadata.get("try")) == (
        str(row.pk),
        str(row.tries),
    )


def _tell_of_earlier(row: Discrepancy, there: Sequence[GatewayRefund]) -> bool:
    """What became of a refund that was sent before: it is under way, or it came to nothing."""
    for sent in there:
        if _of_this_try(row, sent):
            _tell(row, f"The refund {sent.id} is {sent.status}.")
    return False


def _tell(row: Discrepancy, what: str) -> None:
    """Into the row's history; the same again is not news."""
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
