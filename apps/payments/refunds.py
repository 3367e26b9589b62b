"""Money going back: a row of ours first, then the gateway, then the books.

However often and from wherever a refund is asked for, one purpose is one refund, and all refunds
of a payment together never pass what was captured: the sum is checked under the payment's lock.

A refund whose answer was lost is asked for again under its own key. What the key cannot tell (it
was forgotten, or repeats an old "pending") the gateway's list of the payment's refunds does. A key
that repeats a stored failure, and under which the list shows nothing, is exchanged for a new one.

A refund that failed, or that no attempt brings to an end, waits for a person: `retry` or `resolve`.
The refunds of a cancellation do not: their saga tries anew, and stands in review when it cannot.
"""

import contextlib
import logging
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import DatabaseError, transaction
from django.db.models import F, Q, QuerySet, Sum
from django.db.models.functions import Now
from django.utils import timezone

from apps.desk import log
from apps.payments.gateway import (
    Gateway,
    GatewayCircuitOpen,
    GatewayOutcomeUnknown,
    GatewayRefund,
    GatewayRefused,
    GatewayTransient,
    get_gateway,
)
from apps.payments.models import REFUND_ATTEMPTS_MAX, GatewayCall, Payment, Refund
from storefront import bells, failpoints

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
MAX_ATTEMPTS = REFUND_ATTEMPTS_MAX
KIND = "refund"  # as the desk knows it
# Stripe forgets keys after 24 hours. Long before that we stop trusting them and look first.
KEY_TRUSTED_FOR = timedelta(hours=20)
CANCELLATION = "cancellation"  # purpose of the refunds that the saga sends
# How long ago a spent key must have been asked for before nobody believes any more that the
# gateway still works on it. A call is given up after 8 s here, and after 80 s there.
NOTHING_COMES_AFTER = timedelta(minutes=2)
AGAIN = "#"  # in a purpose, which try it is: return:<id>, return:<id>#1, …
UNDER_WAY = ("pending", "requires_action")
failpoints.declare("refund", "before_ask", "after_ask", "before_commit", "after_commit")
OPEN_OR_DONE = Q(status__in=[Refund.Status.REQUESTED, Refund.Status.SUCCEEDED])


class RefundRefused(Exception):
    """More than is left of the payment, or nothing was captured."""


class NotStopped(Exception):
    """Only a refund that stopped, and that nobody has decided about, is decided about."""

    def __init__(self) -> None:
        super().__init__("This refund does not wait for a decision (any more).")


def request_refund(order_id: UUID, *, amount: int, purpose: str, reason: str, actor: str) -> Refund:
    """Write a refund of `amount` minor units down; a worker then sends it.

    The same purpose again returns the refund that is there. Raises RefundRefused.
    """
    with transaction.atomic():
        # Without this lock two partial refunds both see the whole rest.
        payment = Payment.objects.select_for_update(no_key=True).get(order_id=order_id)
        refund = _open(payment, amount=amount, purpose=purpose, reason=reason, actor=actor)
        transaction.on_commit(lambda: bells.ring("payments.send_refunds"))
    return refund


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
        purpose = f"{CANCELLATION}:{len(earlier) + 1}" if earlier else CANCELLATION
        return _open(locked, amount=rest, purpose=purpose, reason=reason, actor="saga")


def refundable(payment: Payment) -> int:
    """What is left to refund, refunds on their way taken off."""
    taken = payment.refunds.filter(OPEN_OR_DONE).aggregate(total=Sum("amount"))["total"] or 0
    return payment.captured_amount - taken


