"""Webhooks come many times, early, reordered, forged, or not at all."""

import hashlib
import hmac
import json
import time
from collections.abc import Iterable
from typing import Any
from uuid import uuid4

import requests
from djstripe.models import WebhookEndpoint

from tools.faults.controls.gateway import rule
from tools.faults.matrix.fault import Fault, FaultContext, nothing
from tools.faults.matrix.gateway import at_gateway, calls_were_affected, heal_gateway


def send_forged_webhooks(context: FaultContext) -> None:
    """Send webhooks that are forged, unsigned, stale, of another shop, or of another amount."""
    endpoint = WebhookEndpoint.objects.get()
    address = f"{context.shop.stack.url}/stripe/webhook/{endpoint.djstripe_uuid}/"
    unknown = f"{context.shop.stack.url}/stripe/webhook/{uuid4()}/"
    row = context.shop.ask(
        "SELECT payload FROM payments_webhookinbox WHERE type = 'payment_intent.succeeded'"
        " AND state = 'applied' ORDER BY received_at DESC LIMIT 1"
    )
    if not row:
        context.notes["wrong"] = ["no webhook has come yet that could be forged"]
        return
    event: dict[str, Any] = row[0][0]
    secret = endpoint.secret
    wrong: list[str] = []

    def call(what: str, expected: int, body: bytes, header: str | None, url: str = address) -> None:
        headers = {"Content-Type": "application/json"}
        if header is not None:
            headers["Stripe-Signature"] = header
        got = requests.post(url, data=body, headers=headers, timeout=20).status_code
        if got != expected:
            wrong.append(f"a webhook that is {what} was answered with {got}, not {expected}")

    def changed(number: int, **changes: Any) -> bytes:
        new = json.loads(json.dumps(event))
        new["id"] = f"evt_faults_{number}_{uuid4().hex}"
        new["data"]["object"] |= changes
        context.notes.setdefault("ids", {})[number] = new["id"]
        return json.dumps(new).encode()

    now = int(time.time())
    more = {"amount": event["data"]["object"]["amount"] + 100_00}
    more["amount_received"] = more["amount"]
    body = changed(1)
    call("unsigned", 400, body, None)
    call("forged", 400, body, signed(body, "whsec_of_somebody_else", now))
    call("stale", 400, body, signed(body, secret, now - 3600))
    call("changed after signing", 400, changed(2, **more), signed(body, secret, now))
    call("sent to another shop", 404, body, signed(body, secret, now), unknown)
    call("garbled", 400, b"{", signed(b"{", secret, now))
    body = changed(3, **more)
    call("of another amount", 200, body, signed(body, secret, now))
    body = changed(4, id="pi_of_another_shop", metadata={})
    call("about another shop's payment", 200, body, signed(body, secret, now))
    body = changed(5, currency="eur")
    call("of another currency", 200, body, signed(body, secret, now))
    context.notes["wrong"] = wrong


def signed(body: bytes, secret: str, at: int) -> str:
    """Stripe's header: https://docs.stripe.com/webhooks#verify-manually."""
    digest = hmac.new(secret.encode(), b"%d.%s" % (at, body), hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def forged_webhooks_had_no_effect(context: FaultContext) -> Iterable[str]:
    yield from context.notes["wrong"]
    wanted = {1: None, 2: None, 3: "quarantined", 4: "ignored", 5: "quarantined"}
    for number, event_id in context.notes.get("ids", {}).items():
        rows = context.shop.ask(
            "SELECT state FROM payments_webhookinbox WHERE event_id = %s", event_id
        )
        found = rows[0][0] if rows else None
        if found != wanted[number]:
            yield f"forged event {number} is {found}, not {wanted[number]}"


FAULTS: tuple[Fault, ...] = (
    Fault(
        name="webhook-fiftyfold",
        target="gateway",
        action="some webhooks come fifty times at once",
        expected="one effect, whatever the order",
        inject=at_gateway(rule("webhook_duplicate", probability=0.05, number=50, count=30)),
        heal=heal_gateway, check=calls_were_affected, seconds=4,
    ),
    Fault(
        name="webhook-early",
        target="gateway",
        action="webhooks come before the call that caused them returns",
        expected="one effect, whatever the order",
        inject=at_gateway(rule("webhook_before_answer")),
        heal=heal_gateway, check=calls_were_affected, seconds=4,
    ),
    Fault(
        name="webhook-reordered",
        target="gateway",
        action="the last event comes first: failed after succeeded, created after captured",
        expected="the state moves forward only",
        inject=at_gateway(rule("webhook_reorder")),
        heal=heal_gateway, check=calls_were_affected, seconds=4,
    ),
    Fault(
        name="webhook-forged",
        target="gateway",
        action="webhooks unsigned, forged, stale, for another shop, of another amount or currency",
        expected="400 or 404 and nothing kept, or quarantined; no effect",
        inject=send_forged_webhooks, heal=nothing, check=forged_webhooks_had_no_effect, seconds=2,
        combines=False,
    ),
    Fault(
        name="webhook-never",
        target="gateway",
        action="no webhook comes at all",
        expected="the saga asks the gateway at its deadline",
        inject=at_gateway(rule("webhook_drop")),
        heal=heal_gateway, check=calls_were_affected, seconds=10,
        short_holds=True, combines=False,
    ),
)  # fmt: skip
