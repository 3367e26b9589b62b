"""Idempotency keys as Stripe documents them, and the faults that make them needed."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import stripe

from tests.payments.sandbox_process import SandboxProcess
from tests.waiting import until

BODY = (
    "amount=1999&currency=usd&confirm=true&capture_method=manual&payment_method=pm_card_visa"
    "&payment_method_types[]=card"
)


def test_same_key_and_parameters_replay_the_first_answer(sandbox: SandboxProcess) -> None:
    first = sandbox.raw("POST", "/v1/payment_intents", BODY, Idempotency_Key="k1")
    again = sandbox.raw("POST", "/v1/payment_intents", BODY, Idempotency_Key="k1")
    assert (again.status, again.data) == (200, first.data)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["original-request"] == first.headers["request-id"]
    assert len(sandbox.intents()) == 1


def test_replay_shows_the_first_answer_though_the_payment_moved_on(
    sandbox: SandboxProcess,
) -> None:
    first = sandbox.raw("POST", "/v1/payment_intents", BODY, Idempotency_Key="k1")
    sandbox.client().v1.payment_intents.capture(first.json()["id"])
    again = sandbox.raw("POST", "/v1/payment_intents", BODY, Idempotency_Key="k1")
    assert again.json()["status"] == "requires_capture"


def test_order_of_parameters_does_not_matter(sandbox: SandboxProcess) -> None:
    sandbox.raw("POST", "/v1/payment_intents", "amount=100&currency=usd", Idempotency_Key="k1")
    again = sandbox.raw(
        "POST", "/v1/payment_intents", "currency=usd&amount=100", Idempotency_Key="k1"
    )
    assert again.headers["idempotent-replayed"] == "true"


def test_same_key_with_other_parameters_is_an_error(sandbox: SandboxProcess) -> None:
    sandbox.raw("POST", "/v1/payment_intents", BODY, Idempotency_Key="k1")
    other = sandbox.raw(
        "POST", "/v1/payment_intents", BODY + "&description=x", Idempotency_Key="k1"
    )
    assert (other.status, other.json()["error"]["type"]) == (400, "idempotency_error")
    assert len(sandbox.intents()) == 1


def test_same_key_at_another_endpoint_is_an_error(sandbox: SandboxProcess) -> None:
    made = sandbox.raw("POST", "/v1/payment_intents", BODY, Idempotency_Key="k1").json()
    other = sandbox.raw("POST", f"/v1/payment_intents/{made['id']}/capture", Idempotency_Key="k1")
    assert (other.status, other.json()["error"]["type"]) == (400, "idempotency_error")
    assert sandbox.intents()[0]["status"] == "requires_capture"


def test_decline_replays_and_makes_no_second_payment(client: stripe.StripeClient) -> None:
    ids = set()
    for _ in range(2):
        with pytest.raises(stripe.CardError) as declined:
            client.v1.payment_intents.create(
                {
                    "amount": 1999,
                    "currency": "usd",
                    "payment_method": "pm_card_visa_chargeDeclined",
                    "confirm": True,
                },
                {"idempotency_key": "k1"},
            )
        assert declined.value.error is not None
        ids.add(declined.value.error.payment_intent.id)
    assert len(ids) == 1


def test_failed_validation_does_not_bind_the_key(sandbox: SandboxProcess) -> None:
    wrong = sandbox.raw("POST", "/v1/payment_intents", "amount=100", Idempotency_Key="k1")
    assert wrong.status == 400
    right = sandbox.raw("POST", "/v1/payment_intents", BODY, Idempotency_Key="k1")
    assert right.status == 200
    assert "idempotent-replayed" not in right.headers


def test_key_in_flight_conflicts_and_then_replays(sandbox: SandboxProcess) -> None:
    sandbox.control("faults", {"latency_ms": 400})
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda _: sandbox.raw("POST", "/v1/payment_intents", BODY, Idempotency_Key="k1"),
                range(8),
            )
        )
    statuses = sorted(answer.status for answer in answers)
    assert statuses == [200] + [409] * 7
    conflict = next(answer for answer in answers if answer.status == 409).json()["error"]
    assert (conflict["type"], conflict["code"]) == ("idempotency_error", "idempotency_key_in_use")
    later = sandbox.raw("POST", "/v1/payment_intents", BODY, Idempotency_Key="k1")
    assert later.headers["idempotent-replayed"] == "true"
    assert len(sandbox.intents()) == 1


def test_500_after_executing_replays_for_ever(sandbox: SandboxProcess) -> None:
    body = BODY + "&metadata[sandbox_fault]=error_500_after:1"
    first = sandbox.raw("POST", "/v1/payment_intents", body, Idempotency_Key="k1")
    again = sandbox.raw("POST", "/v1/payment_intents", body, Idempotency_Key="k1")
    assert (first.status, first.json()["error"]["type"]) == (500, "api_error")
    assert (again.status, again.data) == (500, first.data)
    assert again.headers["idempotent-replayed"] == "true"
    assert [intent["status"] for intent in sandbox.intents()] == ["requires_capture"]


def test_500_before_executing_is_forgotten(sandbox: SandboxProcess) -> None:
    body = BODY + "&metadata[sandbox_fault]=error_500_before:1"
    first = sandbox.raw("POST", "/v1/payment_intents", body, Idempotency_Key="k1")
    assert (first.status, sandbox.intents()) == (500, [])
    again = sandbox.raw("POST", "/v1/payment_intents", body, Idempotency_Key="k1")
    assert again.status == 200


def test_key_is_forgotten_after_24_hours(sandbox: SandboxProcess) -> None:
    first = sandbox.raw("POST", "/v1/payment_intents", BODY, Idempotency_Key="k1").json()
    sandbox.control("clock", {"advance_s": 24 * 3600 - 60})
    replay = sandbox.raw("POST", "/v1/payment_intents", BODY, Idempotency_Key="k1")
    assert replay.json()["id"] == first["id"]
    sandbox.control("clock", {"advance_s": 120})
    second = sandbox.raw("POST", "/v1/payment_intents", BODY, Idempotency_Key="k1")
    assert second.json()["id"] != first["id"]


def test_stored_answers_survive_a_killed_sandbox() -> None:
    sandbox = SandboxProcess()
    try:
        sandbox.start()
        first = sandbox.raw("POST", "/v1/payment_intents", BODY, Idempotency_Key="k1")
        sandbox.stop(kill=True)
        sandbox.start()
        again = sandbox.raw("POST", "/v1/payment_intents", BODY, Idempotency_Key="k1")
        assert (again.data, again.headers["idempotent-replayed"]) == (first.data, "true")
    finally:
        sandbox.remove()


def test_client_that_dies_while_waiting_is_charged_all_the_same(sandbox: SandboxProcess) -> None:
    """As at Stripe: hanging up does not take an order back."""
    sandbox.control("faults", {"latency_ms": 300})
    with socket.create_connection(("127.0.0.1", sandbox.port)) as line:
        head = (
            "POST /v1/payment_intents HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: Bearer sk_test_{'t' * 32}\r\nIdempotency-Key: k1\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(BODY)}\r\n\r\n"
        )
        line.sendall((head + BODY).encode())
    until(lambda: len(sandbox.intents()) == 1, "the intent is made")
    sandbox.faults()

    def again() -> Any:
        return sandbox.raw("POST", "/v1/payment_intents", BODY, Idempotency_Key="k1")

    until(lambda: again().status != 409, "the first request has been answered")
    assert again().headers["idempotent-replayed"] == "true"
    assert len(sandbox.intents()) == 1


def test_rules_strike_a_seeded_share_of_the_traffic(sandbox: SandboxProcess) -> None:
    def statuses() -> list[int]:
        sandbox.faults(
            {
                "fault": "rate_limit_429",
                "probability": 0.5,
                "operations": ["payment_intents.create"],
            },
            seed=7,
        )
        return [sandbox.raw("POST", "/v1/payment_intents", BODY).status for _ in range(20)]

    first = statuses()
    assert 3 < first.count(429) < 17
    assert statuses() == first
    rules = sandbox.control("faults")["rules"]
    assert rules[0]["struck"] == first.count(429)
    assert sandbox.raw("GET", "/v1/balance").status == 200


def test_unknown_faults_are_refused(sandbox: SandboxProcess) -> None:
    wrong = sandbox.raw("POST", "/v1/payment_intents", BODY + "&metadata[sandbox_fault]=boom")
    assert wrong.json()["error"]["code"] == "sandbox_unknown_fault"
    rules = json.dumps({"rules": [{"fault": "boom"}]})
    answer = sandbox.raw("POST", "/_sandbox/faults", rules, Content_Type="application/json")
    assert answer.status == 400
