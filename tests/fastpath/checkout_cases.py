"""Checkouts for the parity test: plain ones, and each way in which a checkout is not plain."""

from collections.abc import Callable
from typing import Any

from rest_framework_simplejwt.tokens import AccessToken

from apps.api.auth import tokens_for
from apps.api.parsers import BODY_MAX
from apps.customers.models import User
from tests.factories import ADDRESS
from tests.fastpath.parity import Case
from tests.fastpath.world import World
from tests.fastpath.wsgi_client import Environ

Make = Callable[..., Environ]


def plain(world: World, way: str, *skus: str, **given: Any) -> Environ:
    """The pair differs only in the key."""
    return world.checkout(*skus, **{"key": way} | given)


def made(*skus: str, **given: Any) -> Make:
    return lambda world, way: plain(world, way, *skus, **given)


def signed_in(*skus: str, **given: Any) -> Make:
    return lambda world, way: plain(
        world, way, *skus, **{"HTTP_AUTHORIZATION": world.bearer()} | given
    )


def expired(world: World) -> str:
    token = AccessToken.for_user(world.alice)
    token["exp"] = 1
    return f"Bearer {token}"


def new_password(world: World) -> None:
    """The token of before is remembered in the world, and has ended."""
    token = world.bearer()
    world.alice.set_password("another long password")
    world.alice.save()
    world.bearer = lambda: token  # type: ignore[method-assign]


def closed(world: World) -> None:
    User.objects.filter(pk=world.alice.pk).update(is_active=False)


ACCEPTED = [
    Case("guest", 202, made(), answered=True),
    Case("two lines", 202, made("mug", "on_sale"), answered=True),
    Case("one SKU in two lines", 202, made("mug", "mug"), answered=True),
    Case("signed in", 202, signed_in(), answered=True),
    Case("expected total", 202, made(
        body={"expected_total": {"amount": "23.99", "currency": "USD"}}), answered=True),
    Case("accepts HTML", 202, made(HTTP_ACCEPT="text/html"), answered=True),
    Case("accepts gzip", 202, made(HTTP_ACCEPT_ENCODING="gzip"), answered=True),
    Case("if none match", 202, made(HTTP_IF_NONE_MATCH="*"), answered=True),
    Case("from another origin", 202, made(HTTP_ORIGIN="https://evil.example"), answered=True),
    Case("forwarded for garbage", 202, made(HTTP_X_FORWARDED_FOR="\xff, x"), answered=True),
    Case("body shorter than its length", 202, made(CONTENT_LENGTH="4000"), answered=True),
    Case("unknown field", 202, made(body={"status": "paid"}), answered=True),
    Case("spelled state, pasted phone, invisible characters", 202, made(body={
        "email": "\u200balice@example.com", "shipping_address": ADDRESS | {
            "name": "Al\u200bice", "region": "State of Oregon",
            "phone": "\u202a503–555–0100\u202c"},
    }), answered=True),
    Case("Kosovo", 202, made(body={"shipping_address": ADDRESS | {
        "country": "XK", "region": "", "postal_code": ""}}), answered=True),
    Case("method override", 202, made(HTTP_X_HTTP_METHOD_OVERRIDE="PUT"), answered=True),
]  # fmt: skip

REPLAYED = [
    Case("replay", 202, made(key="k"), answered=True, prepare=lambda w: w.order(key="k")),
    Case("replay, signed in", 202, signed_in(key="k"), answered=True,
         prepare=lambda w: w.order(key="k", HTTP_AUTHORIZATION=w.bearer())),
    Case("key of another body", 422, made(key="k", body={"email": "bob@example.com"}),
         answered=True, prepare=lambda w: w.order(key="k")),
    Case("replay by the buyer of the last unit", 202, made("last_one", key="k"), answered=True,
         prepare=lambda w: w.order("last_one", key="k")),
]  # fmt: skip

