"""What people do with carts, whoever they are and wherever the cart is kept.

A guest's cart lives in Redis and belongs to whoever holds its token (guests.py); a customer's lives
in PostgreSQL and belongs to her (customers.py). Both are a `CartView`.

Adding checks what can be bought now and holds nothing: a cart is a wish, the hold comes with the
order. So nobody is kept from buying by a cart, her own included.

    close    a customer's cart was ordered: it is kept, closed, and `of_user` opens the next one.
             A guest's stays as it is; the page forgets it.
    reopen   the order was cancelled: its lines are back in the open cart.
    merge    a guest signed in: per SKU the larger quantity, no line lost, none doubled.
"""

from typing import Protocol
from uuid import UUID

from apps.cart import customers, guests
from apps.cart.basket import (
    LINES_MAX,
    QUANTITY_MAX,
    CartLineView,
    CartView,
    check_quantity,
    checked_promos,
    is_storable_sku,
)
from apps.cart.errors import (
    CartClosed,
    CartError,
    CartNotFound,
    CartsUnavailable,
    InsufficientStock,
    InvalidQuantity,
    TooManyLines,
    TooManyPromos,
    UnknownSku,
)
from apps.catalog import prices
from apps.inventory import stock

__all__ = [
    "LINES_MAX",
    "QUANTITY_MAX",
    "CartClosed",
    "CartError",
    "CartLineView",
    "CartNotFound",
    "CartView",
    "CartsUnavailable",
    "InsufficientStock",
    "InvalidQuantity",
    "TooManyLines",
    "TooManyPromos",
    "UnknownSku",
    "add",
    "close",
    "create_guest",
    "find",
    "may_be_lost",
    "merge",
    "of_user",
    "reopen",
    "set_line",
    "set_promos",
]

# Nobody shops this fast; whoever tries keeps the guest's cart, and her login ends all the same.
_MERGE_ROUNDS = 50


class Shopper(Protocol):
    """Django's user, or its AnonymousUser (`pk` is None)."""

    @property
    def pk(self) -> int | None: ...


def create_guest() -> CartView:
    """A new empty cart; its `token` is shown this once. Raises `CartsUnavailable`."""
    return guests.create()


def of_user(user: Shopper) -> CartView:
    """The customer's open cart, made when there is none."""
    if user.pk is None:
        raise ValueError("an anonymous shopper has a guest's cart: create_guest()")
    return customers.open_cart(user.pk)


def find(cart_id: UUID, *, token: str | None = None, user: Shopper | None = None) -> CartView:
    """The cart, if it is `user`'s (open or closed) or `token` is its token.

    Raises `CartNotFound` to everyone else, `CartsUnavailable`.
    """
    if user is not None and user.pk is not None:
        cart = customers.find(cart_id, user.pk)
        if cart is not None:
            return cart
    if token:
        return guests.find(cart_id, token).cart
    raise CartNotFound(cart_id)


def may_be_lost(cart_id: UUID) -> bool:
    """Whether Redis may have lost this guest's cart a moment ago. Raises `CartsUnavailable`."""
    return guests.may_be_lost(cart_id)


def set_line(cart: CartView, sku: str, quantity: int) -> CartView:
    """Make the line `quantity` pieces, 0 to 999; 0 removes, also what is no longer sold.

    Raises `InvalidQuantity`, `UnknownSku`, `InsufficientStock`, `TooManyLines`, `CartNotFound`
    (expired since), `CartClosed`, `CartsUnavailable`; the cart is as it was then.
    """
    check_quantity(quantity, at_least=0)
    if quantity == 0:
        # A removal needs neither a product nor stock; what no cart can hold is already removed.
        if not is_storable_sku(sku):
            return cart
        available = 0
    else:
        available = _available(sku)
    kept_in = guests if cart.owner_id is None else customers
    return kept_in.set_line(cart, sku, quantity, available=available)


def add(cart: CartView, sku: str, quantity: int = 1) -> CartView:
    """Put `quantity` pieces, 1 to 999, to what is there. Raises like `set_line`.

    The sum is what must be available and at most 999.
    """
    check_quantity(quantity, at_least=1)
    available = _available(sku)
    kept_in = guests if cart.owner_id is None else customers
    return kept_in.add(cart, sku, quantity, available=available)


def set_promos(cart: CartView, codes: list[str] | tuple[str, ...]) -> CartView:
    """Keep these codes with the cart, replacing what was there; the quote judges them.

    Raises `TooManyPromos` for what cannot be kept.
    """
    kept_in = guests if cart.owner_id is None else customers
    return kept_in.set_promos(cart, checked_promos(codes))


def merge(guest: CartView, user: Shopper) -> CartView:
    """Move a guest's cart into the customer's open one; answers that. The guest's is gone then.

        1. Read the guest's cart anew: another tab may have added since.
        2. Raise the customer's lines to it, in one transaction under her cart's lock.
        3. Drop the guest's cart if nobody touched it since 1, else begin again.

    Dying between 2 and 3 leaves both; the next login does it again with the same result. So do two
    logins at once. Raises `CartsUnavailable`: the guest's cart is safe then, try at the next login.
    """
    mine = of_user(user)
    if guest.owner_id is not None or guest.token is None:
        return mine
    for _ in range(_MERGE_ROUNDS):
        try:
            read = guests.find(guest.id, guest.token)
        except CartNotFound:
            return of_user(user)  # merged by another login, or expired
        mine = _bring(read.cart, user)
        if guests.delete_unchanged(read):
            break
    return mine


def close(cart: CartView) -> CartView:
    """The cart was ordered. Safe to repeat."""
    if cart.owner_id is None:
        return cart
    return customers.close(cart)


def reopen(cart_id: UUID, *, user: Shopper | None = None, token: str | None = None) -> CartView:
    """The open cart, with the lines of the ordered one in it again. Safe to repeat.

    For the shopper whose order was cancelled; whether it was is for the caller to know. A guest's
    cart was never closed: it is her open one, unless she has signed in since. Raises
    `CartNotFound`, `CartsUnavailable`.
    """
    cart = find(cart_id, user=user, token=token)
    if user is None or user.pk is None or (cart.open and cart.owner_id == user.pk):
        return cart
    return _bring(cart, user)


def _bring(source: CartView, user: Shopper) -> CartView:
    """Put the larger quantity per SKU into the customer's open cart."""
    while True:
        try:
            return customers.bring(of_user(user), source)
        except CartClosed:
            continue  # ordered in another tab this moment: the next open cart takes the lines


def _available(sku: str) -> int:
    if not is_storable_sku(sku) or sku not in prices.offers([sku]):
        raise UnknownSku(sku)
    return max(0, stock.availability([sku]).get(sku, 0))
