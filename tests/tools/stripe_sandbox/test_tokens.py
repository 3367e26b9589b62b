"""Test tokens that carry faults: a shopper of the shop can choose only the card."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import stripe

from apps.api.contract.checkout import PAYMENT_METHOD
from apps.payments.gateway import GatewayBusy, GatewayOutcomeUnknown, GatewayRefused, IntentStatus
from apps.payments.stripe_gateway import StripeGateway
from apps.web.forms import PAYMENT_TOKEN
from tests.orders.purchases import TOTAL, Shop
from tests.payments import patience
from tests.payments.sandbox_process import KEY, SandboxProcess, WebhookListener
from tests.payments.test_stripe_gateway import EXECUTED, MEANS, NOT_EXECUTED, authorize
from tests.tools.stripe_sandbox.test_payments import authorized
from tools.stripe_sandbox.faults import Fault, metadata_of_token

LONGEST = (
    "pm_sandbox_capture_error_500_before_1__webhook_duplicate_3__refund_timeout_after_2__latency_50"
)


@pytest.mark.parametrize(
    ("token", "metadata"),
    [
        ("pm_sandbox_timeout_after", {"sandbox_fault": "timeout_after"}),
        ("pm_sandbox_error_500_before_2", {"sandbox_fault": "error_500_before:2"}),
        ("pm_sandbox_conflict_409", {"sandbox_fault": "conflict_409"}),
        ("pm_sandbox_rate_limit_429_3", {"sandbox_fault": "rate_limit_429:3"}),
        ("pm_sandbox_capture_reset_after_1", {"sandbox_fault_capture": "reset_after:1"}),
        (
            LONGEST,
            {
                "sandbox_fault_capture": "error_500_before:1",
                "sandbox_fault": "webhook_duplicate:3,latency:50",
                "sandbox_fault_refund": "timeout_after:2",
            },
        ),
        ("pm_card_visa", {}),
    ],
)
def test_token_reads_as_metadata(token: str, metadata: dict[str, str]) -> None:
    assert metadata_of_token(token) == metadata


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_has_a_token_that_api_and_page_let_through(fault: Fault) -> None:
    for token in (f"pm_sandbox_{fault}", f"pm_sandbox_capture_{fault}_1", LONGEST):
        assert PAYMENT_METHOD.pattern.fullmatch(token)
        assert PAYMENT_TOKEN.fullmatch(token)
        assert len(token) <= PAYMENT_METHOD.most
        assert metadata_of_token(token)


@pytest.mark.parametrize(
    "token",
    [
        "pm_sandbox_",
        "pm_sandbox_boom",
        "pm_sandbox_timeout_after__",
        "pm_sandbox_timeout_after_x",
        "pm_sandbox_void_timeout_after",
        "pm_sandbox_webhook_duplicate_1000000",
        "pm_sandbox_latency_99999999999999999999",
    ],
)
def test_unknown_fault_is_a_clear_400_and_makes_nothing(
    sandbox: SandboxProcess, gateway: StripeGateway, token: str
) -> None:
    body = f"amount=1999&currency=usd&payment_method={token}&confirm=true"
    answer = sandbox.raw("POST", "/v1/payment_intents", body)
    error = answer.json()["error"]
    assert answer.status == 400
    assert (error["code"], error["param"]) == ("sandbox_unknown_fault", "payment_method")
    assert "Known: latency, timeout_before" in error["message"]
    with pytest.raises(GatewayRefused):
        authorize(gateway, payment_method=token)
    assert sandbox.intents() == []


@pytest.mark.parametrize("fault", [*NOT_EXECUTED, *EXECUTED])
def test_token_strikes_as_its_fault_does_and_then_pays_as_a_visa(
    gateway: StripeGateway, sandbox: SandboxProcess, fault: str
) -> None:
    token = f"pm_sandbox_{fault}_1"
    with pytest.raises(MEANS[fault]):
        authorize(gateway, key="k1", payment_method=token)
    assert len(sandbox.intents()) == (1 if fault in EXECUTED else 0)
    if fault == "error_500_after":
        with pytest.raises(GatewayOutcomeUnknown):
            authorize(gateway, key="k1", payment_method=token)
    else:
        again = authorize(gateway, key="k1", payment_method=token)
        assert again.status is IntentStatus.REQUIRES_CAPTURE
    (intent,) = sandbox.intents()
    assert "sandbox_fault" not in json.dumps(intent["metadata"])
    shown = sandbox.client().v1.payment_intents.retrieve(intent["id"])
    visa = sandbox.client().v1.payment_methods.retrieve(str(shown.payment_method))
    assert visa.card.last4 == "4242"


@pytest.mark.parametrize("verb", ["capture", "cancel", "refund"])
def test_token_strikes_at_a_later_operation(gateway: StripeGateway, verb: str) -> None:
    token = f"pm_sandbox_{verb}_rate_limit_429_1"
    intent = authorize(gateway, payment_method=token)
    if verb == "refund":
        gateway.capture(intent.id, key="c1", amount=1999, currency="USD")
    call = {
        "capture": lambda: gateway.capture(intent.id, key="k", amount=1999, currency="USD"),
        "cancel": lambda: gateway.void(intent.id, key="k"),
        "refund": lambda: gateway.refund(
            intent.id, key="k", amount=1999, currency="USD", metadata={}
        ),
    }[verb]
    with pytest.raises(GatewayBusy):
        call()
    call()


def test_token_chosen_at_confirmation_counts(client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create(
        {"amount": 500, "currency": "usd", "payment_method_types": ["card"]}
    )
    given: Any = {"payment_method": "pm_sandbox_confirm_conflict_409_1"}
    with pytest.raises(stripe.StripeError) as busy:
        client.v1.payment_intents.confirm(intent.id, given)
    assert busy.value.http_status == 409
    assert client.v1.payment_intents.confirm(intent.id, given).status == "succeeded"


def test_webhooks_of_the_whole_life_obey_the_token(
    client: stripe.StripeClient, listener: WebhookListener
) -> None:
    kinds = ["payment_intent.created", "payment_intent.succeeded"]
    client.v1.webhook_endpoints.create({"url": listener.url, "enabled_events": kinds})  # type: ignore[typeddict-item]
    intent = authorized(client, payment_method="pm_sandbox_webhook_duplicate_3")
    client.v1.payment_intents.capture(intent.id)
    got = [received.type for received in listener.take(6)]
    assert sorted(got) == [kinds[0]] * 3 + [kinds[1]] * 3


# --- Latency ------------------------------------------------------------------------------------


def test_one_payment_is_slow_and_the_others_are_not(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    def took(**given: Any) -> float:
        began = time.monotonic()
        authorized(client, **given)
        return time.monotonic() - began

    assert took(payment_method="pm_sandbox_latency_400") >= 0.4
    assert took(metadata={"sandbox_fault": "latency:400"}) >= 0.4
    sandbox.faults({"fault": "latency", "number": 400, "metadata": {"order_id": "slow"}})
    assert took(metadata={"order_id": "slow"}) >= 0.4
    took(metadata={"order_id": "quick"})
    assert sandbox.control("faults")["rules"][0]["struck"] == 1


def test_latency_for_all_is_set_and_shown(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    sandbox.control("faults", {"latency_ms": 300})
    began = time.monotonic()
    authorized(client)
    assert time.monotonic() - began >= 0.3
    assert sandbox.control("state")["latency_ms"] == 300


def test_slow_call_keeps_its_key_in_flight(sandbox: SandboxProcess) -> None:
    """The client gives up after 0.4 s; the gateway goes on and is done once."""
    gateway = StripeGateway(secret_key=KEY, api_host=sandbox.url, read_timeout_s=patience.SHORT)
    with pytest.raises(GatewayOutcomeUnknown):
        authorize(gateway, key="k1", payment_method="pm_sandbox_latency_3000")
    with pytest.raises(GatewayBusy):
        authorize(gateway, key="k1", payment_method="pm_sandbox_latency_3000")
    deadline = time.monotonic() + 30
    while True:  # the intent is there a moment before its answer is written under the key
        try:
            intent = authorize(gateway, key="k1", payment_method="pm_sandbox_latency_3000")
            break
        except GatewayBusy:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert [each["id"] for each in sandbox.intents()] == [intent.id]


@pytest.mark.parametrize(
    "rule",
    [
        {"fault": "latency", "number": "long"},
        {"fault": "webhook_duplicate", "number": 1_000_000},
        {"fault": "latency", "number": -1},
        {"fault": "timeout_after", "count": 1.5},
        {"fault": "timeout_after", "probability": 2},
        {"fault": "timeout_after", "often": True},
    ],
)
def test_rule_that_makes_no_sense_is_refused(sandbox: SandboxProcess, rule: dict[str, Any]) -> None:
    rules = json.dumps({"rules": [rule]})
    answer = sandbox.raw("POST", "/_sandbox/faults", rules, Content_Type="application/json")
    assert answer.status == 400, answer.data
    assert sandbox.control("faults")["rules"] == []


# --- Through the shop ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "token",
    [
        "pm_sandbox_timeout_after_1",
        "pm_sandbox_error_500_after_1",
        "pm_sandbox_capture_reset_after_1__latency_20",
        "pm_sandbox_conflict_409_2__capture_rate_limit_429_1",
    ],
)
def test_order_that_is_paid_with_trouble_is_charged_once(shop: Shop, token: str) -> None:
    order_id = shop.place(card=token)
    shop.run_hurried(order_id)
    assert shop.log(order_id, "retry") != []
    assert shop.at_gateway(order_id) == [("succeeded", TOTAL, 0)]
    shop.assert_confirmed(order_id)


def test_order_that_is_paid_with_an_unknown_fault_is_called_off(shop: Shop) -> None:
    order_id = shop.place(card="pm_sandbox_boom")
    shop.run()
    assert shop.intents() == []
    shop.assert_cancelled(order_id)
