"""The sandbox gateway as a running process, clean for each test that asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import stripe

from apps.payments.stripe_gateway import StripeGateway
from tests.orders.purchases import committed_database, shop
from tests.payments.sandbox_process import KEY, SandboxProcess, WebhookListener

__all__ = ["committed_database", "shop"]


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
def gateway(sandbox: SandboxProcess) -> StripeGateway:
    """The shop's gateway with a short patience, so that timeouts are quick to see."""
    return StripeGateway(secret_key=KEY, api_host=sandbox.url, read_timeout_s=0.4)


@pytest.fixture
def listener() -> Iterator[WebhookListener]:
    listener = WebhookListener()
    listener.start()
    yield listener
    listener.stop()
