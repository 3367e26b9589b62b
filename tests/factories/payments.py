"""Payments, refunds, calls to the gateway, webhooks."""

import uuid

import factory
from factory.django import DjangoModelFactory

from apps.payments.models import GatewayCall, Payment, Refund, WebhookInbox


class PaymentFactory(DjangoModelFactory):
    """A payment that was not sent to the gateway. Traits: authorized, captured, failed."""

    class Meta:
        model = Payment

    class Params:
        authorized = factory.Trait(
            status=Payment.Status.AUTHORIZED, intent_id=factory.Sequence("pi_test_{}".format)
        )
        captured = factory.Trait(
            status=Payment.Status.CAPTURED,
            intent_id=factory.Sequence("pi_test_{}".format),
            captured_amount=factory.SelfAttribute("amount"),
        )
        failed = factory.Trait(status=Payment.Status.FAILED, decline_code="generic_decline")

    order_id = factory.LazyFunction(uuid.uuid4)
    amount = 2399
    currency = "USD"
    payment_method = "pm_card_visa"


class RefundFactory(DjangoModelFactory):
    class Meta:
        model = Refund

    payment = factory.SubFactory(PaymentFactory, captured=True)
    amount = factory.SelfAttribute("payment.captured_amount")
    purpose = "cancellation"
    actor = "tests"


class GatewayCallFactory(DjangoModelFactory):
    class Meta:
        model = GatewayCall

    payment = factory.SubFactory(PaymentFactory)
    purpose = "authorize"
    outcome = "ok"


class WebhookInboxFactory(DjangoModelFactory):
    class Meta:
        model = WebhookInbox

    event_id = factory.Sequence("evt_test_{}".format)
    type = "payment_intent.succeeded"
    payload = factory.LazyFunction(dict)
