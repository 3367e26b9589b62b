"""The review queue: orders that can go neither forward nor back, and what a person decides.

retry     continue where it stopped, with fresh attempts
undo      turn back and undo everything done so far
accept    what was captured of the payment counts as all of it: the order goes on
resolve   settled by hand outside the shop: the saga ends here

Resolving ends the saga for good, so nothing releases what the order still holds. An order that is
neither sold and paid, nor cancelled with nothing held, is not resolved (StillOpen names what is
open), unless the person asks to release the rest: then stock and promo codes go back and the order
is cancelled. Money is never released here: what is reserved or taken at the gateway has to be
voided or refunded there first, and our payment row has to show it.

Each decision is kept with actor and reason (apps/backoffice).
"""

from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from apps.backoffice import decision_log
from apps.core import dispatch
from apps.inventory import holds
from apps.inventory.models import Hold
from apps.orders.errors import NotInReview, StillOpen
from apps.orders.models import Order, Saga
from apps.orders.saga.steps import undo_from
from apps.orders.saga.undone import BY_STAFF, complete
from apps.orders.status import SOLD, UNDOABLE
from apps.payments import ledger
from apps.payments.facts import PaymentFact
from apps.payments.models import Payment
from apps.promos import redeem
from apps.promos.models import Redemption
from apps.shipping import parcels

KIND = "saga"  # of the review case (apps/backoffice)
ACCEPT_PART = "accept_part"  # in the decision log; the audit looks for it there
S = Order.Status
P = Payment.Status


def waiting() -> QuerySet[Saga]:
    """The queue."""
    return Saga.objects.filter(state=Saga.State.REVIEW)


def retry(order_id: UUID, *, actor: str, reason: str) -> None:
    """Let the worker try again. Raises NotInReview, ReasonMissing."""
    with transaction.atomic():
        saga = _locked(order_id)
        state = saga.reviewed_from or Saga.State.FORWARD
        _decide(saga, decision_log.RETRY, actor, reason, state=state, attempts=0, due_at=Now())


def undo(order_id: UUID, *, actor: str, reason: str) -> None:
    """Turn the saga back and undo the order. Raises NotInReview, ReasonMissing."""
    with transaction.atomic():
        saga = _locked(order_id)
        _decide(
            saga,
            decision_log.UNDO,
            actor,
            reason,
            state=Saga.State.UNDOING,
            step=saga.step if saga.reviewed_from == Saga.State.UNDOING else undo_from(saga.step),
            attempts=0,
            due_at=Now(),
            cancel_reason=saga.cancel_reason or BY_STAFF.code,
            cancel_requested_by=saga.cancel_requested_by or actor,
        )


def accept_part(order_id: UUID, *, actor: str, reason: str) -> None:
    """Let the order go on for the part of its total that was captured.

    Raises NotInReview (also where nothing, or all, was captured, or the order is being undone),
    ReasonMissing.
    """
    with transaction.atomic():
        saga = _locked(order_id)
        if saga.reviewed_from == Saga.State.UNDOING or not ledger.accept_part(order_id):
            raise NotInReview
        _decide(
            saga,
            ACCEPT_PART,
            actor,
            reason,
            state=Saga.State.FORWARD,
            attempts=0,
            due_at=Now(),
        )


def resolve(order_id: UUID, *, actor: str, reason: str, let_go: bool = False) -> None:
    """Close the case: a person has settled it. Raises NotInReview, ReasonMissing, StillOpen.

    let_go: release what the order still holds, stock and promo codes, and cancel it.
    """
    decision_log.checked(actor, reason)
    with transaction.atomic():
        saga = _locked(order_id)
        if let_go:
            _let_go(saga, actor)
        open_ends = still_open(order_id)
        if open_ends:
            raise StillOpen(open_ends)
        cancelled = Order.objects.filter(pk=order_id, status=S.CANCELLED).exists()
        _decide(
            saga,
            decision_log.RESOLVE,
            actor,
            reason,
            state=Saga.State.UNDONE if cancelled else Saga.State.DONE,
            due_at=None,
            # It stays a sale: this decision answers a request to cancel it.
            cancel_requested_at=saga.cancel_requested_at if cancelled else None,
            cancel_requested_by=saga.cancel_requested_by if cancelled else "",
            cancel_reason=saga.cancel_reason if cancelled else "",
        )


