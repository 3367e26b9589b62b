"""Calls of the API for the parity test: of apps without a cookie, and what goes on to Django."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import uuid4

from apps.cart import carts
from apps.core import rate_limits
from apps.core.rate_limits import Limit
from tests.factories.promos import PromoFactory
from tests.fastpath.checkout_cases import closed, expired, new_password
from tests.fastpath.parity import Case
from tests.fastpath.world import CLIENT, THROUGH_PROXY, World
from tests.fastpath.wsgi_client import Environ, exchange, request

Changes = dict[str, Any]
Given = Callable[[World], Changes]
NOWHERE = uuid4()


def call(method: str, path: str, body: Any = None, **changes: Any) -> Environ:
    """The environ of one call below /api/v1; bytes are sent as they are."""
    path, _, query = f"/api/v1{path}".partition("?")
    plain: Changes = {"REQUEST_METHOD": method, "QUERY_STRING": query}
    if body is None:
        plain |= {"CONTENT_TYPE": "absent", "CONTENT_LENGTH": "absent"}
    return request(path, b"" if body is None else body, **THROUGH_PROXY | plain | changes)


def guests_cart(world: World) -> carts.CartView:
    """A guest's cart with one mug; the same for both requests of a case."""
    if "cart" not in world.__dict__:
        world.cart = carts.set_line(carts.create_guest(), world.mug.sku, 1)  # type: ignore[attr-defined]
    return world.cart  # type: ignore[attr-defined, no-any-return]


def alices_cart(world: World) -> carts.CartView:
    return carts.set_line(carts.of_user(world.alice), world.mug.sku, 2)


def asked(
    name: str,
    status: int,
    method: str,
    path: str,
    body: Any = None,
    *,
    given: Given = lambda _: {},
    passed_on: bool = False,
    prepare: Callable[[World], object] = lambda _: None,
    **changes: Any,
) -> Case:
    """A call. In `path`, `{cart}` is the guest's cart, whose token is sent, and `{mug}` a slug."""

    def make(world: World, way: str) -> Environ:
        sent = dict(changes)
        names = {"mug": world.mug.product.slug, "nowhere": NOWHERE}
        if "{cart}" in path:
            names["cart"] = guests_cart(world).id
            sent = {"HTTP_X_CART_TOKEN": guests_cart(world).token} | sent
        if "{alices}" in path:
            names["alices"] = alices_cart(world).id
        return call(method, path.format(**names), body, **sent | given(world))

    return Case(name, status, make, answered=not passed_on, prepare=prepare)  # fmt: skip


def bearer(world: World) -> Changes:
    return {"HTTP_AUTHORIZATION": world.bearer()}


def bad(text: str) -> Given:
    return lambda _: {"HTTP_AUTHORIZATION": text}


def used_up(limit: Limit, subject: str = CLIENT) -> Callable[[World], None]:
    def prepare(world: World) -> None:
        with suppress(rate_limits.LimitReached):
            for _ in range(limit.amount + 1):
                rate_limits.count(limit, subject)

    return prepare


def cart_used_up(world: World) -> None:
    used_up(rate_limits.WRITES_OF_CART, str(guests_cart(world).id))(world)


def kept(world: World) -> None:
    """A cart that was opened with this key, through Django."""
    exchange(world.django, call("POST", "/carts/", {}, HTTP_IDEMPOTENCY_KEY="again"))


def with_code(world: World) -> None:
    PromoFactory(code="TEN", percent_bp=1000)


CARD = {"quantity": 1, "note": "4242 4242 4242 4242"}
LINE = "/carts/{cart}/lines/MUG/"
LOGIN = {"email": "nobody@example.com", "password": "a long password"}

