"""Authorization: a PaymentIntent with manual capture, under a key from our own row."""

import logging
from dataclasses import replace
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.utils import timezone

from apps.payments import refunds
from apps.payments.charging.messages import (
    AUTHORIZE,
    LOOK,
    GatewayKeySpent,
    GatewayResult,
    named,
    result_of_facts,
    result_of_intent,
)
from apps.payments.facts import PaymentFact
from apps.payments.gateway import (
    Gateway,
    GatewayError,
    GatewayOutcomeUnknown,
    GatewayRefused,
    Intent,
    IntentStatus,
)
from apps.payments.models import Payment
from apps.payments.order_details import OrderDetails

logger = logging.getLogger(__name__)

KEY_BOUND_TO_OTHER_REQUEST = "idempotency_error"


def authorize(gateway: Gateway, payment: Payment) -> GatewayResult:
    """Authorize the payment. Raises PaymentDeclined, GatewayKeySpent and the gateway's failures."""
    if payment.amount == 0:
        return result_of_facts(
            payment, AUTHORIZE, PaymentFact(payment.pk, Payment.Status.AUTHORIZED)
        )
    intent = authorized_intent(gateway, payment)
    result = result_of_intent(payment, AUTHORIZE, intent, key=payment.key(AUTHORIZE))
    if intent.status != IntentStatus.REQUIRES_ACTION:
        return result
    card = _card_of(gateway, intent)
    return replace(result, facts=tuple(replace(fact, card=card) for fact in result.facts))


def look(gateway: Gateway, payment: Payment) -> GatewayResult:
    """Read the payment as it stands now. The same key again would only repeat the old answer."""
    return result_of_intent(payment, LOOK, gateway.retrieve(str(payment.intent_id)))


def authorized_intent(gateway: Gateway, payment: Payment) -> Intent:
    """The one PaymentIntent of this payment: created now, or found when it was created before."""
    asked_at = payment.asked_at or timezone.now()
    find = partial(
        gateway.find,
        payment_id=str(payment.pk),
        created_after=asked_at - timedelta(minutes=10),
    )
    if timezone.now() - asked_at > refunds.KEY_TRUSTED_FOR:
        found = find()
        if found is not None:
            return found
    try:
        return _create(gateway, payment)
    except (GatewayOutcomeUnknown, GatewayRefused) as failure:
        if not _key_is_spent(failure):
            raise
        # The key repeats a stored failure for ever, or belongs to a request with other
        # parameters. Only the gateway's list can tell now whether a payment was made.
        found = find()
        if found is None:
            raise GatewayKeySpent(failure, key=payment.key(AUTHORIZE)) from failure
        return found


def our_mark() -> str:
    """The metadata that tells our payments from others in the same account: the shop's address."""
    return settings.SHOP_URL[:500]


def _create(gateway: Gateway, payment: Payment) -> Intent:
    return gateway.authorize(
        key=payment.key(AUTHORIZE),
        amount=payment.amount,
        currency=payment.currency,
        payment_method=payment.payment_method,
        metadata={
            "payment_id": str(payment.pk),
            "order_id": str(payment.order_id),
            "shop": our_mark(),
        },
        return_url=payment.return_url,
        details=OrderDetails.of(payment.details),
    )


def _key_is_spent(failure: GatewayOutcomeUnknown | GatewayRefused) -> bool:
    if isinstance(failure, GatewayOutcomeUnknown):
        return failure.replayed
    return failure.code == KEY_BOUND_TO_OTHER_REQUEST


def _card_of(gateway: Gateway, intent: Intent) -> str:
    """The card that waits for the shopper's bank; empty when the gateway does not say."""
    try:
        return gateway.card_of(intent.payment_method)[:64] if intent.payment_method else ""
    except GatewayError as error:
        # Only the cap of waiting payments by card needs it. The payment stands without it.
        logger.warning("card of payment method not known: %s", named(error))
        return ""
