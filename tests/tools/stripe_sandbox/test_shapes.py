"""The sandbox's objects have the fields of Stripe's published fixtures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import stripe

from tests.payments.sandbox_process import PROJECT
from tests.tools.stripe_sandbox.test_payments import authorized

FIXTURES = PROJECT.parent / "shared" / "stripe" / "fixtures3.json"


@pytest.fixture(scope="module")
def published() -> dict[str, Any]:
    if not Path(FIXTURES).exists():
        pytest.skip("Stripe's fixtures are not here")
    resources: dict[str, Any] = json.loads(FIXTURES.read_text())["resources"]
    return resources


@pytest.fixture
def ours(client: stripe.StripeClient) -> dict[str, Any]:
    endpoint = client.v1.webhook_endpoints.create(
        {"url": "http://127.0.0.1:9/", "enabled_events": ["charge.captured"]}
    )
    intent = authorized(client)
    client.v1.payment_intents.capture(intent.id)
    refund = client.v1.refunds.create({"payment_intent": intent.id, "amount": 5})
    objects = {
        "payment_intent": client.v1.payment_intents.retrieve(intent.id),
        "charge": client.v1.charges.retrieve(str(intent.latest_charge)),
        "refund": client.v1.refunds.retrieve(refund.id),
        "event": client.v1.events.list({"limit": 1}).data[0],
        "payment_method": client.v1.payment_methods.retrieve(str(intent.payment_method)),
        "webhook_endpoint": client.v1.webhook_endpoints.retrieve(endpoint.id),
    }
    charge = objects["charge"]
    objects["balance_transaction"] = client.v1.balance_transactions.retrieve(
        str(charge.balance_transaction)
    )
    return {name: json.loads(str(shown)) for name, shown in objects.items()}


@pytest.mark.parametrize(
    "kind",
    [
        "payment_intent",
        "charge",
        "balance_transaction",
        "refund",
        "event",
        "payment_method",
        "webhook_endpoint",
    ],
)
def test_every_published_field_exists(
    kind: str, published: dict[str, Any], ours: dict[str, Any]
) -> None:
    assert set(published[kind]) - set(ours[kind]) == set()
    assert ours[kind]["object"] == kind
    assert ours[kind]["id"] != published[kind]["id"]


def test_card_details_have_the_published_fields(
    published: dict[str, Any], ours: dict[str, Any]
) -> None:
    card = published["charge"]["payment_method_details"]["card"]
    assert set(card) - set(ours["charge"]["payment_method_details"]["card"]) == set()
    assert set(published["charge"]["outcome"]) - set(ours["charge"]["outcome"]) == set()
    method = published["payment_method"]["card"]
    assert set(method) - set(ours["payment_method"]["card"]) == set()
