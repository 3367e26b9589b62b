"""What the session of a visitor holds: the guest's cart, its number of pieces, and own orders.

cart      {"id", "token"} of a guest's cart; a customer's cart is found by the user. It stays after
          the cart was ordered and leads to the next cart: a request that began earlier must not
          bring back a cart that was removed, nor remove a new one
count     pieces in the cart when last read, for the number in the page's header
orders    {order id: {"token", "cart", "cart_token"}} of the last orders of this session: the
          return address of 3-D Secure has no token, and a cancelled order's cart can be reopened
keys      the scope of a guest's idempotency keys: a secret that never leaves the session
"""

import secrets
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from django.http import HttpRequest

from apps.cart import carts
from apps.cart.carts import (
    CartNotFound,
    CartsUnavailable,
    CartView,
    InsufficientStock,
    TooManyLines,
    UnknownSku,
)
from apps.core import rate_limits

ORDERS_KEPT = 20


@dataclass(frozen=True, slots=True)
class OwnOrder:
    """An order made in this session."""

    token: str
    cart_id: UUID | None
    cart_token: str | None


def guest_secret(request: HttpRequest) -> str:
    """The secret that limits the idempotency keys of a guest's forms to this session; made once.

    A key is in a form, and other people may read it in a log or on the screen. If all guests shared
    one scope, anyone who knew a key would be shown the order made with it.
    """
    if "keys" not in request.session:
        request.session["keys"] = secrets.token_hex(16)
    secret: str = request.session["keys"]
    return secret


def guest_cart(request: HttpRequest) -> tuple[UUID, str] | None:
    """Id and token of this session's guest's cart; the cart may have expired or be lost."""
    kept = None if request.user.is_authenticated else request.session.get("cart")
    return (UUID(kept["id"]), kept["token"]) if kept else None


def cart_of(request: HttpRequest) -> CartView | None:
    """The visitor's cart, or None when there is none yet; creates none. Raises CartsUnavailable."""
    if request.user.is_authenticated:
        return carts.of_user(request.user)
    kept = request.session.get("cart")
    if not kept:
        return None
    try:
        found = carts.find(UUID(kept["id"]), token=kept["token"])
    except CartNotFound:
        forget_cart(request)  # expired, or merged into an account
        return None
    cart = carts.next_of(found)
    if cart is not None and cart.id != found.id:
        remember_cart(request, cart)
    return cart


def cart_for_writing(request: HttpRequest) -> CartView:
    """The visitor's cart, created when there is none. Raises CartsUnavailable, LimitReached."""
    cart = cart_of(request)
    if cart is None:
        kept = request.session.get("cart")
        if kept:  # ordered: two tabs that add now must get the same next cart
            cart = carts.follow(carts.find(UUID(kept["id"]), token=kept["token"]))
        else:
            address = rate_limits.by_address(request)
            rate_limits.count(rate_limits.NEW_CARTS_OF_ADDRESS, address)
            rate_limits.count(rate_limits.NEW_CARTS_OF_ADDRESS_A_DAY, address)
            cart = carts.create_guest()
        remember_cart(request, cart)
    return cart


def count_write(request: HttpRequest, cart: CartView) -> None:
    """Count one more change of `cart`. Raises LimitReached."""
    rate_limits.count(rate_limits.WRITES_OF_CART, str(cart.id))
    if cart.owner_id is None:
        address = rate_limits.by_address(request)
        rate_limits.count(rate_limits.CART_WRITES_OF_ADDRESS_A_DAY, address)


def remember_cart(request: HttpRequest, cart: CartView) -> None:
    """Store what is needed to find the cart again, and its number of pieces."""
    if cart.owner_id is None:
        request.session["cart"] = {"id": str(cart.id), "token": cart.token}
        # Now, while the session is written anyway: two submissions at once would each make a secret
        # of their own, and the same key would then be two orders.
        guest_secret(request)
    remember_count(request, cart)


def remember_count(request: HttpRequest, cart: CartView | None) -> None:
    count = sum(line.quantity for line in cart.lines) if cart else 0
    if request.session.get("count", 0) != count:
        request.session["count"] = count


def leave_cart(request: HttpRequest, *, closed: bool) -> None:
    """The cart was ordered. If it could not be closed it is removed, or it would be shown again."""
    if closed:
        remember_count(request, None)
    else:
        forget_cart(request)


def forget_cart(request: HttpRequest) -> None:
    """Remove a cart that expired or was merged from the session; the cart itself is not touched."""
    for name in ("cart", "count"):
        request.session.pop(name, None)


def bring_back(request: HttpRequest, cart: CartView) -> None:
    """Make `cart`, a cancelled order's, the visitor's again. Raises CartsUnavailable.

    A guest who has filled another cart meanwhile keeps that one, and these lines are added to it.
    """
    current = cart_of(request)
    if current is None or not current.lines or current.id == cart.id:
        remember_cart(request, cart)
        return
    for line in cart.lines:
        if current.quantity_of(line.sku) < line.quantity:
            with suppress(InsufficientStock, UnknownSku, TooManyLines):
                current = carts.set_line(current, line.sku, line.quantity)
    remember_cart(request, current)


def merge_on_login(request: HttpRequest) -> None:
    """Merge the guest's cart into the customer's; call after login.

    Without Redis this leaves the guest's cart in the session: the next login tries again.
    """
    with suppress(CartsUnavailable):
        kept = request.session.get("cart")
        guest = None
        if kept:
            with suppress(CartNotFound):
                guest = carts.find(UUID(kept["id"]), token=kept["token"])
        mine = carts.merge(guest, request.user) if guest else carts.of_user(request.user)
        request.session.pop("cart", None)
        remember_count(request, mine)


def remember_order(
    request: HttpRequest, order_id: UUID, *, token: str, cart: CartView | None
) -> None:
    orders = dict(request.session.get("orders", {}))
    orders.pop(str(order_id), None)
    orders[str(order_id)] = {
        "token": token,
        "cart": str(cart.id) if cart else None,
        "cart_token": cart.token if cart else None,
    }
    request.session["orders"] = dict(list(orders.items())[-ORDERS_KEPT:])


def latest_order(request: HttpRequest) -> UUID | None:
    """The id of the last order of this session."""
    kept = list(request.session.get("orders", {}))
    return UUID(kept[-1]) if kept else None


def own_order(request: HttpRequest, order_id: UUID) -> OwnOrder | None:
    kept = request.session.get("orders", {}).get(str(order_id))
    if kept is None:
        return None
    return OwnOrder(
        token=kept["token"],
        cart_id=UUID(kept["cart"]) if kept["cart"] else None,
        cart_token=kept["cart_token"],
    )
