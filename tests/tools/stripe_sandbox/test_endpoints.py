"""Registering the shop's webhook address: once, whatever was there before."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import stripe
from django.urls import reverse
from djstripe.models import WebhookEndpoint

from apps.payments.endpoints import EVENTS, ensure_webhook_endpoint, webhook_url
from apps.payments.gateway import GatewayUnreachable
from tests.payments.sandbox_process import KEY, SandboxProcess, WebhookListener, free_port
from tests.tools.stripe_sandbox.test_payments import authorized

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def shop(settings: Any, sandbox: SandboxProcess, listener: WebhookListener) -> None:
    settings.STRIPE_SECRET_KEY = settings.STRIPE_TEST_SECRET_KEY = KEY
    settings.STRIPE_API_HOST = sandbox.url
    settings.SHOP_URL = f"http://127.0.0.1:{listener.port}"


@pytest.fixture(autouse=True)
def library_host(sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """dj-stripe reads STRIPE_API_HOST once, when it is imported."""
    monkeypatch.setattr(stripe, "api_base", sandbox.url)


def test_registers_and_remembers(client: stripe.StripeClient, listener: WebhookListener) -> None:
    endpoint = ensure_webhook_endpoint()
    (there,) = client.v1.webhook_endpoints.list().data
    assert (endpoint.id, endpoint.url) == (there.id, there.url)
    assert endpoint.url == webhook_url(endpoint.djstripe_uuid)
    assert set(there.enabled_events) == set(EVENTS)
    assert endpoint.secret.startswith("whsec_")
    assert "secret" not in WebhookEndpoint.objects.get().stripe_data
    assert endpoint.djstripe_validation_method == "verify_signature"
    assert endpoint.djstripe_tolerance == 300

    authorized(client)
    (got,) = listener.take(1)
    assert stripe.Webhook.construct_event(got.body, got.signature, endpoint.secret)


def test_again_changes_nothing(client: stripe.StripeClient) -> None:
    first = ensure_webhook_endpoint()
    second = ensure_webhook_endpoint()
    assert (first.pk, first.secret) == (second.pk, second.secret)
    assert len(client.v1.webhook_endpoints.list().data) == 1


def test_reset_gateway_gets_a_new_one(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    first = ensure_webhook_endpoint()
    sandbox.control("reset", {"endpoints": True})
    second = ensure_webhook_endpoint()
    assert second.secret != first.secret
    assert WebhookEndpoint.objects.get().id == client.v1.webhook_endpoints.list().data[0].id


def test_lost_row_replaces_the_orphan_at_the_gateway(client: stripe.StripeClient) -> None:
    first = ensure_webhook_endpoint()
    WebhookEndpoint.objects.all().delete()
    second = ensure_webhook_endpoint()
    assert [there.id for there in client.v1.webhook_endpoints.list().data] == [second.id]
    assert second.id != first.id


def test_moved_shop_leaves_nothing_behind(settings: Any, client: stripe.StripeClient) -> None:
    ensure_webhook_endpoint()
    settings.SHOP_URL = "http://127.0.0.1:1"
    moved = ensure_webhook_endpoint()
    (there,) = client.v1.webhook_endpoints.list().data
    assert there.id == moved.id == WebhookEndpoint.objects.get().id
    assert there.url.startswith("http://127.0.0.1:1/")


def test_foreign_endpoints_are_left_alone(client: stripe.StripeClient) -> None:
    other = client.v1.webhook_endpoints.create(
        {"url": "http://other.test/hook", "enabled_events": ["*"]}
    )
    ensure_webhook_endpoint()
    assert other.id in [there.id for there in client.v1.webhook_endpoints.list().data]


def test_narrowed_or_disabled_endpoint_is_mended(client: stripe.StripeClient) -> None:
    first = ensure_webhook_endpoint()
    client.v1.webhook_endpoints.update(
        first.id, {"enabled_events": ["charge.captured"], "disabled": True}
    )
    second = ensure_webhook_endpoint()
    (there,) = client.v1.webhook_endpoints.list().data
    assert (second.id, there.status) == (first.id, "enabled")
    assert set(there.enabled_events) == set(EVENTS)


def test_absent_gateway_is_waited_for_and_then_named(settings: Any) -> None:
    settings.STRIPE_API_HOST = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(GatewayUnreachable):
        ensure_webhook_endpoint(wait=timedelta(seconds=0.3))
    assert not WebhookEndpoint.objects.exists()


def test_address_is_the_one_that_the_shop_answers(settings: Any) -> None:
    endpoint = ensure_webhook_endpoint()
    path = reverse("stripe-webhook", kwargs={"uuid": endpoint.djstripe_uuid})
    assert endpoint.url == settings.SHOP_URL + path
