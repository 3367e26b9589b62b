"""A checkout request as the intake takes it, built here for the page, the API and the shortcut.

    identity = identify(key, sent, user_id=…)      whose request it is, before the cart is read
    request  = build(identity, meta, cart=…, …)    what is ordered, and from where

Two requests with one identity are the same request sent twice, and make one order.
"""

import hashlib
import hmac
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.conf import settings

from apps.cart.carts import CartView
from apps.core.client_addresses import UNKNOWN, client_address


class RequestIdentity(NamedTuple):
    """By what a request that is sent again is recognised.

    `scope` says whose the key is: `user:<id>`, `guest` (all apps without an account, which have to
    know the body as well), or `guest:<secret>` (one browser's session). `key` is the idempotency
    key. `fingerprint` is the SHA-256 of all that was sent, 32 bytes.
    """

    scope: str
    key: str
    fingerprint: bytes


class CheckoutRequest(NamedTuple):
    """A checkout that was read and is valid in form.

    A NamedTuple, because building eighteen fields as a frozen dataclass takes a microsecond more
    on the hot path.

    `scope`, `key` and `fingerprint` are those of RequestIdentity. `lines` are (SKU, quantity).
    `expected_total` is (minor units, currency) as the client shows it, or None. `lines` and
    `promo_codes` are those of the cart's `cart_version`. `tickets` are of the waiting rooms of
    flash sales. `password_digest` is that of the access token which names `user_id`; it is compared
    with the account when the order is written. Without one, the caller has checked the account.
    `client` is the digest of the network address (`client_digest`).
    """

    scope: str
    key: str
    fingerprint: bytes
    lines: tuple[tuple[str, int], ...]
    email: str
    shipping_address: dict[str, Any]
    shipping_method: str
    payment_method: str
    user_id: int | None = None
    cart_id: UUID | None = None
    promo_codes: tuple[str, ...] = ()
    billing_address: dict[str, Any] | None = None
    expected_total: tuple[int, str] | None = None
    base_url: str = ""
    tickets: tuple[str, ...] = ()
    password_digest: str | None = None
    cart_version: int | None = None
    client: str = ""


def identify(
    key: str, sent: Mapping[str, Any], *, user_id: int | None, guest_secret: str = ""
) -> RequestIdentity:
    """The identity of a request that carries `key` and says `sent`.

    `sent` is what the client wrote, not the content of its cart, which another tab may have changed
    since. White space and the order of fields do not count. `guest_secret` limits a guest's key to
    one browser's session.
    """
    if user_id is not None:
        scope = f"user:{user_id}"
    else:
        scope = f"guest:{guest_secret}" if guest_secret else "guest"
    written = orjson.dumps(sent, option=orjson.OPT_SORT_KEYS)
    return RequestIdentity(scope, key, hashlib.sha256(scope.encode() + b"\n" + written).digest())


def build(
    identity: RequestIdentity,
    meta: Mapping[str, Any],
    *,
    email: str,
    shipping_address: dict[str, Any],
    shipping_method: str,
    payment_method: str,
    user_id: int | None,
    base_url: str,
    tickets: tuple[str, ...],
    expected_total: tuple[int, str] | None,
    cart: CartView | None = None,
    lines: tuple[tuple[str, int], ...] = (),
    promo_codes: tuple[str, ...] = (),
    billing_address: dict[str, Any] | None = None,
    password_digest: str | None = None,
) -> CheckoutRequest:
    """The request to order `cart`, or else `lines` with `promo_codes`.

    `meta` is a WSGI environ or `request.META`. `base_url` is the scheme and host that the client
    uses ("https://shop.example"): the links in its answer lead there.
    """
    if cart is not None:
        lines = tuple((line.sku, line.quantity) for line in cart.lines)
        promo_codes = tuple(cart.promo_codes)
    return CheckoutRequest(
        scope=identity.scope,
        key=identity.key,
        fingerprint=identity.fingerprint,
        lines=lines,
        email=email,
        shipping_address=shipping_address,
        shipping_method=shipping_method,
        payment_method=payment_method,
        user_id=user_id,
        cart_id=cart.id if cart is not None else None,
        promo_codes=promo_codes,
        billing_address=billing_address,
        expected_total=expected_total,
        base_url=base_url,
        tickets=tickets,
        password_digest=password_digest,
        cart_version=cart.version if cart is not None else None,
        client=client_digest(client_address(meta)),
    )


def client_digest(address: str) -> str:
    """What an order keeps of the network address it came from; empty where nothing is limited.

    Keyed, because all four thousand million IPv4 addresses can be hashed in an hour. It is deleted
    with the payment or the cancellation (transitions.py), because no step needs it any longer.
    """
    if not settings.RATE_LIMITS or address == UNKNOWN:
        return ""
    return _digest(settings.SECRET_KEY, address)


@lru_cache(maxsize=4096)
def _digest(secret: str, address: str) -> str:
    return hmac.new(secret.encode(), b"client:" + address.encode(), hashlib.sha256).hexdigest()[:32]
