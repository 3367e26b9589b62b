"""Where the gateway sends its webhooks: registered there, remembered in dj-stripe's table.

dj-stripe's `WebhookEndpoint` row holds what the receiving view needs: the UUID in the address,
the secret, the tolerance and the way of validation. Gateway and row must agree, and the secret is
told only once, when the endpoint is created; so whatever does not fit together is made anew.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection
from djstripe.enums import WebhookEndpointValidation
from djstripe.models import WebhookEndpoint

from apps.payments import database_identity
from apps.payments.gateway import GatewayMisconfigured, GatewayReadOnly, GatewayTransient
from apps.payments.stripe_account import owner_account
from apps.payments.stripe_gateway import (
    API_VERSION,
    StripeGateway,
    stripe_gateway_from_settings,
)

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
_DATABASE = "shop_database"  # in its metadata: which of the shop's databases registered it
_ALL = "*"
_LOCK = 0x57454248  # "WEBH": two stacks that start at once must not register twice


def webhook_url(uuid: UUID | None = None) -> str:
    """The address in dj-stripe's URL scheme that the shop answers, or what all such begin with."""
    return f"{settings.SHOP_URL}/stripe/webhook/" + (f"{uuid}/" if uuid else "")


def current() -> WebhookEndpoint | None:
    """Our row of the endpoint with the shop's present address and API version.

    The gateway is not asked: it may have forgotten it.
    """
    return next(filter(_fits, _rows()), None)


def ensure_webhook_endpoint(
    *, wait: timedelta = timedelta(seconds=30), take_over: bool = False
) -> WebhookEndpoint:
    """Have exactly one endpoint of this shop, at the gateway and in our table. Idempotent.

    Waits until the gateway answers, at most `wait`; then the last failure is raised. A refusal
    is raised at once: Stripe, unlike the sandbox, takes no address that the internet cannot
    reach, and a restricted key may lack the right.

    1. A row of ours with the shop's present address and API version that the gateway knows, too:
       kept. Events that it lacks are added; those that a person added at the gateway stay.
    2. Else one is created, with the events of the one that it replaces, and kept with its secret.
       It comes before the old one goes, so that no event falls between the two.
    3. Any other row of ours is useless: the gateway forgot it (the sandbox was reset, the key
       changed), the shop moved to another address, or the API version was raised, which cannot be
       changed at an endpoint. Deleted on both sides.
    4. The gateway has one of this address that no row belongs to (we died between its creation
       and our writing it down): its secret is lost, so it is deleted there.
    5. The gateway has one of this address that another database registered: nothing is changed,
       and from now on this database only reads there (GatewayReadOnly), until an operator confirms
       it. With `take_over`, which is how that is done, the other one's endpoint is deleted.
    """
    gateway = stripe_gateway_from_settings()
    deadline = time.monotonic() + wait.total_seconds()
    pause_s = 0.1
    while True:
        try:
            with _one_at_a_time():
                return _ensure(gateway, take_over=take_over)
        except (GatewayMisconfigured, GatewayReadOnly):
            raise  # waiting does not mend a key, nor make a copy the shop
        except GatewayTransient:
            if time.monotonic() + pause_s > deadline:
                raise
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, 1.0)


def _ensure(gateway: StripeGateway, *, take_over: bool) -> WebhookEndpoint:
    there = {endpoint["id"]: endpoint for endpoint in gateway.webhook_endpoints()}
    identity = str(database_identity.known().identity)
    others = [e for e in there.values() if _is_ours(e) and _database_of(e) not in ("", identity)]
    if others and settings.GATEWAY_ASKS_WHICH_DATABASE and not take_over:
        database_identity.other_database_claims(f"{others[0]['id']} at {others[0]['url']}")
        raise GatewayReadOnly(f"Nothing is registered: {database_identity.why_readonly()}.")
    rows = _rows()
    foreign = {registered["id"] for registered in others}
    usable = (row for row in rows if row.id not in foreign and _agree(row, there.get(row.id)))
    kept = next(usable, None)
    if kept is not None:
        _mend(gateway, kept, there[kept.id])
    else:
        replaced = [
            there[row.id]["enabled_events"] if row.id in there else row.enabled_events
            for row in rows
        ]
        events = _with_ours(event for some in replaced for event in some)
        kept = _create(gateway, events=events, database=identity)
    for row in rows:
        if row.pk != kept.pk:
            if row.id in there:
                gateway.delete_webhook_endpoint(row.id)
            row.delete()
    known = {row.id for row in rows}
    for registered in there.values():
        if registered["id"] not in known and _is_ours(registered):
            gateway.delete_webhook_endpoint(registered["id"])
    return kept


def _is_ours(registered: Mapping[str, Any]) -> bool:
    """Whether it has this shop's address; which of its databases it is of is another question."""
    ours = registered["metadata"].items() >= _OURS.items()
    return bool(ours and registered["url"].startswith(webhook_url()))


def _database_of(registered: Mapping[str, Any]) -> str:
    """The identity of the database that registered it; "" of one from before there were any."""
    return str(registered["metadata"].get(_DATABASE, ""))


def _rows() -> list[WebhookEndpoint]:
    return list(WebhookEndpoint.objects.filter(metadata__contains=_OURS).order_by("-created"))


def _create(gateway: StripeGateway, *, events: Sequence[str], database: str) -> WebhookEndpoint:
    account = owner_account()  # may fail; nothing is registered yet
    uuid = uuid4()
    created = gateway.create_webhook_endpoint(
        url=webhook_url(uuid),
        events=events,
        metadata={**_OURS, "djstripe_uuid": str(uuid), _DATABASE: database},
    )
    secret = created.pop("secret")
    row: WebhookEndpoint = WebhookEndpoint.objects.create(
        id=created["id"],
        livemode=created["livemode"],
        created=datetime.fromtimestamp(created["created"], UTC),
        metadata=created["metadata"],
        stripe_data=created,
        djstripe_owner_account_id=account,
        api_version=created["api_version"],
        enabled_events=created["enabled_events"],
        secret=secret,
        status=created["status"],
        url=created["url"],
        djstripe_uuid=uuid,
        djstripe_validation_method=WebhookEndpointValidation.verify_signature,
    )
    return row


def _mend(gateway: StripeGateway, row: WebhookEndpoint, registered: Mapping[str, Any]) -> None:
    events = _with_ours(registered["enabled_events"])
    if registered["status"] != "enabled" or set(registered["enabled_events"]) != set(events):
        gateway.update_webhook_endpoint(row.id, events=events)
    if (row.status, sorted(row.enabled_events)) != ("enabled", sorted(events)):
        row.enabled_events, row.status = events, "enabled"
        row.save(update_fields=["enabled_events", "status"])


def _with_ours(events: Iterable[str]) -> list[str]:
    """`events`, and those of ours that are not among them."""
    found = list(dict.fromkeys(events))
    return [_ALL] if _ALL in found else [*found, *(e for e in EVENTS if e not in found)]


def _agree(row: WebhookEndpoint, registered: Mapping[str, Any] | None) -> bool:
    """Whether the row and what the gateway has registered are one endpoint that can be used."""
    return (
        registered is not None
        and _fits(row)
        and registered["url"] == row.url
        and registered["api_version"] == API_VERSION
    )


def _fits(row: WebhookEndpoint) -> bool:
    return (
        bool(row.secret)
        and row.url == webhook_url(row.djstripe_uuid)
        and row.api_version == API_VERSION
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
