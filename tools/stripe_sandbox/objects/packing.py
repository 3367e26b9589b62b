"""The text that stored objects have in common."""

from __future__ import annotations

import orjson

from tools.stripe_sandbox.objects.charges import charge
from tools.stripe_sandbox.objects.events import event
from tools.stripe_sandbox.objects.payment_intents import payment_intent
from tools.stripe_sandbox.objects.payment_methods import payment_method_id


def packing_dictionary() -> bytes:
    """Sample objects for the store's compressor, which finds later ones similar."""
    intent = payment_intent(
        id="pi_3AAAAAAAAAAAAAAAAAAAAAAA",
        created=1_790_000_000,
        amount=1999,
        currency="usd",
        capture_method="manual",
        payment_method=payment_method_id("pm_card_visa"),
    )
    attempt = charge(
        id="ch_3AAAAAAAAAAAAAAAAAAAAAAA",
        created=1_790_000_000,
        intent=intent,
        token="pm_card_visa",  # noqa: S106 — the name of a test card
        captured=False,
        authenticated=False,
    )
    sample = event(
        id="evt_3AAAAAAAAAAAAAAAAAAAAAAA",
        created=1_790_000_000,
        type="payment_intent.amount_capturable_updated",
        object=intent | {"status": "requires_capture"},
        previous=None,
        request_id="req_AAAAAAAAAAAAAA",
        key="",
        pending=1,
    )
    return orjson.dumps([attempt, sample])
