"""Who opened a websocket, and whether they may watch the order. One call, on a worker thread.

A guest sends the order's token, an app its JWT, a browser its session cookie.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import auth
from rest_framework.exceptions import APIException

from apps.core.client_addresses import address_of
from apps.customers.tokens import BearerAuthentication
from apps.orders import access
from apps.orders.errors import OrderNotFound
from apps.orders.models import Order


@dataclass(frozen=True)
class Handshake:
    """The credentials and the client's address that a handshake carries."""

    order_id: UUID
    token: str | None
    bearer: str | None
    session_key: str | None
    address: str


def read_handshake(scope: Mapping[str, Any], *, order_id: UUID, token: str | None) -> Handshake:
    """Read the handshake's headers and subprotocols."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    protocols = list(scope.get("subprotocols") or ())
    bearer = protocols[1] if len(protocols) == 2 and protocols[0] == "Bearer" else None
    forwarded = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return Handshake(
        order_id=order_id,
        # The comparison takes ASCII only, and a valid token is shorter than that.
        token=token if token and token.isascii() and len(token) <= 200 else None,
        bearer=bearer,
        session_key=_session_key(headers.get(b"cookie", b"")),
        address=address_of(
            peer=str((scope.get("client") or [""])[0]),
            forwarded_for=b",".join(forwarded).decode("latin-1"),
        ),
    )


def order_for(handshake: Handshake) -> Order | None:
    """The order, if it exists and this client may see it.

    Raises rate_limits.LimitReached after too many wrong tokens for this order.
    """
    try:
        return access.find_order(handshake.order_id, user=_user(handshake), token=handshake.token)
    except OrderNotFound:
        return None


def _user(handshake: Handshake) -> Any:
    if handshake.bearer is not None:
        authentication = BearerAuthentication()
        try:
            return authentication.get_user(
                authentication.get_validated_token(handshake.bearer.encode("latin-1", "replace"))
            )
        except APIException:
            return None
    if handshake.session_key is not None:
        store = import_module(settings.SESSION_ENGINE).SessionStore
        # Django's own rules decide: backend still in use, password not changed since.
        return auth.get_user(SimpleNamespace(session=store(handshake.session_key)))  # type: ignore[arg-type]
    return None


def _session_key(header: bytes) -> str | None:
    try:
        cookie = SimpleCookie(header.decode("latin-1")).get(settings.SESSION_COOKIE_NAME)
    except CookieError:
        return None
    return cookie.value if cookie is not None else None
