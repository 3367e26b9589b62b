"""The shop's gateway against the running sandbox: what it answers and how it fails."""

from __future__ import annotations

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import stripe

from apps.payments import gateway as gateways
from apps.payments.gateway import (
    GatewayBusy,
    GatewayMisconfigured,
    GatewayOutcomeUnknown,
    GatewayRefused,
    GatewayTransient,
    GatewayUnreachable,
    Intent,
    IntentStatus,
    PaymentDeclined,
)
from apps.payments.order_details import OrderDetails
from apps.payments.stripe_gateway import StripeGateway
from tests.payments.sandbox_process import KEY, SandboxProcess, free_port


def authorize(gateway: StripeGateway, *, key: str | None = None, **given: Any) -> Intent:
    metadata = {"payment_id": "p1", "order_id": "o1"} | given.pop("metadata", {})
    return gateway.authorize(
        **{
            "key": key or str(uuid4()),
            "amount": 1999,
            "currency": "USD",
            "payment_method": "pm_card_visa",
            "metadata": metadata,
            "return_url": "http://shop.test/back",
            **given,
        }
    )


def an_hour_ago() -> datetime:
    return datetime.now(UTC) - timedelta(hours=1)


def test_authorize_capture_refund(gateway: StripeGateway) -> None:
    intent = authorize(gateway)
    assert intent.status is IntentStatus.REQUIRES_CAPTURE
    assert (intent.amount, intent.amount_capturable, intent.currency) == (1999, 1999, "USD")
    assert (intent.payment_id, intent.order_id) == ("p1", "o1")
    assert abs(intent.created_at - datetime.now(UTC)) < timedelta(minutes=1)

    captured = gateway.capture(intent.id, key="c1", amount=1999, currency="USD")
    assert (captured.status, captured.amount_received) == (IntentStatus.SUCCEEDED, 1999)

    refund = gateway.refund(
        intent.id, key="r1", amount=500, currency="USD", metadata={"refund_id": "x"}
    )
    assert (refund.amount, refund.status, refund.intent_id) == (500, "succeeded", intent.id)
    assert gateway.retrieve(intent.id).amount_refunded == 500
    assert gateway.retrieve_refunds(intent.id) == [refund]


SHIPPED_TO = {
    "name": "Alice Archer",
    "line1": "12 Kettle Lane",
    "line2": "",
    "city": "Portland",
    "region": "OR",
    "postal_code": "97214",
    "country": "US",
    "phone": "+15035550100",
}


def test_payment_says_what_it_is_for(gateway: StripeGateway, client: stripe.StripeClient) -> None:
    """Stripe's fraud checks and a dispute have little else to go by."""
    details = OrderDetails(
        number="KP-1042",
        email="alice@example.com",
        billing_name="Alice Archer",
        shipping=SHIPPED_TO,
    )
    intent = authorize(gateway, details=details)
    shown = json.loads(str(client.v1.payment_intents.retrieve(intent.id)))
    assert shown["description"] == "Order KP-1042"
    assert shown["metadata"]["email"] == "alice@example.com"
    assert shown["metadata"]["billing_name"] == "Alice Archer"
    assert shown["metadata"]["order"] == "KP-1042"
    assert shown["receipt_email"] is None, "Stripe would mail a receipt beside the shop's own"
    assert shown["shipping"]["name"] == "Alice Archer"
    assert shown["shipping"]["phone"] == "+15035550100"
    assert shown["shipping"]["address"] == {
        "line1": "12 Kettle Lane",
        "line2": None,
        "city": "Portland",
        "state": "OR",
        "postal_code": "97214",
        "country": "US",
    }


