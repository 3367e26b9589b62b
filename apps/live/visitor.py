"""Who opened a websocket, and may they watch this order? One call, on a worker thread.

A guest shows the order's token, an app its JWT, a browser its session cookie.
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
from rest_framework_simplejwt.authentication import JWTAuthentication

from apps.orders import access
from apps.orders.errors import OrderNotFound
from apps.orders.models import Order
from storefront import rate_limits


@dataclass(frozen=True)
class Visit:
    """What a handshake brought along."""

    order_id: UUID
    token: str | None
    bearer: str | None
    session_key: str | None
    address: str


def visit_of(scope: Mapping[str, Any], *, order_id: UUID, token: str | None) -> Visit:
    """Read the handshake's headers and subprotocols."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    protocols = list(scope.get("subprotocols") or ())
    bearer = protocols[1] if len(protocols) == 2 and protocols[0] == "Bearer" else None
    forwarded = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return Visit(
        order_id=order_id,
        # The comparison takes ASCII only, and no token of ours is long.
        token=token if token and token.isascii() and len(token) <= 200 else None,
        bearer=bearer,
        session_key=_session_key(headers.get(b"cookie", b"")),
        address=rate_limits.address_of(
            peer=str((scope.get("client") or [""])[0]),
            forwarded_for=b",".join(forwarded).decode("latin-1"),
        ),
    )


def order_for(visit: Visit) -> Order | None:
    """The order, if it exists and is this visitor's to see.

    Raises rate_limits.LimitReached for an address that has guessed too often.
    """
    if visit.token:
        rate_limits.refuse_if_reached(rate_limits.WRONG_TOKENS_OF_ADDRESS, visit.address)
    try:
        return access.find_order(visit.order_id, user=_user(visit), token=visit.token)
    except OrderNotFound:
        rate_limits.count(rate_limits.WRONG_TOKENS_OF_ADDRESS, visit.address)
        return None


def _user(visit: Visit) -> Any:
    if visit.bearer is not None:
        authentication = JWTAuthentication()
        try:
            return authentication.get_user(
                authentication.get_validated_token(visit.bearer.encode("latin-1", "replace"))
            )
        except APIException:
            return None
    if visit.session_key is not None:
        store = import_module(settings.SESSION_ENGINE).SessionStore
        # Django's own rules decide: backend still in use, password not changed since.
        return auth.get_user(SimpleNamespace(session=store(visit.session_key)))  # type: ignore[arg-type]
    return None


def _session_key(header: bytes) -> str | None:
    try:
        cookie = SimpleCookie(header.decode("latin-1")).get(settings.SESSION_COOKIE_NAME)
    except CookieError:
        return None
    return cookie.value if cookie is not None else None
