"""What the sandbox refuses like Stripe: keys without the right, too many requests a second."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import stripe

from tests.payments.sandbox_process import SandboxProcess, WebhookListener
from tests.tools.stripe_sandbox.test_payments import authorized

RESTRICTED = "rk_test_" + "r" * 32


@pytest.fixture
def restricted(sandbox: SandboxProcess) -> stripe.StripeClient:
    return stripe.StripeClient(
        RESTRICTED, base_addresses={"api": sandbox.url}, max_network_retries=0
    )


@pytest.fixture
def no_limits(sandbox: SandboxProcess) -> Iterator[None]:
    yield
    sandbox.control("limits", {})


def test_restricted_key_cannot_read_its_account(restricted: stripe.StripeClient) -> None:
    with pytest.raises(stripe.PermissionError) as refused:
        restricted.v1.accounts.retrieve_current()
    assert refused.value.http_status == 403
    assert "rak_account_read" in str(refused.value)
    assert RESTRICTED not in str(refused.value)
    assert restricted.v1.payment_intents.list().data == []


def test_restricted_key_may_do_what_it_was_given(
    sandbox: SandboxProcess, restricted: stripe.StripeClient
) -> None:
    sandbox.control("keys", {RESTRICTED: {"payment_intents": "read", "accounts": "read"}})
    assert restricted.v1.payment_intents.list().data == []
    assert restricted.v1.accounts.retrieve_current().id.startswith("acct_")
    with pytest.raises(stripe.PermissionError, match="rak_payment_intent_write"):
        authorized(restricted)
    with pytest.raises(stripe.PermissionError, match="rak_event_read"):
        restricted.v1.events.list()


@pytest.mark.usefixtures("no_limits")
def test_endpoint_and_account_have_limits_of_their_own(
    sandbox: SandboxProcess, client: stripe.StripeClient
) -> None:
    sandbox.control("limits", {"endpoint_per_s": 2, "total_per_s": 3, "retry_after_s": 4})
    client.v1.events.list()
    client.v1.events.list()
    with pytest.raises(stripe.RateLimitError) as endpoint:
        client.v1.events.list()
    client.v1.charges.list()
    with pytest.raises(stripe.RateLimitError) as account:
        client.v1.charges.list()
    reasons = [
        (error.value.headers or {})["stripe-rate-limited-reason"] for error in (endpoint, account)
    ]
    assert reasons == ["endpoint-rate", "global-rate"]
    assert (endpoint.value.headers or {})["retry-after"] == "4"
    assert sandbox.control("limits")["refused"] == {"events.list": 1, "charges.list": 1}


def test_endpoint_gets_events_in_its_version_and_keeps_that(
    client: stripe.StripeClient, listener: WebhookListener
) -> None:
    made: Any = client.v1.webhook_endpoints.create(
        {
            "url": listener.url,
            "enabled_events": ["payment_intent.created"],
            "api_version": "2025-09-30.clover",
        }
    )
    authorized(client)
    assert listener.take(1)[0].event["api_version"] == "2025-09-30.clover"
    with pytest.raises(stripe.InvalidRequestError, match="unknown parameter: api_version"):
        client.raw_request(
            "post", f"/v1/webhook_endpoints/{made.id}", api_version="2026-08-26.dahlia"
        )
    with pytest.raises(stripe.InvalidRequestError, match="Invalid Stripe API version"):
        client.raw_request(
            "post",
            "/v1/webhook_endpoints",
            url=listener.url,
            enabled_events=["*"],
            api_version="newest",
        )


def test_rolled_secret_signs_beside_the_old_one_for_its_time(
    sandbox: SandboxProcess, client: stripe.StripeClient, listener: WebhookListener
) -> None:
    made = client.v1.webhook_endpoints.create(
        {"url": listener.url, "enabled_events": ["payment_intent.created"]}
    )
    roll = {"do": "roll_secret", "webhook_endpoint": made.id}
    new = sandbox.control("dashboard", roll | {"expires_in_s": 3600})["secret"]
    authorized(client)
    (both,) = listener.take(1)
    for secret in (made.secret, new):
        assert stripe.Webhook.construct_event(both.body, both.signature, str(secret))

    newest = sandbox.control("dashboard", roll)["secret"]
    authorized(client)
    (one,) = listener.take(1)
    assert stripe.Webhook.construct_event(one.body, one.signature, newest)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(one.body, one.signature, new)


def test_shipping_is_kept_with_payment_and_charge(client: stripe.StripeClient) -> None:
    shipping = {
        "name": "Alice",
        "phone": "+14155550100",
        "address": {"line1": "1 Main St", "city": "Portland", "state": "OR", "country": "US"},
    }
    intent = authorized(client, shipping=shipping)
    charge = client.v1.charges.retrieve(str(intent.latest_charge))
    shown = [json.loads(str(each))["shipping"] for each in (intent, charge)]
    assert shown[0] == shown[1]
    assert shown[0]["address"]["line2"] is None
    assert {name: shown[0][name] for name in ("name", "phone")} == {
        "name": "Alice",
        "phone": "+14155550100",
    }


@pytest.mark.parametrize(
    ("shipping", "param"),
    [
        ({"address": {"line1": "x"}}, "shipping[name]"),
        ({"name": "x", "address": {"country": "Oregon"}}, "shipping[address][country]"),
    ],
)
def test_shipping_that_stripe_would_not_take_is_refused(
    client: stripe.StripeClient, shipping: dict[str, Any], param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        authorized(client, shipping=shipping)
    assert refused.value.param == param
