"""A gateway that answers or fails as a test says, behind a circuit breaker of its own.

A `BreakerGateway` with its own `Circuit` stands for each process: two processes share Redis only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import redis

from apps.payments import circuit_state
from apps.payments.breaker import BreakerGateway
from apps.payments.circuit import FAILURES_TO_OPEN
from apps.payments.gateway import GatewayUnreachable


class UnreliableGateway:
    """A gateway with two calls, which admits all; `answer` returns or raises their outcome."""

    def __init__(self) -> None:
        self.calls = 0
        self.answer: Callable[[], Any] = lambda: "here"

    def admit(self) -> UnreliableGateway:
        return self

    def retrieve(self, intent_id: str) -> Any:
        self.calls += 1
        return self.answer()

    def list_intents(self, **_: Any) -> Any:
        yield self.answer()

    def stop_answering(self, silence: Exception | None = None) -> None:
        def no_answer() -> None:
            raise silence or GatewayUnreachable("no connection")

        self.answer = no_answer

    def recover(self) -> None:
        self.answer = lambda: "here"


def call(gateway: BreakerGateway, times: int = 1) -> list[type[Exception] | Any]:
    """What `times` calls return, or the types of what they raise."""
    outcomes = []
    for _ in range(times):
        try:
            outcomes.append(gateway.retrieve("pi_1"))
        except Exception as error:
            outcomes.append(type(error))
    return outcomes


def opened(gateway: BreakerGateway, upstream: UnreliableGateway) -> BreakerGateway:
    upstream.stop_answering()
    call(gateway, FAILURES_TO_OPEN)
    upstream.calls = 0
    return gateway


def end_open_time(redis_of_tests: redis.Redis, *gateways: BreakerGateway) -> None:
    """As if OPEN_FOR were over, for the open circuit and for the trials."""
    redis_of_tests.delete(circuit_state.OPEN_KEY, circuit_state.TRIALS_KEY)
    for gateway in gateways:
        gateway._circuit._shared._open_until = 0.0
        gateway._circuit._shared._own_trials.clear()
