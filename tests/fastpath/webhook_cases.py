"""Webhooks for the parity test."""

import json
import time
from typing import Any

from apps.payments import webhooks
from tests.fastpath.parity import Case
from tests.fastpath.world import World
from tests.fastpath.wsgi_client import Environ
from tests.orders.purchases import an_event, signed


def hook(name: str, status: int, *, answered: bool = False, **changes: Any) -> Case:
    return Case(name, status, lambda world, _: world.webhook(**changes), answered=answered)


def stored_before(world: World, _: str) -> Environ:
    """Both of the pair are the same event."""
    return world.webhook(body=KNOWN)


def stale(world: World, _: str) -> Environ:
    body = json.dumps(an_event("charge.succeeded", {})).encode()
    return world.webhook(body=body, HTTP_STRIPE_SIGNATURE=signed(body, at=time.time() - 3600))


KNOWN = json.dumps(an_event("charge.succeeded", {})).encode()
FORGED = "t=1,v1=00"
WEBHOOK_CASES = [
    hook("signed", 200, answered=True),
    Case("same event twice", 200, stored_before, answered=True),
    Case(
        "other mode",
        200,
        lambda world, _: world.webhook(
            body=json.dumps(an_event("charge.succeeded", {}, livemode=True)).encode()
        ),
        answered=True,
    ),
    hook("type with a charset", 200, answered=True, CONTENT_TYPE="application/json; charset=utf-8"),
    hook("query", 200, answered=True, QUERY_STRING="x=1"),
    hook("cookie", 200, HTTP_COOKIE="__Host-session=nobody; __Host-csrf=x"),
    hook("token", 200, answered=True, HTTP_AUTHORIZATION="Bearer x"),
    hook("another origin", 200, answered=True, HTTP_ORIGIN="https://evil.example"),
    hook("forwarded for garbage", 200, answered=True, HTTP_X_FORWARDED_FOR="\xff, x"),
    Case("stale", 400, stale),
    hook("forged", 400, HTTP_STRIPE_SIGNATURE=FORGED),
    hook("unsigned", 400, HTTP_STRIPE_SIGNATURE="absent"),
    hook("empty signature", 400, HTTP_STRIPE_SIGNATURE=""),
    hook("two signatures", 400, HTTP_STRIPE_SIGNATURE=f"{FORGED}, {FORGED}"),
    *(
        hook(f"body {body!r}", 400, body=body)
        for body in (b"", b"{", b"[]", b"null", b"\xff", b"{}", b'{"id": 7, "type": "x"}')
    ),
    hook("text", 415, CONTENT_TYPE="text/plain"),
    hook("form", 415, CONTENT_TYPE="application/x-www-form-urlencoded"),
    hook("no type", 415, CONTENT_TYPE="absent"),
    hook("no length", 400, CONTENT_LENGTH="absent"),
    hook("superscript length", 400, CONTENT_LENGTH="²"),
    hook("two lengths", 400, CONTENT_LENGTH="300, 300"),
    hook("short length", 400, CONTENT_LENGTH="40"),
    hook("oversize", 413, CONTENT_LENGTH=str(webhooks.MOST_BYTES + 1)),
    hook("chunked", 400, CONTENT_LENGTH="absent", HTTP_TRANSFER_ENCODING="chunked"),
    hook("unknown host", 400, HTTP_HOST="evil.example"),
    hook("http", 301, HTTP_X_FORWARDED_PROTO="http"),
    hook("GET", 405, REQUEST_METHOD="GET"),
    hook("HEAD", 405, REQUEST_METHOD="HEAD"),
    hook("OPTIONS", 405, REQUEST_METHOD="OPTIONS"),
    hook("PUT", 405, REQUEST_METHOD="PUT"),
    hook("below another address", 200, SCRIPT_NAME="/shop"),
    hook(
        "unknown endpoint", 404, PATH_INFO="/stripe/webhook/01234567-89ab-4def-8123-456789abcdef/"
    ),
    hook("no endpoint", 404, PATH_INFO="/stripe/webhook/nobody/"),
]
