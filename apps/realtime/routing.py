"""The websocket process: websockets and nothing else (pages and API are served over WSGI).

application = Origin guard → ws/orders/{id}/ → consumer

Over plain HTTP it answers `/healthz`, which proves that its event loop runs.
"""

from typing import Any
from urllib.parse import urlsplit

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.http.request import validate_host
from django.urls import path, re_path

from apps.realtime.consumer import OrderConsumer


class UnknownPath(AsyncWebsocketConsumer):
    """An address that does not exist: refused at the handshake."""

    async def connect(self) -> None:
        await self.close()


class OriginGuard:
    """Refuses handshakes from other sites' pages.

    A browser sends its cookies along with any websocket, whichever page opens it; the Origin header
    is the only thing that tells this shop's page from another. Native apps send no Origin and
    hold no cookies of the shop.
    """

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        origins = [value for name, value in scope["headers"] if name == b"origin"]
        if all(is_ours(origin.decode("latin-1")) for origin in origins) and len(origins) < 2:
            await self.inner(scope, receive, send)
        else:
            await UnknownPath.as_asgi()(scope, receive, send)


def is_ours(origin: str) -> bool:
    """Whether a page of `origin` is a page of this shop."""
    try:
        parts = urlsplit(origin)
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or parts.path or parts.query or parts.fragment or parts.username is not None:
        return False
    shop = urlsplit(settings.SHOP_URL)
    if (parts.scheme, host, port) == (shop.scheme, shop.hostname, shop.port):
        return True
    bare = f"[{host}]" if ":" in host else host
    if not validate_host(bare, settings.ALLOWED_HOSTS):
        return False
    if settings.DEVELOPMENT:
        # Several stacks side by side, behind forwarded ports: any port of the allowed hosts.
        return parts.scheme in ("http", "https")
    return parts.scheme == "https" and port in (None, 443, shop.port)


async def plain_http(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """`/healthz`, for the supervisor; every other path is 404."""
    alive = scope["path"] == "/healthz"
    await send(
        {
            "type": "http.response.start",
            "status": 200 if alive else 404,
            "headers": [
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"cache-control", b"no-store"),
            ],
        }
    )
    body = b"alive\n" if alive else b"Only websockets live here.\n"
    await send({"type": "http.response.body", "body": body})


async def lifespan(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Nothing to start or stop; answered so that servers need not guess."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


application = ProtocolTypeRouter(
    {
        "websocket": OriginGuard(
            URLRouter(
                [
                    path("ws/orders/<str:order_id>/", OrderConsumer.as_asgi()),
                    re_path(r"", UnknownPath.as_asgi()),
                ]
            )
        ),
        "http": plain_http,
        "lifespan": lifespan,
    }
)