REFUSED = [
    Case("unknown SKU", 400, made(body={"lines": [{"sku": "NONE", "quantity": 1}]}),
         answered=True),
    Case("unknown promo code", 400, made(body={"promo_code": "NONE"}), answered=True),
    Case("unknown shipping method", 400, made(body={"shipping_method": "owl"}), answered=True),
    Case("other total", 409, made(
        body={"expected_total": {"amount": "1.00", "currency": "USD"}}), answered=True),
    Case("sold out", 409, made("gone"), answered=True),
    Case("sold out, signed in", 409, signed_in("gone"), answered=True),
    Case("one of two lines sold out", 409, made("mug", "gone"), answered=True),
    Case("sold out, one SKU in two lines", 409, made("gone", "gone"), answered=True),
    Case("last unit gone", 409, made("last_one"), answered=True,
         prepare=lambda w: w.order("last_one", key="other")),
    Case("sold out, unknown field", 409, made("gone", body={"status": "paid"}), answered=True),
    Case("more than the last unit", 409, made("last_one", "last_one"), answered=True),
    Case("waiting room", 429, made("queued"), answered=True),
    Case("waiting room, ticket of nobody", 429, made("queued", HTTP_X_WAITING_TICKET="x:y"),
         answered=True),
    Case("waiting room, signed in", 429, signed_in("queued"), answered=True),
    Case("waiting room, and another SKU sold out", 429, made("gone", "queued"), answered=True),
    Case("rate limit", 429, made(), answered=True, prepare=World.use_up_rate_limit),
    Case("rate limit, sold out", 429, made("gone"), answered=True, prepare=World.use_up_rate_limit),
    Case("rate limit, signed in", 429, signed_in(), answered=True, prepare=World.use_up_rate_limit),
]  # fmt: skip

# Of each: what the checkout of goods that are there is answered. Sold out must not change that,
# unless it would have been accepted.
SPOILED: dict[str, tuple[int, dict[str, Any] | Callable[[World], dict[str, Any]]]] = {
    "unknown host": (400, {"HTTP_HOST": "evil.example"}),
    "two hosts": (400, {"HTTP_HOST": "shop.example, evil.example"}),
    "no host": (400, {"HTTP_HOST": "absent"}),
    "http": (301, {"HTTP_X_FORWARDED_PROTO": "http"}),
    "no word of https": (301, {"HTTP_X_FORWARDED_PROTO": "absent"}),
    "two schemes": (301, {"HTTP_X_FORWARDED_PROTO": "http, https"}),
    "no type": (415, {"CONTENT_TYPE": "absent"}),
    "text": (415, {"CONTENT_TYPE": "text/plain"}),
    "form": (415, {"CONTENT_TYPE": "application/x-www-form-urlencoded"}),
    "two types": (415, {"CONTENT_TYPE": "application/json, text/plain"}),
    "JSON patch": (415, {"CONTENT_TYPE": "application/json-patch+json"}),
    "no token": (202, {"HTTP_AUTHORIZATION": ""}),
    "bearer of nothing": (401, {"HTTP_AUTHORIZATION": "Bearer"}),
    "bad token": (401, {"HTTP_AUTHORIZATION": "Bearer nobody"}),
    "two tokens": (401, lambda w: {"HTTP_AUTHORIZATION": f"{w.bearer()}, {w.bearer()}"}),
    "expired token": (401, lambda w: {"HTTP_AUTHORIZATION": expired(w)}),
    "refresh token": (
        401, lambda w: {"HTTP_AUTHORIZATION": f"Bearer {tokens_for(w.alice)['refresh']}"}),
    "lower-case bearer": (202, lambda w: {"HTTP_AUTHORIZATION": w.bearer().lower()}),
    "basic": (202, {"HTTP_AUTHORIZATION": "Basic YTpi"}),
    "no key": (400, {"HTTP_IDEMPOTENCY_KEY": "absent"}),
    "blank key": (400, {"HTTP_IDEMPOTENCY_KEY": " "}),
    "two keys": (400, {"HTTP_IDEMPOTENCY_KEY": "a, b"}),
    "long key": (400, {"HTTP_IDEMPOTENCY_KEY": "k" * 256}),
    "no length": (400, {"CONTENT_LENGTH": "absent"}),
    "empty length": (400, {"CONTENT_LENGTH": ""}),
    "length 0": (400, {"CONTENT_LENGTH": "0"}),
    "superscript length": (400, {"CONTENT_LENGTH": "²"}),
    "two lengths": (400, {"CONTENT_LENGTH": "300, 300"}),
    "negative length": (400, {"CONTENT_LENGTH": "-1"}),
    "short length": (400, {"CONTENT_LENGTH": "40"}),
    "oversize": (413, {"CONTENT_LENGTH": str(BODY_MAX + 1)}),
    "very oversize": (413, {"CONTENT_LENGTH": str(10**9)}),
    "chunked": (400, {"CONTENT_LENGTH": "absent", "HTTP_TRANSFER_ENCODING": "chunked"}),
    "cookie": (202, {"HTTP_COOKIE": "theme=dark"}),
    "session of nobody": (202, {"HTTP_COOKIE": "__Host-session=nobody"}),
    "query": (400, {"QUERY_STRING": "x=1"}),
    "NUL in the query": (400, {"QUERY_STRING": "x=%00"}),
    "HEAD": (405, {"REQUEST_METHOD": "HEAD"}),
    "GET": (405, {"REQUEST_METHOD": "GET"}),
    "OPTIONS": (200, {"REQUEST_METHOD": "OPTIONS"}),
    "PUT": (405, {"REQUEST_METHOD": "PUT"}),
    "lower-case method": (202, {"REQUEST_METHOD": "post"}),
    "no slash": (308, {"PATH_INFO": "/api/v1/checkouts"}),
    "two slashes": (404, {"PATH_INFO": "/api/v1/checkouts//"}),
    "below another address": (202, {"SCRIPT_NAME": "/shop"}),
    "cart": (400, {"body": {"cart": "01a218ad-0a1c-70fd-9044-9e6ec747df75"}}),
    "no email": (400, {"body": {"email": None}}),
    "card number": (400, {"body": {"email": "4242 4242 4242 4242"}}),
    "no address": (400, {"body": {"shipping_address": {}}}),
    "unknown state": (400, {"body": {"shipping_address": ADDRESS | {"region": "CА"}}}),
    "ZIP code of another state": (
        400, {"body": {"shipping_address": ADDRESS | {"postal_code": "94105"}}}),
    "unknown country": (400, {"body": {"shipping_address": {"country": "XX"}}}),
    "card of no gateway": (400, {"body": {"payment_method": "visa"}}),
    "price of the client's": (400, {"body": {"expected_total": "1.00"}}),
}  # fmt: skip

