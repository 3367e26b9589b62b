"""Registering the shop's webhook address: once, whatever was there before."""

from __future__ import annotations

import io
import time
from datetime import timedelta
from typing import Any

import pytest
import stripe
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.urls import reverse
from djstripe.models import WebhookEndpoint

from apps.payments import endpoint_secrets, endpoints, stripe_account, stripe_gateway
from apps.payments.endpoints import EVENTS, ensure_webhook_endpoint, webhook_url
from apps.payments.gateway import GatewayMisconfigured, GatewayUnreachable
from apps.payments.tasks import keep_webhook_endpoint
from tests.payments.sandbox_process import KEY, SandboxProcess, WebhookListener, free_port
from tests.tools.stripe_sandbox.test_payments import authorized
from tools.stack import bootstrap

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def shop(settings: Any, sandbox: SandboxProcess, listener: WebhookListener) -> None:
    settings.STRIPE_SECRET_KEY = settings.STRIPE_TEST_SECRET_KEY = KEY
    settings.STRIPE_API_HOST = sandbox.url
    settings.SHOP_URL = f"http://127.0.0.1:{listener.port}"
    stripe_account._refused.clear()


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


RESTRICTED = "rk_test_" + "r" * 32
RIGHTS = {"payment_intents": "write", "refunds": "write", "webhook_endpoints": "write"}


def test_restricted_key_registers_once_and_keeps_its_endpoint(
    settings: Any, sandbox: SandboxProcess, client: stripe.StripeClient
) -> None:
    """dj-stripe asked for the account, and the 403 ended each start with one endpoint more."""
    settings.STRIPE_SECRET_KEY = settings.STRIPE_TEST_SECRET_KEY = RESTRICTED
    sandbox.control("keys", {RESTRICTED: RIGHTS})
    first = ensure_webhook_endpoint()
    second = ensure_webhook_endpoint()
    assert [there.id for there in client.v1.webhook_endpoints.list().data] == [first.id]
    assert (second.id, second.secret) == (first.id, first.secret)
    assert first.secret.startswith("whsec_")
    assert first.djstripe_owner_account is None


def test_restricted_key_with_the_right_knows_its_account(
    settings: Any, sandbox: SandboxProcess
) -> None:
    settings.STRIPE_SECRET_KEY = settings.STRIPE_TEST_SECRET_KEY = RESTRICTED
    sandbox.control("keys", {RESTRICTED: RIGHTS | {"accounts": "read"}})
    assert ensure_webhook_endpoint().djstripe_owner_account.id.startswith("acct_")


def test_key_that_may_register_nothing_is_named_at_once(
    settings: Any, sandbox: SandboxProcess
) -> None:
    settings.STRIPE_SECRET_KEY = settings.STRIPE_TEST_SECRET_KEY = RESTRICTED
    sandbox.control("keys", {RESTRICTED: {"payment_intents": "write"}})
    began = time.monotonic()
    with pytest.raises(GatewayMisconfigured, match="rak_webhook_endpoint_read"):
        ensure_webhook_endpoint(wait=timedelta(minutes=5))
    assert time.monotonic() - began < 60
    with pytest.raises(ImproperlyConfigured, match=r"^STRIPE_SECRET_KEY: .*rak_webhook") as refused:
        bootstrap._register_webhook_endpoint()
    assert RESTRICTED not in str(refused.value)


def test_events_that_a_person_added_stay(client: stripe.StripeClient) -> None:
    first = ensure_webhook_endpoint()
    client.v1.webhook_endpoints.update(
        first.id, {"enabled_events": ["payout.paid", "charge.refunded"]}
    )
    second = ensure_webhook_endpoint()
    (there,) = client.v1.webhook_endpoints.list().data
    assert second.id == first.id
    assert set(there.enabled_events) == {*EVENTS, "payout.paid"}
    assert set(WebhookEndpoint.objects.get().enabled_events) == {*EVENTS, "payout.paid"}


def test_subscription_to_everything_stays_one(client: stripe.StripeClient) -> None:
    first = ensure_webhook_endpoint()
    client.v1.webhook_endpoints.update(first.id, {"enabled_events": ["*"]})
    ensure_webhook_endpoint()
    assert client.v1.webhook_endpoints.list().data[0].enabled_events == ["*"]


