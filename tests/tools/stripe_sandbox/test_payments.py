"""The sandbox seen through the official client: the life of a payment, declines, state errors."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.payments.sandbox_process import SandboxProcess


def authorized(client: stripe.StripeClient, **given: Any) -> stripe.PaymentIntent:
    return client.v1.payment_intents.create(
        {
            "amount": 1999,
            "currency": "usd",
            "payment_method": "pm_card_visa",
            "payment_method_types": ["card"],
            "capture_method": "manual",
            "confirm": True,
            "return_url": "http://shop.test/back",
            **given,
        }
    )


def test_authorization_reserves_and_capture_takes(client: stripe.StripeClient) -> None:
    intent = authorized(client, metadata={"order_id": "o1"})
    assert (intent.status, intent.amount_capturable, intent.amount_received) == (
        "requires_capture",
        1999,
        0,
    )
    assert intent.metadata["order_id"] == "o1"

    captured = client.v1.payment_intents.capture(intent.id)

    assert (captured.status, captured.amount_capturable, captured.amount_received) == (
        "succeeded",
        0,
        1999,
    )
    charge = client.v1.charges.retrieve(str(captured.latest_charge))
    assert (charge.captured, charge.amount_captured, charge.paid) == (True, 1999, True)
    assert charge.payment_intent == intent.id


def test_automatic_capture_succeeds_at_once(client: stripe.StripeClient) -> None:
    intent = authorized(client, capture_method="automatic")
    assert (intent.status, intent.amount_received) == ("succeeded", 1999)


def test_create_then_confirm_in_two_calls(client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create(
        {"amount": 500, "currency": "eur", "payment_method_types": ["card"]}
    )
    assert intent.status == "requires_payment_method"
    confirmed = client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})
    assert confirmed.status == "succeeded"


def test_partial_capture_releases_the_rest(client: stripe.StripeClient) -> None:
    intent = authorized(client)
    captured = client.v1.payment_intents.capture(intent.id, {"amount_to_capture": 1500})
    assert captured.amount_received == 1500
    charge = client.v1.charges.retrieve(str(captured.latest_charge))
    assert (charge.amount_captured, charge.amount_refunded, charge.refunded) == (1500, 499, False)
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded"):
        client.v1.refunds.create({"payment_intent": intent.id, "amount": 1501})
    client.v1.refunds.create({"payment_intent": intent.id, "amount": 1500})


def test_capture_above_the_authorization_is_refused(client: stripe.StripeClient) -> None:
    intent = authorized(client)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.capture(intent.id, {"amount_to_capture": 2000})
    assert refused.value.code == "amount_too_large"
    assert client.v1.payment_intents.retrieve(intent.id).status == "requires_capture"


def test_cancelled_authorization_charges_no_one(client: stripe.StripeClient) -> None:
    intent = authorized(client)
    cancelled = client.v1.payment_intents.cancel(
        intent.id, {"cancellation_reason": "requested_by_customer"}
    )
    assert (cancelled.status, cancelled.amount_capturable) == ("canceled", 0)
    charge = client.v1.charges.retrieve(str(cancelled.latest_charge))
    assert (charge.captured, charge.refunded) == (False, True)


@pytest.mark.parametrize("verb", ["capture", "cancel", "confirm"])
def test_wrong_state_is_refused_with_the_payment_inside(
    client: stripe.StripeClient, verb: str
) -> None:
    intent = authorized(client)
    client.v1.payment_intents.capture(intent.id)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        getattr(client.v1.payment_intents, verb)(intent.id)
    assert refused.value.code == "payment_intent_unexpected_state"
    assert refused.value.error is not None
    assert refused.value.error.payment_intent.status == "succeeded"


@pytest.mark.parametrize(
    ("token", "code", "decline_code"),
    [
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
        (
            "pm_card_visa_chargeDeclinedVelocityLimitExceeded",
            "card_declined",
            "card_velocity_exceeded",
        ),
        ("pm_card_radarBlock", "card_declined", "fraudulent"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", None),
    ],
)
def test_decline_names_its_reason_and_charges_nothing(
    client: stripe.StripeClient, token: str, code: str, decline_code: str | None
) -> None:
    with pytest.raises(stripe.CardError) as declined:
        authorized(client, payment_method=token)
    assert declined.value.http_status == 402
    assert declined.value.code == code
    assert declined.value.error is not None
    assert getattr(declined.value.error, "decline_code", None) == decline_code
    intent = declined.value.error.payment_intent
    assert intent.status == "requires_payment_method"
    assert (intent.amount_capturable, intent.amount_received) == (0, 0)
    charge = client.v1.charges.retrieve(declined.value.error.charge)
    assert (charge.status, charge.paid, charge.failure_code) == ("failed", False, code)


def test_declined_payment_can_be_tried_with_another_card(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError) as declined:
        authorized(client, payment_method="pm_card_visa_chargeDeclined")
    assert declined.value.error is not None
    intent = client.v1.payment_intents.confirm(
        declined.value.error.payment_intent.id, {"payment_method": "pm_card_mastercard"}
    )
    assert (intent.status, intent.last_payment_error) == ("requires_capture", None)


def test_refunds_never_exceed_the_capture(client: stripe.StripeClient) -> None:
    intent = authorized(client)
    client.v1.payment_intents.capture(intent.id)
    first = client.v1.refunds.create(
        {"payment_intent": intent.id, "amount": 1000, "metadata": {"refund_id": "r1"}}
    )
    assert (first.status, first.amount) == ("succeeded", 1000)
    assert first.metadata is not None
    assert first.metadata["refund_id"] == "r1"
    with pytest.raises(stripe.InvalidRequestError, match=r"\(1000\).*\(999\)"):
        client.v1.refunds.create({"payment_intent": intent.id, "amount": 1000})
    client.v1.refunds.create({"payment_intent": intent.id})  # what is left
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.refunds.create({"payment_intent": intent.id, "amount": 1})
    assert refused.value.code == "charge_already_refunded"
    refunds = client.v1.refunds.list({"payment_intent": intent.id})
    assert [refund.amount for refund in refunds.data] == [999, 1000]


def test_uncaptured_payment_has_nothing_to_refund(client: stripe.StripeClient) -> None:
    intent = authorized(client)
    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge"):
        client.v1.refunds.create({"payment_intent": intent.id})


def test_pending_refund_settles_and_failed_refund_returns_the_money(
    client: stripe.StripeClient,
) -> None:
    slow = authorized(client, payment_method="pm_card_pendingRefund")
    client.v1.payment_intents.capture(slow.id)
    pending = client.v1.refunds.create({"payment_intent": slow.id})
    assert pending.status == "pending"
    assert client.v1.refunds.retrieve(pending.id).status == "succeeded"

    broken = authorized(client, payment_method="pm_card_refundFail")
    client.v1.payment_intents.capture(broken.id)
    hopeful = client.v1.refunds.create({"payment_intent": broken.id})
    assert hopeful.status == "succeeded"
    assert client.v1.refunds.retrieve(hopeful.id).status == "failed"
    charge = client.v1.payment_intents.retrieve(broken.id, {"expand": ["latest_charge"]})
    assert charge.latest_charge.amount_refunded == 0  # type: ignore[union-attr]


def test_list_is_newest_first_paged_and_bounded_by_time(client: stripe.StripeClient) -> None:
    made = [authorized(client).id for _ in range(5)]
    page = client.v1.payment_intents.list({"limit": 2})
    assert [intent.id for intent in page.data] == [made[4], made[3]]
    assert page.has_more
    assert [intent.id for intent in page.auto_paging_iter()] == made[::-1]
    created = page.data[0].created
    assert client.v1.payment_intents.list({"created": {"gt": created + 60}}).data == []
    everything = client.v1.payment_intents.list({"created": {"gte": created - 60}, "limit": 100})
    assert len(everything.data) == 5


def test_search_finds_by_metadata(client: stripe.StripeClient) -> None:
    authorized(client, metadata={"payment_id": "p1"})
    wanted = authorized(client, metadata={"payment_id": "p2"})
    found = client.v1.payment_intents.search({"query": "metadata['payment_id']:'p2'"})
    assert [intent.id for intent in found.data] == [wanted.id]


def test_payment_method_account_and_balance_can_be_read(client: stripe.StripeClient) -> None:
    intent = authorized(client, capture_method="automatic")
    method = client.v1.payment_methods.retrieve(str(intent.payment_method))
    assert method.card is not None
    assert (method.card.brand, method.card.last4) == ("visa", "4242")
    assert client.v1.accounts.retrieve_current().charges_enabled
    assert client.v1.balance.retrieve().available[0].amount == 1999


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ("currency=usd", "parameter_missing", "amount"),
        ("amount=100", "parameter_missing", "currency"),
        ("amount=100&currency=usd&colour=red", "parameter_unknown", "colour"),
        ("amount=1.5&currency=usd", "parameter_invalid_integer", "amount"),
        ("amount=-1&currency=usd", "parameter_invalid_integer", "amount"),
        ("amount=49&currency=usd", "amount_too_small", "amount"),
        ("amount=100000000&currency=usd", "amount_too_large", "amount"),
        ("amount=&currency=usd", "parameter_invalid_empty", "amount"),
        ("amount=100&currency=xxx", None, "currency"),
        ("amount=100&currency=usd&capture_method=later", None, "capture_method"),
        ("amount=100&currency=usd&confirm=yes", None, "confirm"),
        ("amount=100&currency=usd&metadata[k]=" + "x" * 501, None, "metadata[k]"),
        (
            "amount=100&currency=usd&confirm=true&payment_method=pm_unknown",
            "resource_missing",
            "payment_method",
        ),
        (
            "amount=100&currency=usd&payment_method_data[card][number]=4242",
            "sandbox_not_played",
            "payment_method_data",
        ),
    ],
)
def test_parameters_are_checked_like_stripes(
    sandbox: SandboxProcess, body: str, code: str | None, param: str
) -> None:
    answer = sandbox.raw("POST", "/v1/payment_intents", body)
    error = answer.json()["error"]
    assert answer.status == 400 or (answer.status, code) == (404, "resource_missing")
    assert (error["type"], error.get("code"), error["param"]) == (
        "invalid_request_error",
        code,
        param,
    )
    assert sandbox.intents() == []


def test_credentials_are_asked_for(sandbox: SandboxProcess) -> None:
    assert sandbox.raw("GET", "/v1/balance", key="").status == 401
    live = sandbox.raw("GET", "/v1/balance", key="sk_live_" + "x" * 24)
    assert live.status == 401
    assert "x" * 24 not in live.data.decode()


def test_unknown_routes_and_ids_answer_404(sandbox: SandboxProcess) -> None:
    assert sandbox.raw("GET", "/v1/subscriptions").status == 404
    missing = sandbox.raw("GET", "/v1/payment_intents/pi_none")
    assert missing.status == 404
    assert missing.json()["error"]["code"] == "resource_missing"
    assert missing.headers["request-id"].startswith("req_")


def test_control_endpoints_answer_this_machine_only(sandbox: SandboxProcess) -> None:
    rebound = sandbox.raw("GET", "/_sandbox/state", Host="evil.example")
    proxied = sandbox.raw("GET", "/_sandbox/state", X_Forwarded_For="203.0.113.9")
    cross_site = sandbox.raw("POST", "/_sandbox/reset", "a=b")
    assert (rebound.status, proxied.status, cross_site.status) == (403, 403, 400)


def test_state_survives_a_killed_sandbox() -> None:
    sandbox = SandboxProcess()
    try:
        sandbox.start()
        intent = authorized(sandbox.client())
        sandbox.stop(kill=True)
        sandbox.start()
        again = sandbox.client().v1.payment_intents.capture(intent.id)
        assert again.status == "succeeded"
    finally:
        sandbox.remove()
