"""What was in the cart when the checkout's form was shown; the form carries it, signed.

Carts get lost: a session ends, the shopper signs out in another tab, Redis is emptied. Then the
form itself still says what was to be ordered, and the shopper does not end at an empty cart.
"""

from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from django.core import signing
from django.http import HttpRequest

from apps.cart import carts
from apps.cart.carts import (
    CartNotFound,
    CartView,
    InsufficientStock,
    QuantityLimited,
    TooManyLines,
    TooManyPromos,
    UnknownSku,
)
from apps.web import visitor_session

SALT = "web.checkout.cart"


@dataclass(frozen=True, slots=True)
class FormCart:
    """The cart of a form: its id, (SKU, quantity) of its lines, and its codes."""

    id: UUID
    lines: tuple[tuple[str, int], ...]
    promo_codes: tuple[str, ...]


def sealed(cart: CartView) -> str:
    """`cart` as the form carries it."""
    lines = [[line.sku, line.quantity] for line in cart.lines]
    return signing.dumps([cart.id.hex, lines, list(cart.promo_codes)], salt=SALT, compress=True)


def read(request: HttpRequest) -> FormCart | None:
    """The cart of the posted form; None where there is none, or not one of ours."""
    try:
        cart_id, lines, codes = signing.loads(request.POST.get("cart", ""), salt=SALT)
    except signing.BadSignature:
        return None
    return FormCart(UUID(cart_id), tuple((sku, units) for sku, units in lines), tuple(codes))


def put_together(request: HttpRequest, kept: FormCart) -> CartView | None:
    """A cart of the visitor's with the lines of `kept`; None where nothing of it is sold now.

    Of a line of which fewer are left, what is left goes in. Raises CartsUnavailable, LimitReached.
    """
    cart = visitor_session.cart_for_writing(request)
    visitor_session.count_write(request, cart)
    for sku, quantity in kept.lines:
        if cart.quantity_of(sku) < quantity:
            cart = with_what_is_left(cart, sku, quantity)
    if cart.lines and kept.promo_codes and not cart.promo_codes:
        with suppress(TooManyPromos, CartNotFound):
            cart = carts.set_promos(cart, kept.promo_codes[: carts.PROMOS_MAX])
    visitor_session.remember_cart(request, cart)
    return cart if cart.lines else None


def with_what_is_left(cart: CartView, sku: str, quantity: int) -> CartView:
    """`cart` with `quantity` units of `sku`, or with as many as are left of it: perhaps none."""
    try:
        return carts.set_line(cart, sku, quantity)
    except InsufficientStock as short:
        if short.available < quantity:
            return with_what_is_left(cart, sku, max(short.available, 0))
        return cart
    except (QuantityLimited, UnknownSku, TooManyLines, CartNotFound):
        return cart
