"""How one of the gateway's payments can differ from ours, in words and as discrepancy kinds."""

from dataclasses import dataclass

from apps.payments.gateway import Intent, IntentStatus
from apps.payments.gateway_amounts import same
from apps.payments.models import Discrepancy, Payment
from apps.payments.reconciler.findings import OF_REFUNDS

Kind = Discrepancy.Kind
GIVEN_UP = (Payment.Status.VOIDED, Payment.Status.REFUNDED)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that does not match.

    kinds, subject: of the reconciler's discrepancies about it, where a person may have decided.
    intent: the gateway's payment. When the gateway shows none, `payment` is ours.
    """

    words: str
    kinds: tuple[str, ...]
    subject: str
    intent: Intent | None = None
    payment: Payment | None = None


def unowned(intent: Intent) -> Difference:
    """Money was taken that no payment of ours accounts for."""
    words = f"{intent.id}: {intent.amount_received} taken for no payment of ours"
    return Difference(words, (Kind.NO_PAYMENT,), intent.id, intent)


def second_charge(payment: Payment, intent: Intent) -> Difference:
    """The gateway charged a payment of ours twice."""
    words = f"{intent.id}: a second charge for payment {payment.pk}"
    return Difference(words, (Kind.SECOND_CHARGE,), intent.id, intent)


def unknown_there(payment: Payment, intent: Intent | None) -> Difference:
    """We say that money was taken, the gateway does not. `intent`: its payment, if it has one."""
    words = f"payment {payment.pk}: captured here, unknown to the gateway"
    if intent is not None:
        kinds = (Kind.OTHER_CAPTURE, Kind.CANCELLED_THERE, Kind.OTHER_TERMS)
        return Difference(words, kinds, intent.id, intent)
    return Difference(words, (Kind.UNKNOWN_THERE,), str(payment.intent_id), payment=payment)


def compare(payment: Payment, intent: Intent) -> list[Difference]:
    """What does not match between a payment of ours and the gateway's."""
    wrong: list[Difference] = []

    def add(words: str, *kinds: Kind) -> None:
        wrong.append(Difference(f"{intent.id}: {words}", kinds, intent.id, intent))

    # A decision about one of these two kinds covers everything on both sides.
    whole = (Kind.OTHER_TERMS, Kind.GIVEN_UP)
    if payment.status == Payment.Status.VOIDED and _nothing_kept(intent):
        return wrong  # whatever the terms were
    currency = payment.currency
    if intent.currency != currency or not same(intent.amount, payment.amount, currency):
        add(f"over {intent.amount} {intent.currency}, ours {payment}", Kind.OTHER_TERMS)
    taken_otherwise = not same(intent.amount_received, payment.captured_amount, currency)
    if taken_otherwise and intent.amount_received > 0:
        words = f"{intent.amount_received} taken, ours {payment.captured_amount}"
        add(words, Kind.OTHER_CAPTURE, *whole)
    if not same(intent.amount_refunded, payment.refunded_amount, currency):
        words = f"{intent.amount_refunded} refunded, ours {payment.refunded_amount}"
        add(words, *OF_REFUNDS, Kind.OTHER_TERMS)
    if intent.status == IntentStatus.CANCELED and payment.status == Payment.Status.CAPTURED:
        add("cancelled there, captured here", Kind.CANCELLED_THERE, Kind.OTHER_TERMS)
    if intent.status == IntentStatus.REQUIRES_CAPTURE and payment.status in GIVEN_UP:
        add(f"still reserved there, {payment.status} here", *whole)
    return wrong


def _nothing_kept(intent: Intent) -> bool:
    """Cancelled, or all that was taken has gone back."""
    if intent.amount_received:
        return intent.amount_received == intent.amount_refunded
    return intent.status == IntentStatus.CANCELED