def _open(payment: Payment, *, amount: int, purpose: str, reason: str, actor: str) -> Refund:
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
    """What the gateway said to a refund: how it ended, or why that is not known yet.

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
        # A part of the payment could be refunded again under a forgotten key.
        sent = _find(gateway, refund, payment)
    try:
        sent = sent or gateway.refund(
            str(payment.intent_id),
            key=key,
            amount=refund.amount,
            metadata={"refund_id": str(refund.pk), "payment_id": str(payment.pk)},
        )
    except GatewayOutcomeUnknown as unknown:
        if not unknown.replayed:
            raise
        sent = _find(gateway, refund, payment)
    except GatewayRefused:
        sent = _find(gateway, refund, payment)  # key forgotten, refunded long ago: it is there
        if sent is None:
            raise
    if sent is not None and sent.status in UNDER_WAY:
        # The key repeats for ever what was true at first; the list tells how it stands now.
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
    """A new key, when `key` is spent and was asked for so long ago that nothing can come of it."""
    refund = (
        Refund.objects.select_for_update(of=["self"]).select_related("payment").get(pk=refund_id)
    )
    asked = refund.payment.calls.filter(key=key, created_at__lt=Now() - NOTHING_COMES_AFTER)
    if refund.status == Refund.Status.REQUESTED and refund.key() == key and asked.exists():
        logger.warning("refund %s: %s is spent, a new key is taken", refund.pk, key)
        Refund.objects.filter(pk=refund_id).update(generation=F("generation") + 1)


def settle(refund_id: UUID, sent: GatewayRefund) -> bool:
    """Write down how a refund ended, in the caller's transaction; False when it was known."""
    succeeded = sent.status == "succeeded"
    status = Refund.Status.SUCCEEDED if succeeded else Refund.Status.FAILED
    refund = Refund.objects.select_related("payment").get(pk=refund_id)
    Payment.objects.select_for_update(no_key=True).get(pk=refund.payment_id)
    written = Refund.objects.filter(pk=refund_id, status=Refund.Status.REQUESTED).update(
        status=status, gateway_id=sent.id, settled_at=Now()
    )
    if written and succeeded:
        # Once, because the status moved once: a second report changes nothing.
        payments = Payment.objects.filter(pk=refund.payment_id)
        payments.update(refunded_amount=F("refunded_amount") + refund.amount, updated_at=Now())
        payments.filter(refunded_amount=F("captured_amount")).update(status=Payment.Status.REFUNDED)
    return bool(written)


def adopt(order_id: UUID, sent: GatewayRefund, *, actor: str, reason: str) -> Refund:
    """Take a refund that somebody made at the gateway into our books, in the caller's transaction.

    The same one again is the refund that is there. Raises RefundRefused when it passes what is
    left.
    """
    payment = Payment.objects.select_for_update(no_key=True).get(order_id=order_id)
    purpose = f"gateway:{sent.id}"
    refund = _open(payment, amount=sent.amount, purpose=purpose, reason=reason, actor=actor)
    settle(refund.pk, sent)
    return refund


def send_due(limit: int = 50) -> int:
    """Send refunds that people or returns asked for. A worker's job; safe to run twice at once."""
    with transaction.atomic():
        due = list(
            Refund.objects.select_for_update(skip_locked=True)
            .filter(status=Refund.Status.REQUESTED, due_at__lte=Now(), attempts__lt=MAX_ATTEMPTS)
            .exclude(purpose__startswith=CANCELLATION)  # the saga sends those
            .order_by("due_at")[:limit]
        )
        Refund.objects.filter(pk__in=[r.pk for r in due]).update(
            due_at=Now() + LEASE, attempts=F("attempts") + 1
        )
    for refund in due:
        try:
            _send(refund)
        except Exception as error:  # the others must not wait for this one
            logger.exception("refund %s could not be sent", refund.pk)
            with contextlib.suppress(DatabaseError):
                Refund.objects.filter(pk=refund.pk, status=Refund.Status.REQUESTED).update(
                    message=f"{type(error).__name__}: {error}"[:255]
                )
    return len(due)


