"""Our books about payments: what the gateway says is written down, and never moved backwards.

`settle` takes what was learnt (from an answer or a webhook, in any order, any number of times) and
applies it under the payment's row lock. Statuses have a rank; only a higher one is written.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from apps.payments.gateway import Intent, IntentStatus
from apps.payments.models import Payment
from storefront import prepared

logger = logging.getLogger(__name__)

S = Payment.Status

RANK = {
    S.CREATED: 0,
    S.REQUIRES_ACTION: 1,
    S.FAILED: 2,
    S.AUTHORIZED: 3,
    S.CAPTURED: 4,
    S.VOIDED: 5,
    S.REFUNDED: 6,
}
# What an intent's status means to us. Absent (processing): the gateway itself does not know yet.
MEANING = {
    IntentStatus.REQUIRES_ACTION: S.REQUIRES_ACTION,
    IntentStatus.REQUIRES_PAYMENT_METHOD: S.FAILED,
    IntentStatus.REQUIRES_CAPTURE: S.AUTHORIZED,
    IntentStatus.SUCCEEDED: S.CAPTURED,
    IntentStatus.CANCELED: S.VOIDED,
}


class Contradiction(Exception):
    """The gateway's object does not fit our payment: another amount, currency or intent."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """What is known about one payment now.

    `unasked` facts hold only for a payment that the gateway was never asked about, `unheard` ones
    for a payment of which the gateway has shown nothing.
    """

    payment_id: UUID
    status: str
    intent_id: str | None = None
    captured_amount: int | None = None
    next_action_url: str = ""
    decline_code: str = ""
    message: str = ""
    unasked: bool = False
    unheard: bool = False


@dataclass(slots=True)
class Settled:
    """The payments as they stand after `settle`, and which of them moved."""

    payments: dict[UUID, Payment] = field(default_factory=dict)
    moved: set[UUID] = field(default_factory=set)


def learnt_from(payment: Payment, intent: Intent) -> Learnt:
    """What `intent` tells about `payment`; while it is processing, just its id.

    Raises Contradiction: such an object is never applied.
    """
    if intent.amount != payment.amount or intent.currency != payment.currency:
        raise Contradiction(
            f"{intent.id} is over {intent.amount} {intent.currency},"
            f" the payment over {payment.amount} {payment.currency}"
        )
    if payment.intent_id and payment.intent_id != intent.id:
        raise Contradiction(f"{intent.id} claims a payment that has {payment.intent_id}")
    status = MEANING.get(intent.status, S.CREATED)
    return Learnt(
        payment.pk,
        status,
        intent_id=intent.id,
        captured_amount=intent.amount_received if status == S.CAPTURED else None,
        next_action_url=intent.next_action_url or "",
        decline_code=(intent.decline_code or "")[:80],
        message=(intent.message or "")[:255],
    )


def settle(facts: Iterable[Learnt], *, also: Iterable[UUID] = ()) -> Settled:
    """Write `facts` in the caller's transaction; `also` are payments to lock and return as well."""
    by_payment: dict[UUID, list[Learnt]] = {}
    for fact in facts:
        by_payment.setdefault(fact.payment_id, []).append(fact)
    settled = Settled()
    wanted = sorted({*by_payment, *also})
    # Ascending id, like every lock here.
    locked = Payment.objects.select_for_update(no_key=True).filter(pk__in=wanted).order_by("pk")
    # Two timestamps that nobody asks for are a fifth of what reading a payment costs.
    for payment in locked.defer("created_at", "updated_at"):
        settled.payments[payment.pk] = payment
        for fact in by_payment.get(payment.pk, ()):
            if _learn(payment, fact):
                settled.moved.add(payment.pk)
    _write([settled.payments[pk] for pk in sorted(settled.moved)])
    return settled


def is_news(payment: Payment, fact: Learnt) -> bool:
    """Whether `fact` says more than `payment` knows.

    What is known already stays known, for nothing here is moved backwards: whoever has read the
    payment without its lock may leave such a fact out.
    """
    return (
        (fact.intent_id is not None and payment.intent_id is None)
        or (fact.captured_amount or 0) > payment.captured_amount
        or RANK[S(fact.status)] > RANK[S(payment.status)]
    )


def _learn(payment: Payment, fact: Learnt) -> bool:
    """Apply one fact to the row in memory; whether anything changed."""
    if fact.unasked and payment.asked_at is not None:
        return False  # a slow worker has asked meanwhile: there may be something to call back
    if fact.unheard and payment.intent_id:
        return False  # it was found meanwhile: that is to be called back
    if fact.intent_id and payment.intent_id and fact.intent_id != payment.intent_id:
        # Checked before, without the lock; whoever came second speaks of another charge.
        logger.error(
            "%s claims payment %s, which has %s", fact.intent_id, payment.pk, payment.intent_id
        )
        return False
    if fact.status == S.VOIDED and payment.captured_amount:
        return False  # taken is taken: only a refund ends it
    changed = False
    if fact.intent_id and not payment.intent_id:
        payment.intent_id, changed = fact.intent_id, True
    if fact.captured_amount is not None and fact.captured_amount > payment.captured_amount:
        payment.captured_amount, changed = fact.captured_amount, True
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
    prepared.run(
        "UPDATE payments_payment p SET status = n.status, intent_id = n.intent,"
        " captured_amount = n.captured, next_action_url = n.url, decline_code = n.decline,"
        " message = n.message, updated_at = now()"
        " FROM json_to_recordset(%s::json) AS n(id uuid, status text, intent text, captured bigint,"
        " url text, decline text, message text) WHERE p.id = n.id",
        [
            prepared.document(
                {
                    "id": p.pk,
                    "status": str(p.status),
                    "intent": p.intent_id,
                    "captured": p.captured_amount,
                    "url": p.next_action_url,
                    "decline": p.decline_code,
                    "message": p.message,
                }
                for p in payments
            )
        ],
    )
