"""What an event comes to, held against our books: applied, ignored or quarantined."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from apps.payments import refund_matching, refunds
from apps.payments.facts import Contradiction, PaymentFact, fact_from
from apps.payments.gateway import GatewayRefund, Intent
from apps.payments.ledger import is_news
from apps.payments.models import Payment, Refund, WebhookInbox

State = WebhookInbox.State
OPEN = (State.DEAD, State.QUARANTINED)  # for a decision of staff
# The columns of a payment that a fact is made of and compared with.
READ_BY_FACTS = ("order_id", "status", "amount", "currency", "intent_id", "captured_amount")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The new state of a row, and the order whose saga is to be resumed."""

    state: str
    error: str = ""
    order_id: UUID | None = None


def about_intent(
    intent: Intent, payments: Mapping[str, Payment], facts: list[PaymentFact]
) -> Verdict:
    """The verdict about an event of `intent`; what it proves and we do not know goes to `facts`.

    `payments` as `payments_of` returns them.
    """
    payment = payments.get(intent.payment_id or "") or payments.get(intent.id)
    if payment is None:
        return Verdict(State.IGNORED, "no payment of ours")
    try:
        fact = fact_from(payment, intent)
    except Contradiction as contradiction:
        return Verdict(State.QUARANTINED, str(contradiction)[:255])
    # Most webhooks repeat what the call's own answer said: no lock for those.
    if is_news(payment, fact):
        facts.append(fact)
    return Verdict(State.APPLIED, order_id=payment.order_id)


def about_refund(sent: GatewayRefund, ours: Refund | None) -> Verdict:
    """Settle the refund that an event is about; the verdict. The caller has locked its payment."""
    if ours is None:
        return Verdict(State.IGNORED, "no refund of ours")
    if not refund_matching.is_ours(ours, sent):
        return Verdict(State.QUARANTINED, f"{sent.id} does not fit our refund {ours.pk}")
    if sent.status in refund_matching.ENDED:
        refunds.settle(ours.pk, sent)
    return Verdict(State.APPLIED, order_id=ours.payment.order_id)


def payments_of(intents: Iterable[Intent]) -> dict[str, Payment]:
    """Payments by our own id and by the gateway's."""
    intents = list(intents)
    ours = {payment_id for intent in intents if (payment_id := _uuid(intent.payment_id))}
    matches = Q(pk__in=ours) | Q(intent_id__in={intent.id for intent in intents})
    found = list(Payment.objects.filter(matches).only(*READ_BY_FACTS))
    by_id = {str(payment.pk): payment for payment in found}
    return by_id | {str(payment.intent_id): payment for payment in found if payment.intent_id}


def _uuid(value: str | None) -> UUID | None:
    try:
        return UUID(value) if value else None
    except ValueError:
        return None
