"""Refunds that failed, came back or used up their attempts: staff send them again or close them."""

from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from apps.backoffice import decision_log
from apps.core import dispatch
from apps.payments.models import REFUND_ATTEMPTS_MAX, Payment, Refund
from apps.payments.refunds import CANCELLATION, open_refund

KIND = "refund"  # the name of these cases in the back office
CAME_BACK = "came back:"  # in a purpose, before that of a cancellation
AGAIN = "#"  # in a purpose, before the number of the attempt: return:<id>, return:<id>#1, …


class NotStopped(Exception):
    """The refund is not stopped, or staff have already decided about it."""

    def __init__(self) -> None:
        super().__init__("This refund does not wait for a decision (any more).")


def stopped() -> QuerySet[Refund]:
    """Refunds that failed or used up their attempts, without a decision of staff.

    Those of a cancellation only where they came back: until then their saga tries again.
    """
    exhausted = Q(status=Refund.Status.REQUESTED, attempts__gte=REFUND_ATTEMPTS_MAX)
    return Refund.objects.filter(
        exhausted | Q(status=Refund.Status.FAILED),
        # Follows from the condition above; PostgreSQL needs it to use the partial index.
        status__in=[Refund.Status.REQUESTED, Refund.Status.FAILED],
        resolved_at__isnull=True,
    ).exclude(purpose__startswith=CANCELLATION, came_back_at__isnull=True)


def retry(refund_id: UUID, *, actor: str, reason: str) -> Refund:
    """Send it again; returns the refund that is now open.

    A refund whose outcome is unknown gets new attempts under its own key. One that failed at the
    gateway stays failed: another row, with a key of its own, takes its place. Raises NotStopped,
    ReasonMissing, and RefundRefused when its money has gone back otherwise meanwhile.
    """
    with transaction.atomic():
        refund = _locked_stopped(refund_id, actor, reason)
        again = refund
        if refund.status == Refund.Status.REQUESTED:
            Refund.objects.filter(pk=refund.pk).update(attempts=0, crashed_claims=0, due_at=Now())
        else:
            base = refund.purpose.partition(AGAIN)[0]
            if base.startswith(CANCELLATION):
                base = f"{CAME_BACK}{base}"  # its saga has ended, which would have sent it
            again_and_again = refund.payment.refunds.filter(purpose__startswith=base + AGAIN)
            tries = again_and_again.count() + 1
            again = open_refund(
                refund.payment,
                amount=refund.amount,
                purpose=f"{base}{AGAIN}{tries}",
                reason=refund.reason,
                actor=actor,
            )
            _resolve(refund, actor, f"sent again: {reason}")
        _record(refund, decision_log.RETRY, actor, reason)
        transaction.on_commit(lambda: dispatch.enqueue_on_commit("payments.send_refunds"))
    return again


def resolve(refund_id: UUID, *, actor: str, reason: str) -> Refund:
    """Stop sending it: the shopper was paid in another way. Raises NotStopped, ReasonMissing.

    A refund whose outcome is unknown stays open in the books: should the gateway have paid it after
    all, its webhook still settles it.
    """
    with transaction.atomic():
        refund = _locked_stopped(refund_id, actor, reason)
        _resolve(refund, actor, reason)
        _record(refund, decision_log.RESOLVE, actor, reason)
    return refund


def _locked_stopped(refund_id: UUID, actor: str, reason: str) -> Refund:
    decision_log.checked(actor, reason)
    # The payment is locked first, as for all refunds; the state under its lock decides.
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
    decision_log.record(
        KIND, refund.pk, decision, actor=actor, reason=reason, order_id=refund.payment.order_id
    )
