"""What the gateway's payment proves about ours: a fact for the ledger, or a contradiction.

Only the whole amount pays for an order. Less is a fact of its own (PARTLY_CAPTURED); more, another
amount or another currency contradicts our books, and nothing of it is written to them.
"""

from dataclasses import dataclass
from uuid import UUID

from apps.core.money import for_people
from apps.payments.gateway import Intent, IntentStatus
from apps.payments.gateway_amounts import same
from apps.payments.models import Payment

S = Payment.Status

# What an intent's status means to us. Absent (processing): the gateway itself does not know yet.
MEANING = {
    IntentStatus.REQUIRES_ACTION: S.REQUIRES_ACTION,
    IntentStatus.REQUIRES_PAYMENT_METHOD: S.FAILED,
    IntentStatus.REQUIRES_CAPTURE: S.AUTHORIZED,
    IntentStatus.SUCCEEDED: S.CAPTURED,
    IntentStatus.CANCELED: S.VOIDED,
}


class Contradiction(Exception):
    """The gateway's object does not fit our payment: another amount, currency or intent.

    Its text is for staff.
    """


@dataclass(frozen=True, slots=True)
class PaymentFact:
    """What is known about one payment now.

    `captured_amount` is in minor units. A fact with `only_if_not_asked` applies only to a payment
    about which the gateway was never asked; one with `only_if_no_intent` only to a payment for
    which no PaymentIntent is known.
    """

    payment_id: UUID
    status: str
    intent_id: str | None = None
    captured_amount: int | None = None
    next_action_url: str = ""
    card: str = ""
    decline_code: str = ""
    message: str = ""
    only_if_not_asked: bool = False
    only_if_no_intent: bool = False


def fact_from(payment: Payment, intent: Intent) -> PaymentFact:
    """What `intent` tells about `payment`; only its id while the gateway is processing it.

    Raises Contradiction when the two do not fit: such an object is never applied. Except when
    nothing of it is taken or can be: then its terms do not matter any more.
    """
    if payment.intent_id and payment.intent_id != intent.id:
        raise Contradiction(f"{intent.id} claims a payment that has {payment.intent_id}")
    contradiction = _other_terms(payment, intent)
    if contradiction and payment.intent_id and _is_over(intent):
        return PaymentFact(payment.pk, S.VOIDED, intent_id=intent.id)
    if contradiction:
        raise Contradiction(contradiction)
    status = MEANING.get(intent.status, S.CREATED)
    captured = None
    if intent.amount_received > 0:
        whole = same(intent.amount_received, payment.amount, payment.currency)
        status = S.CAPTURED if whole else S.PARTLY_CAPTURED
        captured = payment.amount if whole else intent.amount_received
    return PaymentFact(
        payment.pk,
        status,
        intent_id=intent.id,
        captured_amount=captured,
        next_action_url=intent.next_action_url or "",
        decline_code=(intent.decline_code or "")[:80],
        message=(intent.message or "")[:255],
    )


def _other_terms(payment: Payment, intent: Intent) -> str:
    """How `intent` cannot be the payment's, in words for staff; empty: it fits."""
    currency = payment.currency
    if intent.currency != currency or not same(intent.amount, payment.amount, currency):
        there = for_people(intent.amount, intent.currency)
        what = f"{intent.id} is over {there}, the payment"
    elif intent.amount_received > payment.amount and not same(
        intent.amount_received, payment.amount, currency
    ):
        taken = for_people(intent.amount_received, currency)
        what = f"{taken} were taken by {intent.id}, the payment is"
    else:
        return ""  # nearly always: words cost more than the comparison
    return f"{what} over {for_people(payment.amount, currency)}"


def _is_over(intent: Intent) -> bool:
    """Whether nothing is taken and nothing can be: cancelled, or all that was taken went back."""
    if intent.amount_received > 0:
        return intent.amount_refunded == intent.amount_received
    return intent.status == IntentStatus.CANCELED