def _send(refund: Refund) -> None:
    payment = refund.payment
    outcome, detail, sent, asked = "answered", "", None, True
    failpoints.reach("refund", "before_ask")
    try:
        sent = ask(get_gateway().let_through(), refund, payment)
        detail = sent.transient or (sent.refund.status if sent.refund else "")
    except GatewayTransient as trouble:
        outcome, detail = "retry", f"{type(trouble).__name__}: {trouble}"
        asked = not isinstance(trouble, GatewayCircuitOpen)
    except GatewayRefused as no:
        outcome, detail = "refused", str(no)
    failpoints.reach("refund", "after_ask")
    open_refund = Refund.objects.filter(pk=refund.pk, status=Refund.Status.REQUESTED)
    with transaction.atomic():
        if sent is not None and sent.refund is not None:
            settle(refund.pk, sent.refund)
        elif outcome == "refused":
            open_refund.update(status=Refund.Status.FAILED, message=detail[:255], settled_at=Now())
        else:
            # Not over yet and nobody's fault: a long outage must not use up the attempts.
            open_refund.update(message=detail[:255], attempts=F("attempts") - 1)
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


# --- What stopped -------------------------------------------------------------------------------


def stopped() -> QuerySet[Refund]:
    """Refunds that failed or ran out of attempts, and that nobody has decided about."""
    exhausted = Q(status=Refund.Status.REQUESTED, attempts__gte=MAX_ATTEMPTS)
    return Refund.objects.filter(
        exhausted | Q(status=Refund.Status.FAILED),
        # As the partial index says it; the database does not see that this follows.
        status__in=[Refund.Status.REQUESTED, Refund.Status.FAILED],
        resolved_at__isnull=True,
    ).exclude(purpose__startswith=CANCELLATION)


def retry(refund_id: UUID, *, actor: str, reason: str) -> Refund:
    """Send it again; the refund that is now on its way.

    One whose outcome is unknown gets fresh attempts under its own key. One that the gateway let
    fail is over for good: another row, with a key of its own, takes its place. Raises NotStopped,
    ReasonMissing, and RefundRefused when its money has gone back otherwise meanwhile.
    """
    with transaction.atomic():
        refund = _locked_stopped(refund_id, actor, reason)
        again = refund
        if refund.status == Refund.Status.REQUESTED:
            Refund.objects.filter(pk=refund.pk).update(attempts=0, due_at=Now())
        else:
            base = refund.purpose.partition(AGAIN)[0]
            tries = refund.payment.refunds.filter(purpose__startswith=base).count()
            again = _open(
                refund.payment,
                amount=refund.amount,
                purpose=f"{base}{AGAIN}{tries}",
                reason=refund.reason,
                actor=actor,
            )
            _resolve(refund, actor, f"sent again: {reason}")
        _record(refund, log.RETRY, actor, reason)
        transaction.on_commit(lambda: bells.ring("payments.send_refunds"))
    return again


def resolve(refund_id: UUID, *, actor: str, reason: str) -> Refund:
    """Send it no more: she was paid otherwise. Raises NotStopped, ReasonMissing.

    One whose outcome is unknown stays on its way in the books: should the gateway have paid it
    after all, the webhook finds it there.
    """
    with transaction.atomic():
        refund = _locked_stopped(refund_id, actor, reason)
        _resolve(refund, actor, reason)
        _record(refund, log.RESOLVE, actor, reason)
    return refund


def _locked_stopped(refund_id: UUID, actor: str, reason: str) -> Refund:
    log.checked(actor, reason)
    # The payment first, as everybody who refunds; what is true then decides.
    payments = Payment.objects.select_for_update(no_key=True, of=("self",))
    payment = payments.filter(refunds=refund_id).first()
    refund = stopped().filter(pk=refund_id).first()
    if payment is None or refund is None:
        raise NotStopped
    refund.payment = payment
    return refund


def _resolve(refund: Refund, actor: str, reason: str) -> None:
    Refund.objects.filter(pk=refund.pk).update(
        resolution=reason.strip()[:255], resolved_by=actor.strip()[:254], resolved_at=Now()
    )


def _record(refund: Refund, decision: str, actor: str, reason: str) -> None:
    log.record(
        KIND, refund.pk, decision, actor=actor, reason=reason, order_id=refund.payment.order_id
    )