CATALOG = [
    asked("product", 200, "GET", "/products/{mug}/"),
    asked("no such product", 404, "GET", "/products/no-such/"),
    asked("parameter nobody knows", 400, "GET", "/products/{mug}/?catgory=mugs"),
    asked("parameter twice", 400, "GET", "/products/?search=a&search=b"),
    asked("list", 200, "GET", "/products/"),
    asked("search", 200, "GET", "/products/?search=mug&ordering=price&in_stock=true"),
    asked("bad price", 400, "GET", "/products/?min_price=cheap"),
    asked("NUL in the query", 400, "GET", "/products/?search=%00"),
    asked("categories", 200, "GET", "/categories/"),
    asked("accepts HTML", 200, "GET", "/products/{mug}/", HTTP_ACCEPT="text/html"),
    asked("accepts gzip", 200, "GET", "/products/{mug}/", HTTP_ACCEPT_ENCODING="gzip"),
    asked("if none match", 200, "GET", "/products/{mug}/", HTTP_IF_NONE_MATCH="*"),
    asked("other method", 405, "DELETE", "/products/{mug}/"),
    asked("body of a GET", 200, "GET", "/products/{mug}/", {"a": 1}),
    asked("catalog, bad token", 200, "GET", "/products/{mug}/", given=bad("Bearer x")),
]
OPENED = [
    asked("open a cart", 201, "POST", "/carts/", {}),
    asked("without a body", 201, "POST", "/carts/"),
    asked("length 0", 201, "POST", "/carts/", b"", CONTENT_LENGTH="0"),
    asked("with a key", 201, "POST", "/carts/", {}, given=lambda _: {
        "HTTP_IDEMPOTENCY_KEY": uuid4().hex}),
    asked("the key again", 201, "POST", "/carts/", {}, prepare=kept,
          HTTP_IDEMPOTENCY_KEY="again"),
    asked("the key for another body", 422, "POST", "/carts/", {"a": 1}, prepare=kept,
          HTTP_IDEMPOTENCY_KEY="again"),
    asked("bad key", 400, "POST", "/carts/", {}, HTTP_IDEMPOTENCY_KEY="k\tk"),
    asked("signed in", 201, "POST", "/carts/", {}, given=bearer),
    asked("bad token", 401, "POST", "/carts/", {}, given=bad("Bearer x")),
    asked("two words in the token", 401, "POST", "/carts/", {}, given=bad("Bearer x y")),
    asked("another kind of token", 201, "POST", "/carts/", {}, given=bad("Basic eDp5")),
    asked("expired", 401, "POST", "/carts/", {},
          given=lambda world: {"HTTP_AUTHORIZATION": expired(world)}),
    asked("other password since", 401, "POST", "/carts/", {}, given=bearer, prepare=new_password),
    asked("account closed", 401, "POST", "/carts/", {}, given=lambda world: {
        "HTTP_AUTHORIZATION": (world.bearer(), closed(world))[0]}),
    asked("too many carts", 429, "POST", "/carts/", {},
          prepare=used_up(rate_limits.NEW_CARTS_OF_ADDRESS)),
    asked("too many carts in a day", 429, "POST", "/carts/", {},
          prepare=used_up(rate_limits.NEW_CARTS_OF_ADDRESS_A_DAY)),
    asked("too many carts, and the key again", 429, "POST", "/carts/", {},
          prepare=lambda world: (
              kept(world), used_up(rate_limits.NEW_CARTS_OF_ADDRESS)(world)),
          HTTP_IDEMPOTENCY_KEY="again"),
]  # fmt: skip
CHANGED = [
    asked("cart", 200, "GET", "/carts/{cart}/"),
    asked("cart to a place", 200, "GET", "/carts/{cart}/?country=US&region=OR"),
    asked("cart to no place", 400, "GET", "/carts/{cart}/?country=Oz"),
    asked("no token", 404, "GET", "/carts/{cart}/", HTTP_X_CART_TOKEN="absent"),
    asked("wrong token", 404, "GET", "/carts/{cart}/", HTTP_X_CART_TOKEN="x" * 72),
    asked("unknown cart", 404, "GET", "/carts/{nowhere}/", HTTP_X_CART_TOKEN="x" * 72),
    asked("a customer's cart", 200, "GET", "/carts/{alices}/", given=bearer),
    asked("a stranger's cart", 404, "GET", "/carts/{alices}/"),
    asked("line", 200, "PUT", LINE, {"quantity": 2}),
    asked("line away", 200, "PUT", LINE, {"quantity": 0}),
    asked("more than there is", 409, "PUT", LINE, {"quantity": 500}),
    asked("no such SKU", 404, "PUT", "/carts/{cart}/lines/NO/SUCH/", {"quantity": 1}),
    asked("no number", 400, "PUT", LINE, {"quantity": "two"}),
    asked("too large a number", 400, "PUT", LINE, {"quantity": 1_000_000}),
    asked("no body", 400, "PUT", LINE),
    asked("no JSON", 400, "PUT", LINE, b"{"),
    asked("a field twice", 400, "PUT", LINE, b'{"quantity": 1, "quantity": 2}'),
    asked("a card's number", 400, "PUT", LINE, CARD),
    asked("no body, and limited", 429, "PUT", LINE,
          prepare=used_up(rate_limits.WRITES_OF_ADDRESS)),
    asked("line, limited by address", 429, "PUT", LINE, {"quantity": 2},
          prepare=used_up(rate_limits.WRITES_OF_ADDRESS)),
    asked("line, limited by cart", 429, "PUT", LINE, {"quantity": 2}, prepare=cart_used_up),
    asked("wrong token, and limited", 429, "PUT", LINE, {"quantity": 2},
          prepare=used_up(rate_limits.WRITES_OF_ADDRESS), HTTP_X_CART_TOKEN="x" * 72),
    asked("code", 200, "PUT", "/carts/{cart}/promo/", {"code": "TEN"}, prepare=with_code),
    asked("unknown code", 400, "PUT", "/carts/{cart}/promo/", {"code": "NO-SUCH"}),
    asked("code away", 200, "DELETE", "/carts/{cart}/promo/"),
    asked("too many codes", 429, "PUT", "/carts/{cart}/promo/", {"code": "TEN"},
          prepare=used_up(rate_limits.PROMO_TRIES_OF_ADDRESS)),
    asked("ways to ship", 200, "GET", "/carts/{cart}/shipping-methods/?country=US"),
    asked("ways to ship nowhere", 400, "GET", "/carts/{cart}/shipping-methods/"),
    asked("other method on a line", 405, "PATCH", LINE, {"quantity": 2}),
]  # fmt: skip
PEOPLE = [
    asked("me, without a token", 401, "GET", "/me/"),
    asked("me", 200, "GET", "/me/", given=bearer),
    asked("addresses", 200, "GET", "/me/addresses/", given=bearer),
    asked("own orders", 200, "GET", "/orders/", given=bearer),
    asked("no such order", 404, "GET", "/orders/{nowhere}/status/"),
    asked("wrong password", 401, "POST", "/auth/token/", LOGIN),
    asked("no such room", 404, "GET", "/waiting-rooms/none/"),
]
PASSED_ON = [
    asked("a cookie", 200, "GET", "/products/{mug}/", passed_on=True, HTTP_COOKIE="theme=dark"),
    asked("a session's cookie", 200, "GET", "/carts/{cart}/", passed_on=True,
          HTTP_COOKIE="__Host-session=x"),
    asked("HEAD", 200, "HEAD", "/products/{mug}/", passed_on=True),
    asked("OPTIONS", 200, "OPTIONS", "/products/{mug}/", passed_on=True),
    asked("no such address", 404, "GET", "/nowhere/", passed_on=True),
    asked("without its slash", 308, "POST", "/carts", {}, passed_on=True),
    asked("a page's address", 301, "GET", "/products/{mug}", passed_on=True),
    asked("another host", 400, "GET", "/products/{mug}/", passed_on=True, HTTP_HOST="evil.example"),
    asked("http", 301, "GET", "/products/{mug}/", passed_on=True, HTTP_X_FORWARDED_PROTO="http"),
    asked("a form", 415, "POST", "/carts/", b"a=1", passed_on=True,
          CONTENT_TYPE="application/x-www-form-urlencoded"),
    asked("too large a body", 413, "PUT", LINE, json.dumps({"a": "x" * 70_000}).encode(),
          passed_on=True),
    asked("too large by far", 413, "PUT", LINE, b"", passed_on=True, CONTENT_LENGTH="9" * 9),
    asked("length is no number", 400, "PUT", LINE, {"quantity": 1}, passed_on=True,
          CONTENT_LENGTH="2a"),
    asked("chunked", 400, "PUT", LINE, passed_on=True, HTTP_TRANSFER_ENCODING="chunked",
          CONTENT_TYPE="application/json"),
    asked("NUL in the address", 400, "GET", "/products/\x00/", passed_on=True),
    asked("letters beyond ASCII", 404, "GET", "/products/\xc3\xa9/", passed_on=True),
    asked("below a folder", 200, "GET", "/products/{mug}/", passed_on=True, SCRIPT_NAME="/shop"),
]  # fmt: skip
API_CASES = [*CATALOG, *OPENED, *CHANGED, *PEOPLE, *PASSED_ON]
