"""The gateway of the shop sends each call through the circuit, and metrics show its state."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from apps.core import metrics_scrape
from apps.payments import gateway as gateways
from apps.payments.breaker import BreakerGateway
from apps.payments.circuit import FAILURES_TO_OPEN, Circuit
from apps.payments.gateway import (
    GatewayCircuitOpen,
    GatewayUnreachable,
)
from tests.payments.unreliable_gateway import UnreliableGateway, call, end_open_time, opened


def test_list_that_breaks_off_is_a_failure(upstream: UnreliableGateway, a_process: Any) -> None:
    gateway = a_process()
    upstream.stop_answering()
    since = datetime.now(UTC)
    for _ in range(FAILURES_TO_OPEN):
        with pytest.raises(GatewayUnreachable):
            list(gateway.list_intents(created_after=since))
    with pytest.raises(GatewayCircuitOpen):
        list(gateway.list_intents(created_after=since))


def shown() -> dict[str, float]:
    """`/metrics` lines about the circuit."""
    circuit = "storefront_gateway_circuit"
    text = metrics_scrape.scrape().decode()
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if line.startswith(circuit)]
    return {name.removeprefix(circuit): float(value) for name, value in lines}


@pytest.mark.django_db
def test_metrics_show_the_state_of_the_circuit(
    upstream: UnreliableGateway, a_process: Any, redis_of_tests: redis.Redis
) -> None:
    names = ('{state="closed"}', '{state="open"}', '{state="half_open"}', "_opened_total")
    assert shown() == dict(zip(names, (1, 0, 0, 0), strict=True))
    gateway = opened(a_process(), upstream)
    assert shown() == dict(zip(names, (0, 1, 0, 1), strict=True))
    end_open_time(redis_of_tests, gateway)
    call(gateway)  # fails: the same outage
    assert shown() == dict(zip(names, (0, 1, 0, 1), strict=True))
    end_open_time(redis_of_tests, gateway)
    gateway._circuit._admit()
    assert shown() == dict(zip(names, (0, 0, 1, 1), strict=True))
    upstream.recover()
    end_open_time(redis_of_tests)
    call(gateway)
    assert shown() == dict(zip(names, (1, 0, 0, 1), strict=True))


def test_gateway_of_the_shop_is_behind_the_circuit() -> None:
    gateways._forget_after_fork()
    try:
        assert isinstance(gateways.get_gateway(), BreakerGateway)
        assert isinstance(gateways.get_gateway()._circuit, Circuit)
    finally:
        gateways._forget_after_fork()
