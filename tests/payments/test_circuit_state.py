"""All processes share the state of the circuit through Redis, and can do without it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from apps.payments import circuit_state
from apps.payments.breaker import BreakerGateway
from apps.payments.circuit_state import CLOSED, OPEN, TRIALS, SharedState
from apps.payments.gateway import (
    GatewayCircuitOpen,
    GatewayUnreachable,
)
from tests.payments.unreliable_gateway import UnreliableGateway, call, end_open_time, opened


def test_all_processes_know_what_one_has_found_out(
    upstream: UnreliableGateway, a_process: Any
) -> None:
    one, other = a_process(), a_process()
    assert call(other) == ["here"]
    opened(one, upstream)

    assert call(other) == [GatewayCircuitOpen]
    assert call(a_process()) == [GatewayCircuitOpen], "also one that was started later"
    assert upstream.calls == 0


def crowd_after_open_time(
    upstream: UnreliableGateway, processes: list[BreakerGateway], redis_of_tests: redis.Redis
) -> int:
    """Eight threads in each process call at once while no answer comes; how many are admitted."""
    opened(processes[0], upstream)
    for gateway in processes:
        call(gateway)
    end_open_time(redis_of_tests, *processes)
    all_have_called = threading.Event()

    def slow() -> str:
        assert all_have_called.wait(30)
        return "here"

    upstream.answer = slow
    refused: list[Any] = []

    def one_caller(number: int) -> None:
        refused.extend(
            outcomes for outcomes in call(processes[number % len(processes)]) if outcomes != "here"
        )

    threads = 8 * len(processes)
    with ThreadPoolExecutor(threads) as pool:
        asked = [pool.submit(one_caller, number) for number in range(threads)]
        deadline = time.monotonic() + 30
        while len(refused) + upstream.calls < threads:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        all_have_called.set()
    assert all(each.exception() is None for each in asked)
    assert set(refused) <= {GatewayCircuitOpen}
    return upstream.calls


@pytest.mark.race
def test_four_busy_processes_make_three_trials_together(
    upstream: UnreliableGateway,
    a_process: Any,
    redis_of_tests: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    processes = [a_process() for _ in range(4)]
    assert crowd_after_open_time(upstream, processes, redis_of_tests) == TRIALS

    redis_of_tests.flushall()
    monkeypatch.setattr(SharedState, "take_trial", lambda self: True)
    processes = [a_process() for _ in range(4)]
    assert crowd_after_open_time(upstream, processes, redis_of_tests) == 32, (
        "without the limit all of them do"
    )


def test_failed_trial_of_one_process_counts_before_a_later_answer_of_another(
    upstream: UnreliableGateway, a_process: Any, redis_of_tests: redis.Redis
) -> None:
    one, other = a_process(), a_process()
    opened(one, upstream)
    end_open_time(redis_of_tests, one, other)
    admitted = one.admit()
    assert call(other) == [GatewayUnreachable]
    upstream.recover()

    assert call(admitted) == ["here"]

    assert call(one) == call(other) == [GatewayCircuitOpen]


def test_trial_of_a_dead_worker_expires(
    upstream: UnreliableGateway, a_process: Any, redis_of_tests: redis.Redis
) -> None:
    dead, alive = a_process(), a_process()
    opened(dead, upstream)
    end_open_time(redis_of_tests, dead, alive)
    for _ in range(TRIALS):
        dead._circuit._admit()  # and no outcome is ever counted
    upstream.recover()
    assert call(alive) == [GatewayCircuitOpen]
    assert 0 < redis_of_tests.pttl(circuit_state.TRIALS_KEY) <= circuit_state.OPEN_FOR_MS

    redis_of_tests.delete(circuit_state.TRIALS_KEY)  # as it expires by itself
    assert call(alive) == ["here"]


def test_without_redis_each_process_goes_by_what_it_sees(
    upstream: UnreliableGateway,
    a_process: Any,
    settings: Any,
    tmp_path: Any,
    redis_of_tests: redis.Redis,
) -> None:
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock"
    one, other = a_process(), a_process()
    assert call(one) == ["here"]
    opened(one, upstream)

    assert call(one) == [GatewayCircuitOpen]
    assert call(other) == [GatewayUnreachable], "it has to find out by itself"
    end_open_time(redis_of_tests, one)
    assert call(one, 5) == [GatewayUnreachable] + 4 * [GatewayCircuitOpen]
    upstream.recover()
    end_open_time(redis_of_tests, one)
    assert call(one, 5) == 5 * ["here"]


def test_without_redis_a_process_makes_its_own_few_trials(
    upstream: UnreliableGateway,
    a_process: Any,
    settings: Any,
    tmp_path: Any,
    redis_of_tests: redis.Redis,
) -> None:
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock"
    gateway = opened(a_process(), upstream)
    end_open_time(redis_of_tests, gateway)
    admitted = []
    for _ in range(2 * TRIALS):
        try:
            admitted.append(gateway._circuit._admit())
        except GatewayCircuitOpen:
            admitted.append(None)
    assert [each is not None for each in admitted] == [True] * TRIALS + [False] * TRIALS


def test_emptied_redis_neither_closes_the_circuit_nor_keeps_it_open(
    upstream: UnreliableGateway, a_process: Any, redis_of_tests: redis.Redis
) -> None:
    gateway = opened(a_process(), upstream)
    redis_of_tests.flushall()
    assert call(gateway, 3) == [GatewayCircuitOpen] * 3
    upstream.recover()
    end_open_time(redis_of_tests, gateway)
    assert call(gateway, 3) == ["here"] * 3


def test_thousand_calls_read_redis_twice_a_second(
    upstream: UnreliableGateway, enqueued: list[str], redis_of_tests: redis.Redis
) -> None:
    gateway = BreakerGateway(upstream)  # type: ignore[arg-type]
    commands = redis_of_tests.info("stats")["total_commands_processed"]
    began = time.monotonic()
    call(gateway, 1000)
    looks = 1 + (time.monotonic() - began) / circuit_state.LOOK_EVERY
    asked = redis_of_tests.info("stats")["total_commands_processed"] - commands
    assert asked <= 2 * looks + 10, "two commands a look; the rest is ours and the connection's"


def test_finding_of_an_ended_era_changes_nothing(
    redis_of_tests: redis.Redis, enqueued: list[str]
) -> None:
    """Another thread has changed the state between a count and its consequence."""
    state = SharedState()
    ended = state.era
    state.change(OPEN, in_era=ended)

    state.change(CLOSED, in_era=ended)

    assert state.state == OPEN
    assert redis_of_tests.get(circuit_state.STATE_KEY) == b"open"
    assert enqueued == []
