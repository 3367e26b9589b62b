"""Stripe behind a proxy: the same money rules, and an outage of the proxy sends nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from apps.payments.gateway import GatewayOutcomeUnknown, GatewayUnreachable
from apps.payments.stripe_gateway import StripeGateway, stripe_gateway_from_settings
from tests.payments.connect_proxy import ConnectProxy
from tests.payments.sandbox_process import KEY, SandboxProcess, free_port

Start = Callable[..., ConnectProxy]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[ConnectProxy] = []

    def begin(**given: Any) -> ConnectProxy:
        started.append(ConnectProxy(**given))
        return started[-1]

    yield begin
    for proxy in started:
        proxy.close()


def behind(proxy: str, sandbox: SandboxProcess) -> StripeGateway:
    return StripeGateway(secret_key=KEY, api_host=sandbox.url, read_timeout_s=2.0, proxy=proxy)


def authorize(gateway: StripeGateway, *, key: str = "") -> Any:
    return gateway.authorize(
        key=key or str(uuid4()),
        amount=1999,
        currency="USD",
        payment_method="pm_card_visa",
        metadata={"payment_id": "p1"},
        return_url="http://shop.test/back",
    )


def test_calls_go_through_a_tunnel_that_is_kept(sandbox: SandboxProcess, start: Start) -> None:
    proxy = start()
    gateway = behind(proxy.url, sandbox)
    intent = authorize(gateway)
    gateway.capture(intent.id, key="c1", amount=1999, currency="USD")
    assert gateway.retrieve(intent.id).amount_received == 1999
    assert proxy.requests == [f"CONNECT 127.0.0.1:{sandbox.port} HTTP/1.1"]


def test_proxy_with_a_password(sandbox: SandboxProcess, start: Start) -> None:
    proxy = start(password="shop:s3cret")
    assert authorize(behind(f"http://shop:s3cret@127.0.0.1:{proxy.port}", sandbox)).id
    with pytest.raises(GatewayUnreachable) as refused:
        authorize(behind(f"http://shop:wr0ng@127.0.0.1:{proxy.port}", sandbox))
    assert "wr0ng" not in str(refused.value)
    assert len(sandbox.intents()) == 1


@pytest.mark.parametrize("status", [403, 407, 502, 503])
def test_tunnel_that_is_not_opened_sent_nothing(
    sandbox: SandboxProcess, start: Start, status: int
) -> None:
    """An unknown outcome would have the order look for a payment that cannot be there."""
    gateway = behind(start(refuses=status).url, sandbox)
    with pytest.raises(GatewayUnreachable) as refused:
        authorize(gateway)
    assert not isinstance(refused.value, GatewayOutcomeUnknown)
    assert sandbox.intents() == []


def test_proxy_that_is_away_sent_nothing(sandbox: SandboxProcess) -> None:
    with pytest.raises(GatewayUnreachable):
        authorize(behind(f"http://127.0.0.1:{free_port()}", sandbox))
    assert sandbox.intents() == []


def test_tunnel_that_breaks_after_the_request_leaves_the_outcome_open(
    sandbox: SandboxProcess, start: Start
) -> None:
    proxy = start(cuts_answers=True)
    gateway = behind(proxy.url, sandbox)
    with pytest.raises(GatewayOutcomeUnknown):
        authorize(gateway, key="k1")
    assert len(proxy.requests) == 1, "libcurl sends nothing again by itself"
    proxy.cuts_answers = False
    intent = authorize(gateway, key="k1")
    assert [made["id"] for made in sandbox.intents()] == [intent.id]


def test_kept_tunnel_that_dies_is_no_reason_to_send_again(
    sandbox: SandboxProcess, start: Start
) -> None:
    proxy = start()
    gateway = behind(proxy.url, sandbox)
    intent = authorize(gateway)
    sandbox.faults({"fault": "reset_after", "operations": ["payment_intents.capture"], "count": 1})
    with pytest.raises(GatewayOutcomeUnknown):
        gateway.capture(intent.id, key="c1", amount=1999, currency="USD")
    assert gateway.retrieve(intent.id).amount_received == 1999
    assert len(proxy.requests) == 2, "a new tunnel, for a new call"


def test_what_was_sent_and_finds_no_tunnel_again_was_sent(
    sandbox: SandboxProcess, start: Start
) -> None:
    """The kept tunnel breaks after the request, and the proxy opens no other: not "not sent"."""
    proxy = start()
    gateway = behind(proxy.url, sandbox)
    intent = authorize(gateway)
    sandbox.faults({"fault": "reset_after", "operations": ["payment_intents.capture"], "count": 1})
    proxy.refuses = 503
    with pytest.raises(GatewayOutcomeUnknown):
        gateway.capture(intent.id, key="c1", amount=1999, currency="USD")
    assert sandbox.intents()[0]["amount_received"] == 1999


def test_proxy_of_the_settings_is_used_and_that_of_the_environment_is_not(
    sandbox: SandboxProcess, start: Start, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.STRIPE_SECRET_KEY, settings.STRIPE_API_HOST = KEY, sandbox.url
    for name in ("http_proxy", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    assert authorize(stripe_gateway_from_settings()).id
    proxy = start()
    settings.STRIPE_PROXY = proxy.url
    assert authorize(stripe_gateway_from_settings()).id
    assert len(proxy.requests) == 1
