"""Refunds: our own row is written first, then the gateway is asked, then the books are settled.

One purpose is one refund, however often it is requested. All refunds of a payment together never
exceed what was captured: the sum is checked under the payment's lock.

A refund whose answer was lost is requested again under the same idempotency key. Where the key does
not tell how the refund stands (the gateway has forgotten it, or repeats an old "pending"), the
gateway's list of the payment's refunds does. A key that repeats a stored failure, while the list
shows no refund, is replaced by a new one.

A refund that failed, or that used up its attempts, waits for staff (stopped_refunds.py). The
refunds of a cancellation do not: their saga tries again, and goes to review when it cannot.

A bank may refuse a refund days after the gateway called it done: the account is closed. Then the
money is back at the gateway, our books say so again (`_take_back`), and the refund waits for staff,
one of a cancellation too, because its saga has ended.
"""

import contextlib
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import DatabaseError, transaction
from django.db.models import F, Q, Sum
from django.db.models.functions import Now
from django.utils import timezone

from apps.core import dispatch, failpoints, leases
from apps.core.leases import LeasedTable
from apps.payments.gateway import (
    Gateway,
    GatewayCircuitOpen,
    GatewayOutcomeUnknown,
    GatewayRefund,
    GatewayRefused,
    GatewayThrottled,
    GatewayTransient,
    get_gateway,
)
from apps.payments.models import REFUND_ATTEMPTS_MAX, GatewayCall, Payment, Refund
from apps.payments.signals import refund_succeeded

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
MAX_ATTEMPTS = REFUND_ATTEMPTS_MAX
# Stripe forgets keys after 24 hours. Well before that, the list is read before a key is used again.
KEY_TRUSTED_FOR = timedelta(hours=20)
CANCELLATION = "cancellation"  # purpose of the refunds that the saga sends
# A spent key is replaced only when its last call is older than this: until then the gateway may
# still be working on it. A call times out after 8 s here, and after 80 s at the gateway.
NOTHING_COMES_AFTER = timedelta(minutes=2)
UNDER_WAY = ("pending", "requires_action")
failpoints.declare("refund", "before_ask", "after_ask", "before_commit", "after_commit")
SENDING = LeasedTable(
    table="payments_refund",
    key="id",
    key_type="uuid",
    # The saga sends the refunds of a cancellation itself.
    claimable=f"status = 'requested' AND NOT starts_with(purpose, '{CANCELLATION}')",
    lease=LEASE,
    attempts_max=MAX_ATTEMPTS,
)
# Both leave `due_at` at the end of the lease, which is their back-off.
UNSENT = SENDING.release_statement("message = %(message)s")
STILL_OPEN = SENDING.release_statement("message = %(message)s, attempts = t.attempts - 1")
OPEN_OR_DONE = Q(status__in=[Refund.Status.REQUESTED, Refund.Status.SUCCEEDED])


class RefundRefused(Exception):
    """The amount exceeds what is left of the payment, or nothing was captured."""


def request_refund(
    order_id: UUID,
    *,
    amount: int,
    purpose: str,
    reason: str,
    actor: str,
    payment_id: UUID | None = None,
) -> Refund:
    """Record a refund of `amount` minor units; a worker then sends it.

    payment_id: the attempt that was captured; None: the order's live one.

    The same purpose again returns the refund that is there. Raises RefundRefused.
    """
    with transaction.atomic():
        # Without this lock two partial refunds both see the whole rest.
        payment = _locked_of(order_id, payment_id)
        refund = open_refund(payment, amount=amount, purpose=purpose, reason=reason, actor=actor)
        transaction.on_commit(lambda: dispatch.enqueue_on_commit("payments.send_refunds"))
    return refund


def _locked_of(order_id: UUID, payment_id: UUID | None) -> Payment:
    locked = Payment.objects.select_for_update(no_key=True)
    if payment_id is not None:
        return locked.get(pk=payment_id)
    return locked.get(order_id=order_id, live=True)


def open_for_rest(payment: Payment, *, reason: str) -> Refund | None:
    """The cancellation's refund of all that is left of `payment`; the open one when there is one.

    One that failed stays failed under its key; the next try is a refund of its own.
    """
    with transaction.atomic():
        locked = Payment.objects.select_for_update(no_key=True).get(pk=payment.pk)
        earlier = list(Refund.objects.filter(payment=locked, purpose__startswith=CANCELLATION))
        for refund in earlier:
            if refund.status == Refund.Status.REQUESTED:
                return refund
        rest = refundable(locked)
        if rest <= 0:
            return None
        # The saga itself sends again what came back to it: no case for staff.
        Refund.objects.filter(
            payment=locked, purpose__startswith=CANCELLATION, came_back_at__isnull=False
        ).filter(resolved_at__isnull=True).update(
            resolution="sent again with the rest", resolved_by="saga", resolved_at=Now()
        )
        purpose = f"{CANCELLATION}:{len(earlier) + 1}" if earlier else CANCELLATION
        return open_refund(locked, amount=rest, purpose=purpose, reason=reason, actor="saga")


