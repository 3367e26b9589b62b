"""dj-stripe takes the sandbox's events for Stripe's: it mirrors every object they tell of."""

from __future__ import annotations

from typing import Any

import pytest
import stripe
from djstripe.models import BalanceTransaction, Charge, Event, PaymentIntent, Refund

from tests.payments.sandbox_process import KEY, SandboxProcess
from tests.tools.stripe_sandbox.test_payments import authorized

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def keys(settings: Any, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.STRIPE_SECRET_KEY = settings.STRIPE_TEST_SECRET_KEY = KEY
    settings.STRIPE_API_HOST = sandbox.url
    monkeypatch.setattr(stripe, "api_base", sandbox.url)


def test_every_event_of_a_payment_is_mirrored(client: stripe.StripeClient) -> None:
    intent = authorized(client, metadata={"order_id": "o1"})
    client.v1.payment_intents.capture(intent.id)
    refund = client.v1.refunds.create({"payment_intent": intent.id, "amount": 99})
    with pytest.raises(stripe.CardError):
        authorized(client, payment_method="pm_card_visa_chargeDeclined")
    client.v1.payment_intents.cancel(authorized(client).id)
    events = list(client.v1.events.list({"limit": 100}).auto_paging_iter())

    for event in reversed(events):
        Event.process(event.to_dict())

    assert Event.objects.count() == len(events)
    mirrored = PaymentIntent.objects.get(id=intent.id)
    assert mirrored.stripe_data["status"] == "succeeded"
    charge = Charge.objects.get(id=intent.latest_charge)
    assert charge.stripe_data["amount_refunded"] == 99
    assert Refund.objects.get(id=refund.id).stripe_data["amount"] == 99
    moved = BalanceTransaction.objects.order_by("-amount")
    assert [m.source for m in moved] == [charge.id, refund.id]