def test_raised_api_version_moves_the_endpoint_with_its_events(
    client: stripe.StripeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stripe cannot change an endpoint's version: it is made anew, the new one first."""
    with monkeypatch.context() as older:
        older.setattr(stripe_gateway, "API_VERSION", "2025-09-30.clover")
        older.setattr(endpoints, "API_VERSION", "2025-09-30.clover")
        first = ensure_webhook_endpoint()
        client.v1.webhook_endpoints.update(
            first.id, {"enabled_events": [*EVENTS, "charge.dispute.created"]}
        )
        assert endpoints.current() is not None
    assert endpoints.current() is None
    alive: list[int] = []
    delete = stripe_gateway.StripeGateway.delete_webhook_endpoint

    def watched(self: Any, endpoint_id: str) -> None:
        alive.append(WebhookEndpoint.objects.count())
        delete(self, endpoint_id)

    monkeypatch.setattr(stripe_gateway.StripeGateway, "delete_webhook_endpoint", watched)
    second = ensure_webhook_endpoint()
    (there,) = client.v1.webhook_endpoints.list().data
    assert (there.id, there.api_version) == (second.id, stripe_gateway.API_VERSION)
    assert second.id != first.id
    assert set(there.enabled_events) == {*EVENTS, "charge.dispute.created"}
    assert WebhookEndpoint.objects.get().api_version == stripe_gateway.API_VERSION
    assert alive == [2], "the new one was there before the old one went"
    assert endpoints.current() is not None


def test_outage_of_stripe_does_not_stop_the_start(
    settings: Any, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(bootstrap, "WAIT_FIRST", timedelta(0))
    monkeypatch.setattr(bootstrap, "WAIT_AGAIN", timedelta(0))
    settings.USES_SANDBOX = settings.DEVELOPMENT = False
    settings.STRIPE_API_HOST = f"http://127.0.0.1:{free_port()}"
    bootstrap._register_webhook_endpoint()
    assert "tries again" in capsys.readouterr().out
    assert not keep_webhook_endpoint()
    settings.STRIPE_API_HOST = sandbox.url
    assert keep_webhook_endpoint()
    assert endpoints.current() is not None
    first = WebhookEndpoint.objects.get()
    settings.STRIPE_API_HOST = f"http://127.0.0.1:{free_port()}"
    bootstrap._register_webhook_endpoint()
    assert WebhookEndpoint.objects.get().secret == first.secret


def test_own_sandbox_that_does_not_answer_stops_the_start(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "WAIT_FIRST", timedelta(0))
    settings.STRIPE_API_HOST = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(ImproperlyConfigured):
        bootstrap._register_webhook_endpoint()


def test_narrowed_or_disabled_endpoint_is_mended(client: stripe.StripeClient) -> None:
    first = ensure_webhook_endpoint()
    client.v1.webhook_endpoints.update(
        first.id, {"enabled_events": ["charge.captured"], "disabled": True}
    )
    second = ensure_webhook_endpoint()
    (there,) = client.v1.webhook_endpoints.list().data
    assert (second.id, there.status) == (first.id, "enabled")
    assert set(there.enabled_events) == {*EVENTS, "charge.captured"}


def test_absent_gateway_is_waited_for_and_then_named(settings: Any) -> None:
    settings.STRIPE_API_HOST = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(GatewayUnreachable):
        ensure_webhook_endpoint(wait=timedelta(seconds=0.3))
    assert not WebhookEndpoint.objects.exists()


def test_address_is_the_one_that_the_shop_answers(settings: Any) -> None:
    endpoint = ensure_webhook_endpoint()
    path = reverse("stripe-webhook", kwargs={"uuid": endpoint.djstripe_uuid})
    assert endpoint.url == settings.SHOP_URL + path


def test_secret_rolled_in_the_dashboard_is_handed_on(
    sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Stripe signs with both for a time, and nobody restarts anything."""
    endpoint = ensure_webhook_endpoint()
    roll = {"do": "roll_secret", "webhook_endpoint": endpoint.id, "expires_in_s": 3600}
    new = sandbox.control("dashboard", roll)["secret"]
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{new}\n"))
    call_command("webhook_secret")
    found = endpoint_secrets.of_endpoint(endpoint.djstripe_uuid)
    assert found is not None
    assert found.secrets == (new, endpoint.secret)
    assert new not in capsys.readouterr().out
    again = ensure_webhook_endpoint()
    assert (again.id, again.secret) == (endpoint.id, new), "a start keeps what was handed on"


def test_wrong_secret_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError, match="No webhook endpoint"):
        call_command("webhook_secret")
    ensure_webhook_endpoint()
    monkeypatch.setattr("sys.stdin", io.StringIO("sk_test_abc\n"))
    with pytest.raises(CommandError, match="whsec_"):
        call_command("webhook_secret")
    with pytest.raises(CommandError, match="24 hours"):
        call_command("webhook_secret", old_for=25.0)