def still_open(order_id: UUID) -> list[str]:
    """What would stay open for ever if the saga ended now, in words for staff; empty: nothing.

    Invariants 8 and 9 (docs/invariants.md).
    """
    status = Order.objects.values_list("status", flat=True).get(pk=order_id)
    held = set(Hold.objects.filter(order_id=order_id).values_list("state", flat=True))
    attempts = list(Payment.objects.filter(order_id=order_id).order_by("attempt"))
    payment = next((attempt for attempt in attempts if attempt.live), None)
    found = []
    if Hold.State.ACTIVE in held:
        found.append("units are still held for it")
    if status in SOLD:
        if held - {Hold.State.ACTIVE, Hold.State.CONFIRMED}:
            found.append(f"the order is {status}, but its units are back on the shelf")
        if payment is not None and payment.status not in (P.CAPTURED, P.REFUNDED):
            found.append(f"the order is {status}, but its payment is {payment.status}")
        return found
    if status != S.CANCELLED:
        found.append(f"the order is {status}: neither confirmed nor cancelled")
    if Hold.State.CONFIRMED in held:
        found.append("units have left the shelf for it")
    for attempt in attempts:
        found += _open_money(attempt)
    if Redemption.objects.filter(order_id=order_id, live=True).exists():
        found.append("its promo code counts as used")
    return found


def _open_money(payment: Payment) -> list[str]:
    """The shopper's money that we hold or may hold, in words for staff."""
    if payment.status in (P.VOIDED, P.REFUNDED) or payment.amount == 0:
        return []
    if payment.captured_amount > payment.refunded_amount:
        return ["the money was taken and not given back: refund it, or try again"]
    if payment.status == P.AUTHORIZED:
        return ["the money is reserved at the bank: undo the order, or call it back at the gateway"]
    if payment.intent_id:
        return [f"the gateway has a payment that is {payment.status}: call it back there"]
    return ["the gateway was asked for the payment, and what it did is not known"]


def _let_go(saga: Saga, actor: str) -> None:
    """Do here what the undo steps do, and cancel the order. Raises StillOpen."""
    order_id = saga.pk
    attempts = list(
        Payment.objects.select_for_update(no_key=True).filter(order_id=order_id).order_by("pk")
    )
    order = Order.objects.get(pk=order_id)
    if order.status not in (*UNDOABLE, S.CANCELLED):
        raise StillOpen([f"the order is {order.status}: it cannot be cancelled any more"])
    open_money = [
        what for attempt in attempts if not _never_there(attempt) for what in _open_money(attempt)
    ]
    if open_money:
        raise StillOpen(open_money)
    # The person has checked: the gateway has no such payment, or it was declined.
    ledger.settle(
        PaymentFact(attempt.pk, P.VOIDED)
        for attempt in attempts
        if attempt.status not in (P.VOIDED, P.REFUNDED)
    )
    saga.cancel_reason = saga.cancel_reason or BY_STAFF.code
    saga.cancel_requested_by = saga.cancel_requested_by or actor
    saga.save(update_fields=["cancel_reason", "cancel_requested_by"])
    # Promos before stock: the order in which the intake locks them.
    redeem.release([order_id])
    holds.release([order_id])
    holds.restock([order_id], reason="order cancelled by hand")
    if order_id not in parcels.cancel([order_id]):
        raise StillOpen(["the parcel has left"])
    if order.status != S.CANCELLED:
        complete({order_id: saga.cancel_reason})


def _never_there(payment: Payment) -> bool:
    """Declined, or never created at the gateway: nothing that could still be taken."""
    if payment.captured_amount:
        return False
    return payment.status == P.FAILED or (payment.status == P.CREATED and not payment.intent_id)


def _locked(order_id: UUID) -> Saga:
    saga = Saga.objects.select_for_update().get(order_id=order_id)
    if saga.state != Saga.State.REVIEW:
        raise NotInReview
    return saga


def _decide(saga: Saga, decision: str, actor: str, reason: str, **changes: object) -> None:
    decision_log.record(KIND, saga.pk, decision, actor=actor, reason=reason, order_id=saga.pk)
    # A new epoch: a worker that has claimed the saga before writes nothing.
    Saga.objects.filter(pk=saga.pk).update(
        epoch=F("epoch") + 1,
        lease_until=None,
        crashed_claims=0,
        review_reason="",
        updated_at=Now(),
        **changes,
    )
    transaction.on_commit(lambda: dispatch.enqueue_on_commit("orders.advance_sagas"))
