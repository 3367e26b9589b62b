"""Our books about payments: what the gateway says is written to them, and never moved backwards.

`settle` takes facts (from an answer or a webhook, in any order, any number of times) and applies
them under the payment's row lock. Statuses have a rank; only a higher one is written. (One way back
is in refunds.py: money that was sent back returns when the bank refuses it.)

Only the whole amount pays for an order. Where staff took less at the gateway's dashboard, the
payment is PARTLY_CAPTURED, and the order waits for staff (apps/orders/saga/review.py).
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models.functions import Now

from apps.core import sql
from apps.payments.facts import PaymentFact
from apps.payments.models import Payment

logger = logging.getLogger(__name__)

S = Payment.Status

RANK = {
    S.CREATED: 0,
    S.REQUIRES_ACTION: 1,
    S.FAILED: 2,
    S.AUTHORIZED: 3,
    S.PARTLY_CAPTURED: 4,
    S.CAPTURED: 5,
    S.VOIDED: 6,
    S.REFUNDED: 7,
}


@dataclass(slots=True)
class Settled:
    """The payments as they stand after `settle`, by id, and which of them changed."""

    payments: dict[UUID, Payment] = field(default_factory=dict)
    moved: set[UUID] = field(default_factory=set)


def accept_part(order_id: UUID) -> bool:
    """Let what was captured of a PARTLY_CAPTURED payment count as all; False when it is not one.

    A decision of staff, who have the rest in another way or do without it. In the caller's
    transaction.
    """
    accepted = Payment.objects.filter(
        order_id=order_id, live=True, status=S.PARTLY_CAPTURED
    ).update(status=S.CAPTURED, updated_at=Now())
    return bool(accepted)


def settle(facts: Iterable[PaymentFact], *, also: Iterable[UUID] = ()) -> Settled:
    """Write `facts` in the caller's transaction; `also` are payments to lock and return as well."""
    by_payment: dict[UUID, list[PaymentFact]] = {}
    for fact in facts:
        by_payment.setdefault(fact.payment_id, []).append(fact)
    settled = Settled()
    wanted = sorted({*by_payment, *also})
    # Ascending id, like every lock here.
    locked = Payment.objects.select_for_update(no_key=True).filter(pk__in=wanted).order_by("pk")
    # Two timestamps that no caller uses are a fifth of what reading a payment costs.
    for payment in locked.defer("created_at", "updated_at"):
        settled.payments[payment.pk] = payment
        for fact in by_payment.get(payment.pk, ()):
            if _apply(payment, fact):
                settled.moved.add(payment.pk)
    _write([settled.payments[pk] for pk in sorted(settled.moved)])
    return settled


def is_news(payment: Payment, fact: PaymentFact) -> bool:
    """Whether `fact` says more than `payment` knows.

    Nothing here is moved backwards, so that what is known already stays known: code that has read
    the payment without its lock may leave out a fact that is no news.
    """
    return (
        (fact.intent_id is not None and payment.intent_id is None)
        or (fact.captured_amount or 0) > payment.captured_amount
        or RANK[S(fact.status)] > RANK[S(payment.status)]
    )


def _apply(payment: Payment, fact: PaymentFact) -> bool:
    """Apply one fact to the row in memory; whether anything changed."""
    if fact.only_if_not_asked and payment.asked_at is not None:
        return False  # a slow worker has asked meanwhile: there may be something to void
    if fact.only_if_no_intent and payment.intent_id:
        return False  # it was found meanwhile, and has to be voided
    if fact.intent_id and payment.intent_id and fact.intent_id != payment.intent_id:
        # `fact_from` checked this without the lock; since then another charge was recorded.
        logger.error(
            "%s claims payment %s, which has %s", fact.intent_id, payment.pk, payment.intent_id
        )
        return False
    if fact.status == S.VOIDED and payment.captured_amount:
        return False  # captured money can only be refunded
    changed = False
    if fact.intent_id and not payment.intent_id:
        payment.intent_id, changed = fact.intent_id, True
    if fact.captured_amount is not None and fact.captured_amount > payment.captured_amount:
        payment.captured_amount, changed = fact.captured_amount, True
    if fact.card and not payment.card:
        payment.card, changed = fact.card, True  # a webhook before it did not carry the card
    if RANK[S(fact.status)] > RANK[S(payment.status)]:
        payment.status = fact.status
        payment.next_action_url = fact.next_action_url
        payment.decline_code = fact.decline_code or payment.decline_code
        payment.message = fact.message or payment.message
        changed = True
    return changed


def _write(payments: list[Payment]) -> None:
    if not payments:
        return
    sql.run(
        "UPDATE payments_payment p SET status = n.status, intent_id = n.intent,"
        " captured_amount = n.captured, next_action_url = n.url, card = n.card,"
        " decline_code = n.decline,"
        " message = n.message, updated_at = now()"
        " FROM json_to_recordset(%s::json) AS n(id uuid, status text, intent text, captured bigint,"
        " url text, card text, decline text, message text) WHERE p.id = n.id",
        [
            sql.document(
                {
                    "id": p.pk,
                    "status": str(p.status),
                    "intent": p.intent_id,
                    "captured": p.captured_amount,
                    "url": p.next_action_url,
                    "card": p.card,
                    "decline": p.decline_code,
                    "message": p.message,
                }
                for p in payments
            )
        ],
    )
