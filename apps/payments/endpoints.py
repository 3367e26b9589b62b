"""Where the gateway sends its webhooks: registered there, remembered in dj-stripe's table.

dj-stripe's `WebhookEndpoint` row holds what the receiving view needs: the UUID in the address,
the secret, the tolerance and the way of validation. Gateway and row must agree, and the secret is
told only once, when the endpoint is created; so whatever does not fit together is made anew.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection
from djstripe.enums import WebhookEndpointValidation
from djstripe.models import WebhookEndpoint

from apps.payments.gateway import GatewayTransient
from apps.payments.stripe_gateway import StripeGateway, stripe_gateway_from_settings

EVENTS = (
    "payment_intent.amount_capturable_updated",
    "payment_intent.requires_action",
    "payment_intent.processing",
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
    "charge.refunded",
    "refund.updated",
    "refund.failed",
)
"""What the shop acts on. Nothing else is subscribed to: every webhook costs a write."""

_OURS = {"registered_by": "storefront"}
_LOCK = 0x57454248  # "WEBH": two stacks that start at once must not register twice


def webhook_url(uuid: UUID | None = None) -> str:
    """The address in dj-stripe's URL scheme that the shop answers, or what all such begin with."""
    return f"{settings.SHOP_URL}/stripe/webhook/" + (f"{uuid}/" if uuid else "")


def ensure_webhook_endpoint(*, wait: timedelta = timedelta(seconds=30)) -> WebhookEndpoint:
    """Have exactly one endpoint of this shop, at the gateway and in our table. Idempotent.

    Waits until the gateway answers, at most `wait`; then the last failure is raised. A refusal
    is raised at once: Stripe, unlike the sandbox, takes no address that the internet cannot
    reach.

    1. A row of ours with the shop's present address that the gateway knows, too: kept, its
       events corrected if need be.
    2. Any other row of ours is useless: the gateway forgot it (the sandbox was reset, the key
       changed), or the shop moved to another address. Deleted on both sides.
    3. The gateway has one of this address that no row belongs to (we died between its creation
       and our writing it down): its secret is lost, so it is deleted there.
    4. Create one, and keep it with its secret.
    """
    gateway = stripe_gateway_from_settings()
    deadline = time.monotonic() + wait.total_seconds()
    pause_s = 0.1
    while True:
        try:
            with _one_at_a_time():
                return _ensure(gateway)
        except GatewayTransient:
            if time.monotonic() + pause_s > deadline:
                raise
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, 1.0)


def _ensure(gateway: StripeGateway) -> WebhookEndpoint:
    there = {endpoint["id"]: endpoint for endpoint in gateway.webhook_endpoints()}
    kept: WebhookEndpoint | None = None
    for row in WebhookEndpoint.objects.filter(metadata__contains=_OURS).order_by("-created"):
        registered = there.pop(row.id, None)
        if kept is None and registered is not None and _fits(row, registered["url"]):
            kept = row
            _mend(gateway, row, registered)
            continue
        if registered is not None:
            gateway.delete_webhook_endpoint(row.id)
        row.delete()
    for registered in there.values():
        if registered["metadata"].items() >= _OURS.items() and registered["url"].startswith(
            webhook_url()
        ):
            gateway.delete_webhook_endpoint(registered["id"])
    if kept is not None:
        return kept
    uuid = uuid4()
    created = gateway.create_webhook_endpoint(
        url=webhook_url(uuid), events=EVENTS, metadata={**_OURS, "djstripe_uuid": str(uuid)}
    )
    endpoint = WebhookEndpoint.sync_from_stripe_data(
        {**created, "djstripe_validation_method": WebhookEndpointValidation.verify_signature},
        api_key=settings.STRIPE_SECRET_KEY,
    )
    # dj-stripe keeps the answer whole; the secret needs to stand in one place, not in two.
    endpoint.stripe_data.pop("secret", None)
    endpoint.save(update_fields=["stripe_data"])
    return endpoint


def _mend(gateway: StripeGateway, row: WebhookEndpoint, registered: Mapping[str, Any]) -> None:
    if registered["status"] == "enabled" and set(registered["enabled_events"]) == set(EVENTS):
        return
    gateway.update_webhook_endpoint(row.id, events=EVENTS)
    row.enabled_events, row.status = list(EVENTS), "enabled"
    row.save(update_fields=["enabled_events", "status"])


def _fits(row: WebhookEndpoint, url: str) -> bool:
    return (
        bool(row.secret)
        and url == row.url == webhook_url(row.djstripe_uuid)
        and row.djstripe_validation_method == WebhookEndpointValidation.verify_signature
    )


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """A session lock, not a transaction: the gateway is called meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
