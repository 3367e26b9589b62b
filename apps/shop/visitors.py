"""What a visit remembers, in the session: the guest's cart, how much is in it, and own orders.

cart      {"id", "token"} of a guest's cart; a customer's is found by who she is
count     pieces in the cart as last seen, for the number in the page's head
orders    {order id: {"token", "cart", "cart_token"}} of the last orders made here: the way back
          from 3-D Secure has no token in its address, and a cancelled order's cart can be had
          again
"""

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

ORDERS_KEPT = 20


@dataclass(frozen=True, slots=True)
class OwnOrder:
    """An order made in this session."""

    token: str
    cart_id: UUID | None
    cart_token: str | None


def guest_cart_id(request: HttpRequest) -> UUID | None:
    """Of the guest's cart that this browser was given; it may have expired, or be lost."""
    kept = None if request.user.is_authenticated else request.session.get("cart")
    return UUID(kept["id"]) if kept else None


def cart_of(request: HttpRequest) -> CartView | None:
    """The visitor's cart, or None when there is none yet; makes none. Raises CartsUnavailable."""
    if request.user.is_authenticated:
        return carts.of_user(request.user)
    kept = request.session.get("cart")
    if not kept:
        return None
    try:
        return carts.find(UUID(kept["id"]), token=kept["token"])
    except CartNotFound:
        forget_cart(request)  # expired, or merged into an account
        return None


def cart_for_writing(request: HttpRequest) -> CartView:
    """The visitor's cart, made when there is none. Raises CartsUnavailable."""
    cart = cart_of(request)
    if cart is None:
        cart = carts.create_guest()
        remember_cart(request, cart)
    return cart


def remember_cart(request: HttpRequest, cart: CartView) -> None:
    """Keep what is needed to find it again, and how much is in it."""
    if cart.owner_id is None:
        request.session["cart"] = {"id": str(cart.id), "token": cart.token}
    remember_count(request, cart)


def remember_count(request: HttpRequest, cart: CartView | None) -> None:
    count = sum(line.quantity for line in cart.lines) if cart else 0
    if request.session.get("count", 0) != count:
        request.session["count"] = count


def forget_cart(request: HttpRequest) -> None:
    """It was ordered, expired, or merged; the cart itself is not touched."""
    for name in ("cart", "count"):
        request.session.pop(name, None)


def bring_back(request: HttpRequest, cart: CartView) -> None:
    """Make `cart`, a cancelled order's, the visitor's again. Raises CartsUnavailable.

    A guest who has begun another cart meanwhile keeps that one, with these things beside it.
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
    """Bring the guest's cart into the customer's; call after login.

    Redis away leaves the guest's cart in the session: the next login tries again.
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


def own_order(request: HttpRequest, order_id: UUID) -> OwnOrder | None:
    kept = request.session.get("orders", {}).get(str(order_id))
    if kept is None:
        return None
    return OwnOrder(
        token=kept["token"],
        cart_id=UUID(kept["cart"]) if kept["cart"] else None,
        cart_token=kept["cart_token"],
    )
