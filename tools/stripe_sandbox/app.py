"""The sandbox as an ASGI application, one process and one worker:

    granian --interface asgi --port 8002 tools.stripe_sandbox.app:app

Depends on neither the shop nor Django: the shop calls it over HTTP as it would call Stripe, and
so can the official client library. From the environment it takes `STOREFRONT_HOME`,
`SANDBOX_LATENCY_MS` (350: the time of a mutating call) and `SANDBOX_WEBHOOK_RETRY_MS` (1000: the
first pause before a refused webhook is repeated; it doubles each time).
"""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from tools.stripe_sandbox.api import Api
from tools.stripe_sandbox.control import Control
from tools.stripe_sandbox.faults import Faults
from tools.stripe_sandbox.objects import packing_dictionary
from tools.stripe_sandbox.request_context import SandboxState
from tools.stripe_sandbox.store import Clock, Store
from tools.stripe_sandbox.three_d_secure import ThreeDSecure
from tools.stripe_sandbox.webhook_delivery import WebhookSender

_WEBHOOK_ATTEMPTS = 16
# 20,000 of Stripe's objects are cached, a million Python objects, and none of them is garbage. To
# scan them each time that a few hundred more are made took a sixth of all processor time.
_GC_THRESHOLD = 100_000


def create_app(*, home: Path, latency_ms: float, webhook_retry_ms: float) -> ASGIApp:
    store = Store(home / "sandbox.sqlite3", dictionary=packing_dictionary())
    sender = WebhookSender(store, retry_base_s=webhook_retry_ms / 1000, attempts=_WEBHOOK_ATTEMPTS)
    api = Api(SandboxState(store, sender), Faults(), Clock(), latency_s=latency_ms / 1000)

    @asynccontextmanager
    async def running(_: Starlette) -> AsyncIterator[None]:
        gc.freeze()
        gc.set_threshold(_GC_THRESHOLD)
        await sender.start()
        yield
        await sender.stop()
        store.close()

    pages = Starlette(
        routes=[*Control(api).routes(), *ThreeDSecure(api).routes()], lifespan=running
    )

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        # The API has a router of its own, a dictionary: every order uses it.
        if scope["type"] == "http" and scope["path"].startswith("/v1/"):
            await api(scope, receive, send)
        else:
            await pages(scope, receive, send)

    return app


def _milliseconds(name: str, default: str) -> float:
    given = os.environ.get(name, default)
    try:
        value = float(given)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise SystemExit(f"{name} must be a number of milliseconds, not {given!r}")
    return value


app = create_app(
    home=Path(os.environ.get("STOREFRONT_HOME", ".storefront")),
    latency_ms=_milliseconds("SANDBOX_LATENCY_MS", "350"),
    webhook_retry_ms=_milliseconds("SANDBOX_WEBHOOK_RETRY_MS", "1000"),
)
