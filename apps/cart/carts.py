"""What shoppers do with carts, the same for guests and customers.

A guest's cart is in Redis, and its token gives access to it (guests/). A customer's cart is in
PostgreSQL and belongs to their account (customers.py). Both are returned as a `CartView`.

Adding checks what is for sale now and holds nothing: the hold comes with the order. So a cart keeps
no shopper from buying, its own included.

    close    the cart was ordered: it is kept, closed, as what was ordered. What was added since the
             order read it is in the next cart: a customer's open cart (`of_user`), or the one that
             follows a guest's, with the same token (`follow`). A concurrent `add` adds there.
    reopen   the order was cancelled: its lines are back in the open cart.
    merge    a guest signed in: per SKU the larger quantity; no line lost, none doubled.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol
from uuid import UUID

from apps.cart import customers, goods, guests
from apps.cart.basket import (
    LINES_MAX,
    PROMOS_MAX,
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
    QuantityLimited,
    TooManyLines,
    TooManyPromos,
    UnknownSku,
)
from apps.cart.goods import Goods
from apps.flash_sales import limits

__all__ = [
    "LINES_MAX",
    "PROMOS_MAX",
    "QUANTITY_MAX",
    "CartClosed",
    "CartError",
    "CartLineView",
    "CartNotFound",
    "CartView",
    "CartsUnavailable",
    "InsufficientStock",
    "InvalidQuantity",
    "QuantityLimited",
    "TooManyLines",
    "TooManyPromos",
    "UnknownSku",
    "add",
    "close",
    "create_guest",
    "find",
    "follow",
    "may_be_lost",
    "merge",
    "named_by",
    "next_of",
    "of_user",
    "reopen",
    "set_line",
    "set_promos",
    "token_again",
]

# More changes of the cart during one sign-in than a person makes. After them the guest's cart stays
# beside the merged one, and the sign-in goes on.
_MERGE_ATTEMPTS = 50


class Shopper(Protocol):
    """Django's user, or its AnonymousUser (`pk` is None)."""

    @property
    def pk(self) -> int | None: ...


def create_guest() -> CartView:
    """A new empty cart. Its `token` is returned only here. Raises `CartsUnavailable`."""
    return guests.create()


def of_user(user: Shopper) -> CartView:
    """The customer's open cart, created if missing. Raises ValueError for an anonymous user."""
    if user.pk is None:
        raise ValueError("an anonymous shopper has a guest's cart: create_guest()")
    return customers.open_cart(user.pk)


def find(cart_id: UUID, *, token: str | None = None, user: Shopper | None = None) -> CartView:
    """The cart, if it is `user`'s (open or closed) or `token` is its token.

    Raises `CartNotFound` otherwise, and `CartsUnavailable`.
    """
    if user is not None and user.pk is not None:
        cart = customers.find(cart_id, user.pk)
        if cart is not None:
            return cart
    if token:
        return guests.find(cart_id, token).cart
    raise CartNotFound(cart_id)


def may_be_lost(cart_id: UUID, token: str | None) -> bool:
    """Whether Redis may have lost a moment ago this guest's cart, which `token` was made for.

    Raises `CartsUnavailable`.
    """
    return guests.may_be_lost(cart_id, token)


def named_by(token: str | None) -> UUID | None:
    """The id of the guest's cart that `token` was made for; None where it is no token of ours.

    The cart may have expired, or been ordered: then `next_of` finds the one that follows.
    """
    return guests.named_by(token)


def token_again(cart_id: UUID) -> str:
    """The token that a guest's new cart was answered with. Raises `CartsUnavailable`.

    Only for whoever got it before: a client that sends its request for a new cart again.
    """
    return guests.token_again(cart_id)


def set_line(cart: CartView, sku: str, quantity: int, known: Goods | None = None) -> CartView:
    """Set the line to `quantity` units, 0 to 999; 0 removes it, also one that is no longer sold.

    `known` are goods that were read a moment ago, for a caller that goes on to price the cart.

    Raises `InvalidQuantity`, `UnknownSku`, `InsufficientStock`, `QuantityLimited`, `TooManyLines`,
    `CartNotFound` (expired since it was read), `CartClosed`, `CartsUnavailable`. The cart is
    unchanged then; after `CartsUnavailable` it may not be.
    """
    check_quantity(quantity, at_least=0)
    if quantity == 0:
        # A removal needs neither a product nor stock. A SKU that cannot exist is in no cart.
        if not is_storable_sku(sku):
            return cart
        available, most = 0, QUANTITY_MAX
    else:
        available, most = _purchasable(sku, known)
    store = guests if cart.owner_id is None else customers
    try:
        return store.set_line(cart, sku, quantity, available=available, most=most)
    except CartClosed:
        following, closed = _after_ordering(cart)
        more = quantity - closed.quantity_of(sku)  # the order has bought the others
        if more <= 0:
            raise
    return set_line(following, sku, more)


def add(cart: CartView, sku: str, quantity: int = 1) -> CartView:
    """Add `quantity` units, 1 to 999, to the line. Raises as `set_line`.

    The sum must be available and at most 999. If the cart was ordered since it was read, the units
    go into the next cart, and that is returned.
    """
    check_quantity(quantity, at_least=1)
    available, most = _purchasable(sku)
    store = guests if cart.owner_id is None else customers
    try:
        return store.add(cart, sku, quantity, available=available, most=most)
    except CartClosed:
        following, _ = _after_ordering(cart)
    return add(following, sku, quantity)


