"""The circuit opens, is tried, closes; what counts as a failure, and what as an answer."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
import redis

from apps.payments import circuit_state
from apps.payments.breaker import BreakerGateway
from apps.payments.circuit import FAILURES_TO_OPEN
from apps.payments.circuit_state import TRIALS
from apps.payments.gateway import (
    GatewayBusy,
    GatewayCircuitOpen,
    GatewayError,
    GatewayMisconfigured,
    GatewayOutcomeUnknown,
    GatewayRefused,
    GatewayTransient,
    GatewayUnreachable,
    PaymentDeclined,
)
from tests.orders.purchases import at_once
from tests.payments.unreliable_gateway import UnreliableGateway, call, end_open_time, opened


@pytest.mark.parametrize(
    "silence",
    [GatewayUnreachable("no connection"), GatewayOutcomeUnknown("timed out, or a 500")],
    ids=lambda silence: type(silence).__name__,
)
def test_ten_failures_in_a_row_open_the_circuit(
    upstream: UnreliableGateway, a_process: Any, silence: GatewayError
) -> None:
    gateway = a_process()
    upstream.stop_answering(silence)

    assert call(gateway, FAILURES_TO_OPEN) == [type(silence)] * FAILURES_TO_OPEN
    assert call(gateway, 3) == [GatewayCircuitOpen] * 3
    assert upstream.calls == FAILURES_TO_OPEN, "it is not called any more"


def test_open_circuit_means_not_sent_and_may_be_repeated() -> None:
    assert issubclass(GatewayCircuitOpen, GatewayUnreachable)
    assert issubclass(GatewayCircuitOpen, GatewayTransient)


def test_one_answer_resets_the_count(upstream: UnreliableGateway, a_process: Any) -> None:
    gateway = a_process()
    for _ in range(3):
        upstream.stop_answering()
        call(gateway, FAILURES_TO_OPEN - 1)
        upstream.recover()
        assert call(gateway) == ["here"]


@pytest.mark.parametrize(
    "answer",
    [
        PaymentDeclined("no", code="card_declined", decline_code=None, intent_id=None),
        GatewayRefused("no", code="resource_missing"),
        GatewayBusy("429 or 409", retry_after=1.0),
        GatewayMisconfigured("401"),
        GatewayOutcomeUnknown("stored 500", replayed=True),
        KeyError("an answer that cannot be read"),
    ],
    ids=lambda answer: type(answer).__name__,
)
def test_answer_of_any_kind_opens_nothing(
    upstream: UnreliableGateway, a_process: Any, answer: Exception
) -> None:
    gateway = a_process()
    upstream.stop_answering(answer)
    assert set(call(gateway, 3 * FAILURES_TO_OPEN)) == {type(answer)}


def test_first_answer_closes_the_circuit_for_all_and_enqueues_the_waking(
    upstream: UnreliableGateway, a_process: Any, redis_of_tests: redis.Redis, enqueued: list[str]
) -> None:
    one, other = a_process(), a_process()
    opened(one, upstream)
    assert call(other) == [GatewayCircuitOpen]
    upstream.recover()
    assert call(one) == [GatewayCircuitOpen], "it stays open for a while first"
    end_open_time(redis_of_tests, one, other)
    assert enqueued == []

    assert call(other) == ["here"]
    assert call(one, 20) == ["here"] * 20
    assert enqueued == ["payments.gateway_recovered"]


def test_refusal_is_an_answer_and_closes_the_circuit(
    upstream: UnreliableGateway, a_process: Any, redis_of_tests: redis.Redis
) -> None:
    gateway = opened(a_process(), upstream)
    end_open_time(redis_of_tests, gateway)
    upstream.stop_answering(GatewayRefused("no", code="resource_missing"))
    assert call(gateway, 5) == [GatewayRefused] * 5


def test_one_failed_trial_opens_it_again_for_all(
    upstream: UnreliableGateway, a_process: Any, redis_of_tests: redis.Redis, enqueued: list[str]
) -> None:
    one, other = a_process(), a_process()
    opened(one, upstream)
    end_open_time(redis_of_tests, one, other)

    assert call(other) == [GatewayUnreachable]
    assert call(one) == call(other) == [GatewayCircuitOpen]
    assert upstream.calls == 1
    assert enqueued == []


def test_request_is_refused_before_it_is_sent(upstream: UnreliableGateway, a_process: Any) -> None:
    gateway = opened(a_process(), upstream)
    with pytest.raises(GatewayCircuitOpen):
        gateway.admit()
    assert upstream.calls == 0


def test_admitted_request_is_sent_whatever_happens_in_between(
    upstream: UnreliableGateway, a_process: Any
) -> None:
    """Its caller has stored in a row that it is sent."""
    gateway = a_process()
    through = gateway.admit()
    opened(gateway, upstream)
    upstream.recover()

    assert call(through, 3) == ["here"] * 3
    assert call(gateway) == [GatewayCircuitOpen], "what was sent before it opened closes nothing"


def test_admitted_requests_are_the_trials(
    upstream: UnreliableGateway, a_process: Any, redis_of_tests: redis.Redis, enqueued: list[str]
) -> None:
    gateway = opened(a_process(), upstream)
    end_open_time(redis_of_tests, gateway)
    through = [gateway.admit() for _ in range(TRIALS)]
    with pytest.raises(GatewayCircuitOpen):
        gateway.admit()
    upstream.recover()

    assert call(through[0], 2) == ["here"] * 2
    assert enqueued == ["payments.gateway_recovered"]
    assert call(gateway) == ["here"]


def test_failure_after_the_first_answer_of_a_request_counts(
    upstream: UnreliableGateway, a_process: Any, redis_of_tests: redis.Redis
) -> None:
    gateway = opened(a_process(), upstream)
    end_open_time(redis_of_tests, gateway)
    through = gateway.admit()
    upstream.recover()
    assert call(through) == ["here"]
    upstream.stop_answering()

    assert call(through, FAILURES_TO_OPEN) == [GatewayUnreachable] * FAILURES_TO_OPEN

    assert call(gateway) == [GatewayCircuitOpen]


def test_time_out_from_before_the_recovery_opens_nothing(
    upstream: UnreliableGateway, a_process: Any, redis_of_tests: redis.Redis
) -> None:
    gateway = a_process()
    circuit = gateway._circuit
    sent_before = [circuit._admit() for _ in range(2 * FAILURES_TO_OPEN)]
    opened(gateway, upstream)
    end_open_time(redis_of_tests, gateway)
    upstream.recover()
    assert call(gateway) == ["here"]

    for era in sent_before:
        circuit._count(era, answered=False)  # timed out at last

    assert call(gateway) == ["here"]


def test_outcome_from_before_the_recovery_does_not_touch_the_count(
    upstream: UnreliableGateway, a_process: Any, redis_of_tests: redis.Redis
) -> None:
    gateway = a_process()
    circuit = gateway._circuit
    sent_before = circuit._admit()
    opened(gateway, upstream)
    end_open_time(redis_of_tests, gateway)
    upstream.recover()
    assert call(gateway) == ["here"]
    upstream.stop_answering()
    call(gateway, FAILURES_TO_OPEN - 1)

    circuit._count(sent_before, answered=True)

    assert call(gateway, 2) == [GatewayUnreachable, GatewayCircuitOpen]


def test_circuit_is_tried_again_after_a_while_by_itself(
    upstream: UnreliableGateway, enqueued: list[str], redis_of_tests: redis.Redis
) -> None:
    gateway = opened(BreakerGateway(upstream), upstream)  # type: ignore[arg-type]
    assert 0 < redis_of_tests.pttl(circuit_state.OPEN_KEY) <= circuit_state.OPEN_FOR_MS
    upstream.recover()
    deadline = time.monotonic() + 60
    while call(gateway) != ["here"]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert enqueued == ["payments.gateway_recovered"]


@pytest.mark.race
def test_calls_run_at_the_same_time(upstream: UnreliableGateway, a_process: Any) -> None:
    """Each waits until all are at the gateway at the same time."""
    everyone = threading.Barrier(64, timeout=30)
    upstream.answer = everyone.wait
    gateway = a_process()
    outcomes = at_once(64, lambda _: gateway.retrieve("pi_1"))
    assert sorted(outcomes) == list(range(64))

    two = threading.Barrier(2, timeout=0.5)
    lock = threading.Lock()

    def under_a_lock() -> int:
        with lock:
            return two.wait()

    outcomes = at_once(2, lambda _: under_a_lock())
    assert {type(each) for each in outcomes} == {threading.BrokenBarrierError}, (
        "with a lock they wait"
    )
