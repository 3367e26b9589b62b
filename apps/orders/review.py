"""The review queue: orders that could go neither forward nor back, and what a person decides.

retry     on from where it stood, with fresh attempts
undo      turn round and undo everything done so far
resolve   settled by hand outside the shop: the saga ends here, as it is

Each decision is kept with actor and reason.
"""

from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from apps.orders.checkout import undo_from
from apps.orders.errors import NotInReview
from apps.orders.models import ReviewDecision, Saga
from storefront import bells


def retry(order_id: UUID, *, actor: str, reason: str) -> None:
    """Let the worker try again. Raises NotInReview."""
    with transaction.atomic():
        saga = _locked(order_id)
        state = saga.reviewed_from or Saga.State.FORWARD
        _decide(saga, "retry", actor, reason, state=state, attempts=0, due_at=Now())


def undo(order_id: UUID, *, actor: str, reason: str) -> None:
    """Undo the order. Raises NotInReview."""
    with transaction.atomic():
        saga = _locked(order_id)
        _decide(
            saga,
            "undo",
            actor,
            reason,
            state=Saga.State.UNDOING,
            step=saga.step if saga.reviewed_from == Saga.State.UNDOING else undo_from(saga.step),
            attempts=0,
            due_at=Now(),
            cancel_reason=saga.cancel_reason or "staff",
        )


def resolve(order_id: UUID, *, actor: str, reason: str) -> None:
    """Close the case: somebody settled it by hand. Raises NotInReview."""
    with transaction.atomic():
        saga = _locked(order_id)
        done = saga.reviewed_from != Saga.State.UNDOING
        state = Saga.State.DONE if done else Saga.State.UNDONE
        _decide(saga, "resolve", actor, reason, state=state, due_at=None)


def _locked(order_id: UUID) -> Saga:
    saga = Saga.objects.select_for_update().get(order_id=order_id)
    if saga.state != Saga.State.REVIEW:
        raise NotInReview
    return saga


def _decide(saga: Saga, decision: str, actor: str, reason: str, **changes: object) -> None:
    if not reason.strip() or not actor.strip():
        raise ValueError("a decision needs an actor and a reason")
    ReviewDecision.objects.create(saga=saga, decision=decision, actor=actor, reason=reason[:255])
    # A new epoch: a worker that still believes in the old one writes nothing.
    Saga.objects.filter(pk=saga.pk).update(
        epoch=F("epoch") + 1,
        lease_until=None,
        silent_claims=0,
        review_reason="",
        updated_at=Now(),
        **changes,
    )
    transaction.on_commit(lambda: bells.ring("orders.advance_sagas"))
