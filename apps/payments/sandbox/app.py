"""The sandbox as an ASGI application, one process and one worker:

    granian --interface asgi --port 8002 apps.payments.sandbox.app:app

Knows nothing of the shop and nothing of Django: the shop reaches it over HTTP as it would reach
Stripe, and so can the official client library. From the environment it takes `STOREFRONT_HOME`,
`SANDBOX_LATENCY_MS` (350: what a mutating call takes) and `SANDBOX_WEBHOOK_RETRY_MS` (1000: the
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

from apps.payments.sandbox.api import Api
from apps.payments.sandbox.control import Control
from apps.payments.sandbox.courier import Courier
from apps.payments.sandbox.faults import Faults
from apps.payments.sandbox.objects import packing_dictionary
from apps.payments.sandbox.store import Clock, Store
from apps.payments.sandbox.three_d_secure import ThreeDSecure
from apps.payments.sandbox.world import World

_WEBHOOK_ATTEMPTS = 16
# 20,000 objects of Stripe's are kept at hand, a million of Python's, and none of them is garbage.
# Looked through each time that a few hundred more are made, they were a sixth of all its work.
_SURVIVORS_BEFORE_A_LOOK = 100_000


def create_app(*, home: Path, latency_ms: float, webhook_retry_ms: float) -> ASGIApp:
    store = Store(home / "sandbox.sqlite3", dictionary=packing_dictionary())
    courier = Courier(store, retry_base_s=webhook_retry_ms / 1000, attempts=_WEBHOOK_ATTEMPTS)
    api = Api(World(store, courier), Faults(), Clock(), latency_s=latency_ms / 1000)

    @asynccontextmanager
    async def running(_: Starlette) -> AsyncIterator[None]:
        gc.freeze()
        gc.set_threshold(_SURVIVORS_BEFORE_A_LOOK)
        await courier.start()
        yield
        await courier.stop()
        store.close()

    pages = Starlette(
        routes=[*Control(api).routes(), *ThreeDSecure(api).routes()], lifespan=running
    )

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        # The API has a router of its own, a dictionary: it is what every order goes through.
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
