"""The sandbox gateway as a running process, and gateways that fail as a test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import stripe

from apps.payments import circuit_state
from apps.payments.breaker import BreakerGateway
from apps.payments.stripe_gateway import StripeGateway
from tests.orders.purchases import committed_database, declines_are_final, shop
from tests.payments.books import aged
from tests.payments.patience import patience_of
from tests.payments.sandbox_process import KEY, SandboxProcess, WebhookListener
from tests.payments.unreliable_gateway import UnreliableGateway

__all__ = ["aged", "committed_database", "declines_are_final", "shop"]


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[SandboxProcess]:
    process = SandboxProcess()
    process.start()
    yield process
    process.remove()


@pytest.fixture
def sandbox(sandbox_process: SandboxProcess) -> SandboxProcess:
    """The running sandbox, empty, without faults and without latency."""
    sandbox_process.control("reset", {"endpoints": True})
    sandbox_process.control("clock", {"key_age_s": 24 * 3600})
    sandbox_process.faults()
    return sandbox_process


@pytest.fixture
def client(sandbox: SandboxProcess) -> stripe.StripeClient:
    """The official library, unmodified, pointed at the sandbox."""
    return sandbox.client()


@pytest.fixture
def gateway(sandbox: SandboxProcess, request: pytest.FixtureRequest) -> StripeGateway:
    """The shop's gateway, which waits as long as the test needs (patience.py)."""
    return StripeGateway(secret_key=KEY, api_host=sandbox.url, read_timeout_s=patience_of(request))


@pytest.fixture
def listener() -> Iterator[WebhookListener]:
    listener = WebhookListener()
    listener.start()
    yield listener
    listener.stop()


@pytest.fixture
def upstream() -> UnreliableGateway:
    return UnreliableGateway()


@pytest.fixture
def enqueued(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    enqueued: list[str] = []
    monkeypatch.setattr(circuit_state.dispatch, "enqueue_on_commit", enqueued.append)
    return enqueued


@pytest.fixture
def a_process(
    upstream: UnreliableGateway, monkeypatch: pytest.MonkeyPatch, enqueued: list[str]
) -> Callable[[], BreakerGateway]:
    """Makes the gateway of one more process. It reads Redis at each call, and a circuit stays open
    until a test ends that.
    """
    monkeypatch.setattr(circuit_state, "LOOK_EVERY", 0.0)
    monkeypatch.setattr(circuit_state, "OPEN_FOR", timedelta(hours=1))
    monkeypatch.setattr(circuit_state, "OPEN_FOR_MS", 3_600_000)
    return lambda: BreakerGateway(upstream)  # type: ignore[arg-type]
