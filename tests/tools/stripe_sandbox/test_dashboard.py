"""What a person does at Stripe's dashboard, and what banks do days later."""

from __future__ import annotations

import json
from typing import Any

import pytest
import stripe

from tests.payments.sandbox_process import SandboxProcess


@pytest.fixture
def authorized(client: stripe.StripeClient) -> Any:
    return client.v1.payment_intents.create(
        {
            "amount": 12_113,
            "currency": "usd",
            "capture_method": "manual",
            "confirm": True,
            "payment_method": "pm_card_visa",
            "payment_method_types": ["card"],
        }
    )


def types(client: stripe.StripeClient) -> list[str]:
    return [event.type for event in reversed(client.v1.events.list({"limit": 50}).data)]


def dashboard(sandbox: SandboxProcess, **wanted: Any) -> Any:
    return sandbox.control("dashboard", wanted)


def test_part_is_captured_and_the_rest_released(
    sandbox: SandboxProcess, client: stripe.StripeClient, authorized: Any
) -> None:
    shown = dashboard(sandbox, do="capture", payment_intent=authorized.id, amount=100)

    assert shown["status"] == "succeeded"
    assert (shown["amount"], shown["amount_received"]) == (12_113, 100)
    charge = client.v1.charges.retrieve(shown["latest_charge"])
    assert (charge.amount_captured, charge.amount_refunded) == (100, 12_013)
    assert types(client)[-1] == "payment_intent.succeeded"
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.capture(authorized.id)


def test_more_than_authorized_can_be_captured(
    sandbox: SandboxProcess, client: stripe.StripeClient, authorized: Any
) -> None:
    shown = dashboard(sandbox, do="capture", payment_intent=authorized.id, amount=13_000)
    assert (shown["amount"], shown["amount_received"]) == (12_113, 13_000)


def test_amount_is_changed_before_it_is_paid(
    sandbox: SandboxProcess, client: stripe.StripeClient
) -> None:
    made = client.v1.payment_intents.create({"amount": 2548, "currency": "usd"})
    shown = dashboard(sandbox, do="change_amount", payment_intent=made.id, amount=5000)
    assert shown["amount"] == 5000


def test_refund_fails_after_it_had_succeeded(
    sandbox: SandboxProcess, client: stripe.StripeClient, authorized: Any
) -> None:
    client.v1.payment_intents.capture(authorized.id)
    refund = client.v1.refunds.create({"payment_intent": authorized.id, "amount": 500})
    assert refund.status == "succeeded"

    dashboard(sandbox, do="fail_refund", refund=refund.id)

    again = client.v1.refunds.retrieve(refund.id)
    assert (again.status, again["failure_reason"]) == ("failed", "expired_or_canceled_card")
    charge = client.v1.charges.retrieve(again.charge)
    assert (charge.amount_refunded, charge.refunded) == (0, False)
    assert types(client)[-2:] == ["refund.updated", "refund.failed"]


@pytest.mark.parametrize(
    ("wanted", "status"),
    [({}, 400), ({"do": "steal"}, 400), ({"do": "capture", "payment_intent": "pi_1"}, 404),
     ({"do": "fail_refund", "refund": "re_1"}, 404)],
)  # fmt: skip
def test_what_cannot_be_done_is_refused(
    sandbox: SandboxProcess, wanted: dict[str, Any], status: int
) -> None:
    body = json.dumps(wanted)
    answer = sandbox.raw(
        "POST", "/_sandbox/dashboard", body, key="", Content_Type="application/json"
    )
    assert answer.status == status, answer.data


@pytest.mark.parametrize(("currency", "amount"), [("isk", 550), ("kwd", 5125), ("ugx", 19_950)])
def test_amount_that_no_bank_settles_is_refused(
    client: stripe.StripeClient, currency: str, amount: int
) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="divisible by"):
        client.v1.payment_intents.create({"amount": amount, "currency": currency})