def _after_ordering(cart: CartView) -> tuple[CartView, CartView]:
    """The next cart, and this one as it was ordered, for a cart that was open when it was read.

    Raises CartClosed if `cart` was read closed, and CartNotFound.
    """
    if not cart.open:
        raise CartClosed(cart.id)
    if cart.owner_id is None:
        assert cart.token is not None
        return guests.follow(cart), guests.find(cart.id, cart.token).cart
    closed = customers.find(cart.id, cart.owner_id)
    if closed is None:
        raise CartNotFound(cart.id)
    return customers.open_cart(cart.owner_id), closed


def set_promos(cart: CartView, codes: list[str] | tuple[str, ...]) -> CartView:
    """Replace the cart's promo codes. Whether they apply is decided by the quote.

    Raises `TooManyPromos` for what cannot be a code, and as `set_line`.
    """
    store = guests if cart.owner_id is None else customers
    return store.set_promos(cart, checked_promos(codes, before=cart.promo_codes))


def next_of(cart: CartView) -> CartView | None:
    """The open cart: this one, or the first open one after it, or None.

    Raises `CartsUnavailable`.
    """
    if cart.open:
        return cart
    if cart.owner_id is not None:
        return customers.following(cart.owner_id)
    assert cart.token is not None
    at = cart
    try:
        while not at.open:
            following = guests.find(at.id, cart.token).following
            if following is None:
                return None
            at = guests.find(following, cart.token).cart
    except CartNotFound:
        return None  # expired, or merged into an account
    return at


def follow(cart: CartView) -> CartView:
    """The open cart to write to: as `next_of`, created if missing."""
    at = cart
    while not at.open:
        at = customers.open_cart(at.owner_id) if at.owner_id is not None else guests.follow(at)
    return at


def merge(guest: CartView, user: Shopper) -> CartView:
    """Move a guest's cart into the customer's open cart and return that; the guest's is deleted.

        1. Read the guest's cart again: another tab may have added to it.
        2. Raise the customer's lines to it, in one transaction under the lock of their cart.
        3. Delete the guest's cart if it has not changed since 1, else start again.

    After a crash between 2 and 3 both carts exist; the next sign-in repeats this with the same
    result, and so do two sign-ins at once. Raises `CartsUnavailable`: the guest's cart is unchanged
    then, and can be merged at the next sign-in.
    """
    own = of_user(user)
    if guest.owner_id is not None or guest.token is None:
        return own
    for _ in range(_MERGE_ATTEMPTS):
        try:
            read = guests.find(guest.id, guest.token)
        except CartNotFound:
            return of_user(user)  # merged by another sign-in, or expired
        if not read.cart.open:  # ordered: the cart that came after it is to be merged
            following = next_of(read.cart)
            if following is None:
                return own
            guest = following
            continue
        own = _merge_lines(read.cart, user)
        if guests.delete_unchanged(read):
            break
    return own


def close(
    cart: CartView,
    *,
    quantities: Mapping[str, int] | None = None,
    promo_codes: Iterable[str] | None = None,
) -> CartView:
    """Close the cart: it was ordered as it was read, or as `quantities` and `promo_codes` say.

    Safe to repeat. For guests' carts; the intake closes customers' carts in the transaction of the
    order. Raises `CartNotFound`, `CartsUnavailable`.
    """
    if cart.owner_id is not None:
        return customers.close(cart)
    return guests.close(
        cart,
        cart.quantities if quantities is None else quantities,
        cart.promo_codes if promo_codes is None else promo_codes,
    )


def reopen(cart_id: UUID, *, user: Shopper | None = None, token: str | None = None) -> CartView:
    """The open cart, with the lines of the ordered one in it again. Safe to repeat.

    For the shopper of a cancelled order; the caller checks that it was cancelled. A guest's cart is
    itself opened again, unless the guest has signed in since. Raises `CartNotFound`,
    `CartsUnavailable`.
    """
    cart = find(cart_id, user=user, token=token)
    if cart.open and (user is None or user.pk is None or cart.owner_id == user.pk):
        return cart
    if user is None or user.pk is None:
        return guests.reopen(cart)
    return _merge_lines(cart, user)


def _merge_lines(source: CartView, user: Shopper) -> CartView:
    """Put the larger quantity per SKU into the customer's open cart."""
    while True:
        try:
            return customers.merge_into(of_user(user), source)
        except CartClosed:
            continue  # ordered in another tab meanwhile: the lines go into the next open cart


def _purchasable(sku: str, known: Goods | None = None) -> tuple[int, int]:
    """(units for sale, units that one order may have). Raises `UnknownSku`.

    Where fewer are for sale than the limit, the limit is not applied: the refusal then names what
    is left.
    """
    if not is_storable_sku(sku):
        raise UnknownSku(sku)
    if known is None or not known.cover({sku}):
        known = goods.of({sku})
    offer = known.offers.get(sku)
    if offer is None:
        raise UnknownSku(sku)
    available = known.levels[sku].for_sale
    most = limits.of(offer).of_sku
    return available, QUANTITY_MAX if available <= most else min(most, QUANTITY_MAX)