BODIES = (
    b"",
    b"{",
    b"[]",
    b"null",
    b'"x"',
    b"\xff",
    b"NaN",
    b'{"lines": 7}',
    b'{"lines": [7]}',
    b'{"lines": []}',
    b'{"lines": [], "lines": []}',
    b'{"lines": [{"sku": 7, "quantity": 7}]}',
    b'{"email": "\\u0000"}',
    b'{"email": "\\ud800"}',
    b"[" * 1000,
    *(
        b'{"lines": [{"sku": "GONE", "quantity": %s}]}' % quantity
        for quantity in (b"0", b"-1", b"1.5", b'"1"', b"true", b"null", b"1e9", b"9" * 20)
    ),
)  # fmt: skip


def _spoiled() -> list[Case]:
    cases = []
    for name, (status, changes) in SPOILED.items():
        for sku, words, accepted in (("mug", "", 202), ("gone", ", sold out", 409)):

            def make(world: World, way: str, sku: str = sku, changes: Any = changes) -> Environ:
                return plain(world, way, sku, **(changes(world) if callable(changes) else changes))

            cases.append(Case(name + words, accepted if status == 202 else status, make))
    return cases


def _ended() -> list[Case]:
    """A token whose account has another password, or is closed: refused before all else."""
    return [
        Case(f"{why}{words}", 401, signed_in(sku), prepare=end)
        for why, end in (("password changed", new_password), ("account closed", closed))
        for sku, words in (("mug", ""), ("gone", ", sold out"), ("queued", ", waiting room"))
    ]


CHECKOUT_TYPES = [
    Case(f"type {kind}", 202, made(CONTENT_TYPE=kind), answered=True)
    for kind in (
        "application/json; charset=utf-8",
        "application/json;charset=latin-1",
        "APPLICATION/JSON",
        " application/json ",
    )
]
CHECKOUT_CASES = [
    *ACCEPTED,
    *REPLAYED,
    *REFUSED,
    *CHECKOUT_TYPES,
    *_spoiled(),
    *_ended(),
    *(Case(f"body {body[:50]!r}", 400, made(body=body)) for body in BODIES),
]
