"""Bring a payment to a net of zero: void what is authorized, refund what is captured."""

from dataclasses import replace

from apps.payments import refunds
from apps.payments.charging.authorization import authorized_intent
from apps.payments.charging.messages import (
    REFUND,
    VOID_OR_REFUND,
    GatewayKeySpent,
    GatewayResult,
    result_of_facts,
    result_of_intent,
)
from apps.payments.facts import PaymentFact
from apps.payments.gateway import (
    Gateway,
    GatewayOutcomeUnknown,
    GatewayRefused,
    Intent,
    IntentStatus,
    PaymentDeclined,
)
from apps.payments.models import Payment, Refund

VOIDED = Payment.Status.VOIDED


def void_or_refund(
    gateway: Gateway, payment: Payment, *, open_refund: Refund | None
) -> GatewayResult:
    """Send `open_refund` if there is one; void the payment otherwise.

    Raises GatewayKeySpent and the gateway's failures.
    """
    if payment.amount == 0:
        return _voided_without_asking(payment)
    if payment.asked_at is None:
        return _voided_without_asking(payment, only_if_not_asked=True)
    if open_refund is not None:
        return _result_of_refund(payment, refunds.ask(gateway, open_refund, payment))
    intent_id = payment.intent_id or _lost_intent_id(gateway, payment)
    if intent_id is None:
        return _voided_without_asking(payment)
    return _void(gateway, payment, intent_id)


def _voided_without_asking(payment: Payment, *, only_if_not_asked: bool = False) -> GatewayResult:
    fact = PaymentFact(payment.pk, VOIDED, only_if_not_asked=only_if_not_asked)
    return result_of_facts(payment, VOID_OR_REFUND, fact)


def _lost_intent_id(gateway: Gateway, payment: Payment) -> str | None:
    """The gateway's id of a payment whose answer was lost; None when there is no payment.

    The authorization is asked for again under the same key. Its answer says what was made, and
    nothing more can be made under that key afterwards.
    """
    try:
        return authorized_intent(gateway, payment).id
    except PaymentDeclined as declined:
        return declined.intent_id
    except GatewayRefused:
        # Such a request never creates a payment; had an earlier one under this key created one,
        # the gateway would have repeated its answer. Without this case an order with a token that
        # the gateway does not know ends as a review case.
        return None


def _void(gateway: Gateway, payment: Payment, intent_id: str) -> GatewayResult:
    key = payment.key("void")
    intent: Intent
    try:
        intent = gateway.void(intent_id, key=key)
    except GatewayRefused:
        intent = gateway.retrieve(intent_id)  # the refusal itself does not show what went back
    except GatewayOutcomeUnknown as unknown:
        if not unknown.replayed:
            raise
        intent = gateway.retrieve(intent_id)
        if intent.status not in (IntentStatus.CANCELED, IntentStatus.SUCCEEDED):
            raise GatewayKeySpent(unknown, key=key) from unknown
    result = result_of_intent(payment, VOID_OR_REFUND, intent, key=key)
    if intent.status != IntentStatus.CANCELED:
        # It was captured after all: our books now say so, and the next attempt refunds it.
        return replace(result, transient=f"cannot be voided: {intent.status}")
    return result


def _result_of_refund(payment: Payment, sent: refunds.Sent) -> GatewayResult:
    return GatewayResult(
        payment.pk,
        payment.order_id,
        REFUND,
        refund=(sent.refund_id, sent.refund) if sent.refund is not None else None,
        transient=sent.transient,
        key=sent.key,
        spent=sent.spent,
        refund_id=sent.refund_id,
    )