def test_address_that_stripe_does_not_take_costs_no_order(
    gateway: StripeGateway, client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    details = OrderDetails(number="KP-7", shipping=SHIPPED_TO | {"country": "Oregon"})
    intent = authorize(gateway, details=details)
    assert intent.status is IntentStatus.REQUIRES_CAPTURE
    assert len(sandbox.intents()) == 1
    shown = json.loads(str(client.v1.payment_intents.retrieve(intent.id)))
    assert (shown["shipping"], shown["description"]) == (None, "Order KP-7")


def test_payment_of_an_older_release_is_asked_as_it_was(
    gateway: StripeGateway, client: stripe.StripeClient
) -> None:
    """It kept no details; under its key the request must stay the same."""
    intent = authorize(gateway, details=OrderDetails.of({}))
    shown = json.loads(str(client.v1.payment_intents.retrieve(intent.id)))
    assert (shown["shipping"], shown["description"]) == (None, None)
    assert "email" not in shown["metadata"]


def test_partial_capture_and_void_are_no_refunds(gateway: StripeGateway) -> None:
    partial = authorize(gateway)
    gateway.capture(partial.id, key="c1", amount=1500, currency="USD")
    refund = gateway.refund(partial.id, key="r1", amount=499, currency="USD", metadata={})
    assert gateway.retrieve(partial.id).amount_refunded == 499
    assert gateway.retrieve_refunds(partial.id) == [refund]

    voided = authorize(gateway)
    assert gateway.void(voided.id, key="v1").status is IntentStatus.CANCELED
    assert gateway.retrieve(voided.id).amount_refunded == 0
    assert gateway.retrieve_refunds(voided.id) == []


def test_challenge_tells_where_to_send_the_shopper(
    gateway: StripeGateway, sandbox: SandboxProcess
) -> None:
    intent = authorize(gateway, payment_method="pm_card_threeDSecure2Required")
    assert intent.status is IntentStatus.REQUIRES_ACTION
    assert intent.next_action_url is not None
    assert intent.next_action_url.startswith(f"{sandbox.url}/3d-secure/{intent.id}/")


def test_decline_carries_reason_and_payment(gateway: StripeGateway) -> None:
    with pytest.raises(PaymentDeclined) as declined:
        authorize(gateway, payment_method="pm_card_visa_chargeDeclinedInsufficientFunds")
    assert declined.value.code == "card_declined"
    assert declined.value.decline_code == "insufficient_funds"
    assert declined.value.message == "Your card has insufficient funds."
    assert declined.value.intent_id is not None
    left = gateway.retrieve(declined.value.intent_id)
    assert left.status is IntentStatus.REQUIRES_PAYMENT_METHOD
    assert left.decline_code == "insufficient_funds"


def test_wrong_state_is_refused_with_the_payment_as_it_is(gateway: StripeGateway) -> None:
    intent = authorize(gateway)
    gateway.capture(intent.id, key="c1", amount=1999, currency="USD")
    with pytest.raises(GatewayRefused) as refused:
        gateway.void(intent.id, key="v1")
    assert refused.value.code == "payment_intent_unexpected_state"
    assert refused.value.intent_id == intent.id
    assert refused.value.intent is not None
    assert refused.value.intent.status is IntentStatus.SUCCEEDED


def test_refund_above_the_capture_is_refused(gateway: StripeGateway) -> None:
    intent = authorize(gateway)
    gateway.capture(intent.id, key="c1", amount=1999, currency="USD")
    with pytest.raises(GatewayRefused) as refused:
        gateway.refund(intent.id, key="r1", amount=2000, currency="USD", metadata={})
    assert refused.value.intent_id == intent.id
    assert gateway.retrieve(intent.id).amount_refunded == 0


def test_unknown_payment_and_reused_key_are_refused(gateway: StripeGateway) -> None:
    with pytest.raises(GatewayRefused) as missing:
        gateway.retrieve("pi_none")
    assert missing.value.code == "resource_missing"
    authorize(gateway, key="k1")
    with pytest.raises(GatewayRefused) as reused:
        authorize(gateway, key="k1", amount=1)
    assert reused.value.code == "idempotency_error"


def test_wrong_credentials_wait_for_a_person(sandbox: SandboxProcess) -> None:
    gateway = StripeGateway(secret_key="pk_test_wrong", api_host=sandbox.url)
    with pytest.raises(GatewayMisconfigured):
        authorize(gateway)


NOT_EXECUTED = ["timeout_before", "error_500_before", "conflict_409", "rate_limit_429",
                "reset_before"]  # fmt: skip
EXECUTED = ["timeout_after", "error_500_after", "reset_after"]
MEANS = {
    "timeout_before": GatewayOutcomeUnknown,
    "timeout_after": GatewayOutcomeUnknown,
    "error_500_before": GatewayOutcomeUnknown,
    "error_500_after": GatewayOutcomeUnknown,
    "reset_before": GatewayOutcomeUnknown,
    "reset_after": GatewayOutcomeUnknown,
    "conflict_409": GatewayBusy,
    "rate_limit_429": GatewayBusy,
}


@pytest.mark.parametrize("fault", NOT_EXECUTED)
def test_fault_before_executing_heals_with_the_same_key(
    gateway: StripeGateway, sandbox: SandboxProcess, fault: str
) -> None:
    metadata = {"sandbox_fault": f"{fault}:1"}
    with pytest.raises(MEANS[fault]):
        authorize(gateway, key="k1", metadata=metadata)
    assert sandbox.intents() == []
    assert authorize(gateway, key="k1", metadata=metadata).status is IntentStatus.REQUIRES_CAPTURE
    assert len(sandbox.intents()) == 1


@pytest.mark.parametrize("fault", EXECUTED)
def test_fault_after_executing_never_charges_twice(
    gateway: StripeGateway, sandbox: SandboxProcess, fault: str
) -> None:
    metadata = {"sandbox_fault": f"{fault}:1"}
    with pytest.raises(GatewayOutcomeUnknown):
        authorize(gateway, key="k1", metadata=metadata)
    assert [intent["status"] for intent in sandbox.intents()] == ["requires_capture"]

    if fault == "error_500_after":
        with pytest.raises(GatewayOutcomeUnknown) as stuck:
            authorize(gateway, key="k1", metadata=metadata)
        assert stuck.value.replayed, "the key is bound to the stored 500"
        resolved = gateway.find(payment_id="p1", created_after=an_hour_ago())
    else:
        resolved = authorize(gateway, key="k1", metadata=metadata)

    assert resolved is not None
    assert resolved.id == sandbox.intents()[0]["id"]
    assert len(sandbox.intents()) == 1


@pytest.mark.parametrize("fault", EXECUTED)
@pytest.mark.parametrize("verb", ["capture", "cancel", "refund"])
def test_lost_answers_of_later_calls_are_seen_by_retrieve(
    gateway: StripeGateway, fault: str, verb: str
) -> None:
    intent = authorize(gateway, metadata={f"sandbox_fault_{verb}": f"{fault}:1"})
    if verb == "refund":
        gateway.capture(intent.id, key="c1", amount=1999, currency="USD")
    call = {
        "capture": lambda: gateway.capture(intent.id, key="k", amount=1999, currency="USD"),
        "cancel": lambda: gateway.void(intent.id, key="k"),
        "refund": lambda: gateway.refund(
            intent.id, key="k", amount=1999, currency="USD", metadata={}
        ),
    }[verb]
    with pytest.raises(GatewayOutcomeUnknown):
        call()
    now = gateway.retrieve(intent.id)
    seen = {
        "capture": now.status is IntentStatus.SUCCEEDED and now.amount_received == 1999,
        "cancel": now.status is IntentStatus.CANCELED,
        "refund": now.amount_refunded == 1999,
    }[verb]
    assert seen


def test_rate_limit_says_when_to_come_again(gateway: StripeGateway) -> None:
    with pytest.raises(GatewayBusy) as busy:
        authorize(gateway, metadata={"sandbox_fault": "rate_limit_429"})
    assert busy.value.retry_after == 1.0


def test_outage_and_recovery(gateway: StripeGateway, sandbox: SandboxProcess) -> None:
    intent = authorize(gateway)
    sandbox.faults({"fault": "outage"})
    with pytest.raises(GatewayTransient):
        gateway.retrieve(intent.id)
    with pytest.raises(GatewayTransient):
        authorize(gateway, key="k2")
    sandbox.faults()
    assert gateway.retrieve(intent.id) == intent
    assert authorize(gateway, key="k2").id != intent.id


def test_closed_port_is_unreachable_and_never_an_unknown_outcome() -> None:
    gateway = StripeGateway(secret_key=KEY, api_host=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(GatewayUnreachable) as unreachable:
        authorize(gateway)
    assert not isinstance(unreachable.value, GatewayOutcomeUnknown)


def test_full_backlog_is_unreachable_within_the_connect_timeout() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        port = deaf.getsockname()[1]
        held = [socket.socket() for _ in range(4)]
        for one in held:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        time.sleep(0.1)
        gateway = StripeGateway(
            secret_key=KEY, api_host=f"http://127.0.0.1:{port}", connect_timeout_s=0.3
        )
        began = time.monotonic()
        with pytest.raises(GatewayUnreachable):
            authorize(gateway)
        assert time.monotonic() - began < 10
        for one in held:
            one.close()


def test_answer_that_is_not_the_gateways_leaves_the_outcome_open(
    sandbox: SandboxProcess,
) -> None:
    """A proxy's error page says nothing about what happened behind it."""
    server = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\n<p/>")

    threading.Thread(target=answer, daemon=True).start()
    gateway = StripeGateway(secret_key=KEY, api_host=f"http://127.0.0.1:{server.getsockname()[1]}")
    with pytest.raises(GatewayOutcomeUnknown):
        authorize(gateway)
    server.close()


def test_find_by_our_payment_id(gateway: StripeGateway) -> None:
    authorize(gateway, metadata={"payment_id": "other"})
    wanted = authorize(gateway, metadata={"payment_id": "it's 'quoted'"})
    found = gateway.find(payment_id="it's 'quoted'", created_after=wanted.created_at)
    assert found == wanted
    assert gateway.find(payment_id="nobody", created_after=an_hour_ago()) is None


def test_find_does_not_trust_the_no_of_a_lagging_search(
    gateway: StripeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = authorize(gateway, metadata={"payment_id": "fresh"})
    call = gateway._call

    def lagging(method: str, path: str, **params: Any) -> dict[str, Any]:
        return {"data": []} if path.endswith("/search") else call(method, path, **params)

    monkeypatch.setattr(gateway, "_call", lagging)
    assert gateway.find(payment_id="fresh", created_after=wanted.created_at) == wanted


def test_list_reads_every_page_with_refunds(gateway: StripeGateway) -> None:
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda _: authorize(gateway), range(130)))
    gateway.capture(made[0].id, key="c1", amount=1999, currency="USD")
    gateway.refund(made[0].id, key="r1", amount=7, currency="USD", metadata={})
    listed = {intent.id: intent for intent in gateway.list_intents(created_after=an_hour_ago())}
    assert set(listed) == {intent.id for intent in made}
    assert listed[made[0].id].amount_refunded == 7
    later = datetime.now(UTC) + timedelta(minutes=5)
    assert list(gateway.list_intents(created_after=later)) == []
    assert (
        list(gateway.list_intents(created_after=an_hour_ago(), created_before=an_hour_ago())) == []
    )


def test_many_threads_share_connections(gateway: StripeGateway, sandbox: SandboxProcess) -> None:
    sandbox.control("faults", {"latency_ms": 50})
    began = time.monotonic()
    with ThreadPoolExecutor(64) as pool:
        made = list(pool.map(lambda _: authorize(gateway), range(256)))
    assert len({intent.id for intent in made}) == 256
    assert time.monotonic() - began < 256 * 0.05, "64 at a time, not one after the other"


def test_get_gateway_is_one_per_process(settings: Any, sandbox: SandboxProcess) -> None:
    settings.STRIPE_SECRET_KEY = KEY
    settings.STRIPE_API_HOST = sandbox.url
    gateways._forget_after_fork()
    try:
        one = gateways.get_gateway()
        assert gateways.get_gateway() is one
        assert list(one.list_intents(created_after=an_hour_ago())) == []
    finally:
        gateways._forget_after_fork()