def refundable(payment: Payment) -> int:
    """What is left to refund, in minor units; open refunds are subtracted."""
    taken = payment.refunds.filter(OPEN_OR_DONE).aggregate(total=Sum("amount"))["total"] or 0
    return payment.captured_amount - taken


def open_refund(payment: Payment, *, amount: int, purpose: str, reason: str, actor: str) -> Refund:
    """Write the row of a refund; the payment's row is locked. Raises RefundRefused."""
    present = Refund.objects.filter(payment=payment, purpose=purpose).first()
    if present is not None:
        return present
    if amount <= 0 or amount > refundable(payment):
        raise RefundRefused(f"{amount} is more than the {refundable(payment)} left to refund")
    return Refund.objects.create(
        payment=payment, amount=amount, purpose=purpose, reason=reason[:255], actor=actor
    )


@dataclass(frozen=True, slots=True)
class Sent:
    """The gateway's answer about a refund: how it ended, or why that is not known yet.

    `spent`: nothing will ever come of `key`.
    """

    refund_id: UUID
    key: str
    refund: GatewayRefund | None = None
    transient: str = ""
    spent: bool = False


def ask(gateway: Gateway, refund: Refund, payment: Payment) -> Sent:
    """Ask the gateway for `refund`. Touches no database; raises what the gateway raises."""
    key = refund.key()
    sent: GatewayRefund | None = None
    if timezone.now() - refund.created_at > KEY_TRUSTED_FOR:
        # Under a forgotten key a partial refund would be paid a second time.
        sent = _find(gateway, refund, payment)
    try:
        sent = sent or gateway.refund(
            str(payment.intent_id),
            key=key,
            amount=refund.amount,
            currency=payment.currency,
            metadata={"refund_id": str(refund.pk), "payment_id": str(payment.pk)},
        )
    except GatewayOutcomeUnknown as unknown:
        if not unknown.replayed:
            raise
        sent = _find(gateway, refund, payment)
    except GatewayRefused:
        sent = _find(gateway, refund, payment)  # the key was forgotten, the refund is in the list
        if sent is None:
            raise
    if sent is not None and sent.status in UNDER_WAY:
        # A key always repeats the first answer; the list has the present state.
        sent = _find(gateway, refund, payment) or sent
    if sent is None:
        return Sent(refund.pk, key, transient="the gateway repeats a failure", spent=True)
    if sent.status in UNDER_WAY:
        return Sent(refund.pk, key, transient=f"refund is {sent.status}")
    return Sent(refund.pk, key, refund=sent)


def _find(gateway: Gateway, refund: Refund, payment: Payment) -> GatewayRefund | None:
    for sent in gateway.retrieve_refunds(str(payment.intent_id)):
        if sent.metadata.get("refund_id") == str(refund.pk):
            return sent
    return None


def exchange_spent_key(refund_id: UUID, key: str) -> None:
    """Take a new key when `key` is spent and older than NOTHING_COMES_AFTER."""
    refund = (
        Refund.objects.select_for_update(of=["self"]).select_related("payment").get(pk=refund_id)
    )
    asked = refund.payment.calls.filter(key=key, created_at__lt=Now() - NOTHING_COMES_AFTER)
    if refund.status == Refund.Status.REQUESTED and refund.key() == key and asked.exists():
        logger.warning("refund %s: %s is spent, a new key is taken", refund.pk, key)
        Refund.objects.filter(pk=refund_id).update(generation=F("generation") + 1)


def settle(refund_id: UUID, sent: GatewayRefund) -> bool:
    """Record how a refund ended, in the caller's transaction; False when that was known.

    `sent` is succeeded, failed or canceled. What failed stays failed.
    """
    succeeded = sent.status == "succeeded"
    status = Refund.Status.SUCCEEDED if succeeded else Refund.Status.FAILED
    refund = Refund.objects.select_related("payment").get(pk=refund_id)
    Payment.objects.select_for_update(no_key=True).get(pk=refund.payment_id)
    written = Refund.objects.filter(pk=refund_id, status=Refund.Status.REQUESTED).update(
        status=status, gateway_id=sent.id, settled_at=Now()
    )
    if written and succeeded:
        # At most once: the status has moved once, and a second report changes nothing.
        payments = Payment.objects.filter(pk=refund.payment_id)
        payments.update(refunded_amount=F("refunded_amount") + refund.amount, updated_at=Now())
        payments.filter(refunded_amount=F("captured_amount")).update(status=Payment.Status.REFUNDED)
        refund_succeeded.send(sender=Refund, refund=refund)
    if not written and not succeeded:
        written = _take_back(refund, sent)
    return bool(written)


