"""Capture: take the money that is authorized."""

from dataclasses import replace

from apps.payments.charging.messages import (
    CAPTURE,
    GatewayKeySpent,
    GatewayResult,
    result_of_facts,
    result_of_intent,
)
from apps.payments.facts import PaymentFact
from apps.payments.gateway import Gateway, GatewayOutcomeUnknown, GatewayRefused, IntentStatus
from apps.payments.models import Payment


def capture(gateway: Gateway, payment: Payment) -> GatewayResult:
    """Capture the whole amount. Raises GatewayKeySpent and the gateway's failures.

    A refusal is not believed: often the payment is captured already. It is looked up then.
    """
    if payment.amount == 0:
        return result_of_facts(payment, CAPTURE, PaymentFact(payment.pk, Payment.Status.CAPTURED))
    key, intent_id = payment.key(CAPTURE), str(payment.intent_id)
    try:
        intent = gateway.capture(
            intent_id, key=key, amount=payment.amount, currency=payment.currency
        )
    except GatewayOutcomeUnknown as unknown:
        if not unknown.replayed:
            raise
        intent = gateway.retrieve(intent_id)
        if intent.status == IntentStatus.REQUIRES_CAPTURE:
            raise GatewayKeySpent(unknown, key=key) from unknown  # it was never executed
    except GatewayRefused as refused:
        # It is captured already, or the authorization has lapsed.
        intent = refused.intent or gateway.retrieve(intent_id)
    result = result_of_intent(payment, CAPTURE, intent, key=key)
    if intent.status == IntentStatus.CANCELED:
        return replace(result, refused="The authorization has lapsed.")
    return result