def _take_back(refund: Refund, sent: GatewayRefund) -> int:
    """Undo a refund that had succeeded and failed later; its payment is locked. 0: none to undo."""
    gone_out = Refund.objects.filter(pk=refund.pk, status=Refund.Status.SUCCEEDED)
    written = gone_out.filter(Q(gateway_id=sent.id) | Q(gateway_id__isnull=True)).update(
        status=Refund.Status.FAILED,
        message=f"It had gone through, and came back: {sent.failure or sent.status}."[:255],
        came_back_at=Now(),
        # A decision about the refund as it was before says nothing about this.
        resolution="",
        resolved_by="",
        resolved_at=None,
    )
    if written:
        # At most once, like its way out: the status has moved once.
        logger.warning("refund %s (%s) came back: %s", refund.pk, sent.id, sent.status)
        payments = Payment.objects.filter(pk=refund.payment_id)
        payments.update(refunded_amount=F("refunded_amount") - refund.amount, updated_at=Now())
        payments.filter(status=Payment.Status.REFUNDED).update(status=Payment.Status.CAPTURED)
    return written


def adopt(payment_id: UUID, sent: GatewayRefund, *, actor: str, reason: str) -> Refund:
    """Record a refund that was made at the gateway itself, in the caller's transaction.

    The same refund again returns the row that is there. Raises RefundRefused when it exceeds
    what is left.
    """
    payment = Payment.objects.select_for_update(no_key=True).get(pk=payment_id)
    purpose = f"gateway:{sent.id}"
    refund = open_refund(payment, amount=sent.amount, purpose=purpose, reason=reason, actor=actor)
    settle(refund.pk, sent)
    return refund


def send_due(limit: int = 50) -> int:
    """Send refunds that staff or returns requested, one round; how many were claimed.

    Run by a worker; safe to run twice at once.
    """
    claimed = 0
    for most, crashed in leases.one_round(limit):
        claims = {key: fence for key, fence, _ in SENDING.claim(limit=most, crashed=crashed)}
        due = Refund.objects.filter(pk__in=claims).select_related("payment").order_by("pk")
        for refund in due:
            try:
                _send(refund, claims[refund.pk])
            except Exception as error:  # a failure must not stop the others
                logger.exception("refund %s could not be sent", refund.pk)
                message = f"{type(error).__name__}: {error}"[:255]
                with contextlib.suppress(DatabaseError):
                    SENDING.write(UNSENT, [(refund.pk, claims[refund.pk])], message=message)
        claimed += len(claims)
    return claimed


def _send(refund: Refund, fence: datetime) -> None:
    payment = refund.payment
    outcome, detail, sent, asked = "answered", "", None, True
    failpoints.reach("refund", "before_ask")
    try:
        sent = ask(get_gateway().admit(), refund, payment)
        detail = sent.transient or (sent.refund.status if sent.refund else "")
    except GatewayTransient as trouble:
        outcome, detail = "retry", f"{type(trouble).__name__}: {trouble}"
        asked = not isinstance(trouble, (GatewayCircuitOpen, GatewayThrottled))
    except GatewayRefused as no:
        outcome, detail = "refused", str(no)
    failpoints.reach("refund", "after_ask")
    with transaction.atomic():
        if sent is not None and sent.refund is not None:
            settle(refund.pk, sent.refund)
        elif outcome == "refused":
            # Without a fence, like `settle`: the answer is true, whichever worker has the claim.
            Refund.objects.filter(pk=refund.pk, status=Refund.Status.REQUESTED).update(
                status=Refund.Status.FAILED, message=detail[:255], settled_at=Now()
            )
        else:
            # Not finished, and not its own fault: a long outage must not use up the attempts.
            SENDING.write(STILL_OPEN, [(refund.pk, fence)], message=detail[:255])
            if sent is not None and sent.spent:
                exchange_spent_key(refund.pk, sent.key)
        if asked:
            GatewayCall.objects.create(
                payment=payment,
                purpose="refund",
                key=refund.key(),
                outcome=outcome,
                detail=detail[:255],
            )
        failpoints.reach("refund", "before_commit")
    failpoints.reach("refund", "after_commit")
