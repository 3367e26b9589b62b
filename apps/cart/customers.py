"""Signed-in customers' carts, in PostgreSQL: one open cart each; ordered carts are closed.

Every change of lines locks the cart's row first (`select_for_update` in `_lock`). Without the lock
two tabs that add at the same moment would both read the old quantity, both pass the check, and put
more into the cart than is for sale; and a line could get into a cart that is being closed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet

from apps.cart.basket import LINES_MAX, QUANTITY_MAX, CartLineView, CartView
from apps.cart.errors import (
    CartClosed,
    CartNotFound,
    InsufficientStock,
    InvalidQuantity,
    QuantityLimited,
    TooManyLines,
)
from apps.cart.models import Cart, CartLine
from apps.core import sql


def open_cart(user_id: int) -> CartView:
    """The customer's open cart, created if missing; concurrent calls get the same one."""
    found = following(user_id)
    if found is not None:
        return found
    cart, _made = Cart.objects.get_or_create(user_id=user_id, open=True)
    return _reread(cart.pk)


def following(user_id: int) -> CartView | None:
    """The customer's open cart, or None. Creates nothing."""
    return _read(user_id=user_id, open=True)


def find(cart_id: UUID, user_id: int) -> CartView | None:
    """One of the customer's carts, open or closed, or None."""
    return _read(pk=cart_id, user_id=user_id)


def set_line(cart: CartView, sku: str, quantity: int, *, available: int, most: int) -> CartView:
    """Set the line to `quantity`; 0 removes it. Raises as `carts.set_line`."""
    return _change_line(cart, sku, quantity, available=available, most=most, adds=False)


def add(cart: CartView, sku: str, quantity: int, *, available: int, most: int) -> CartView:
    """Add `quantity` to the line. Raises as `carts.add`."""
    return _change_line(cart, sku, quantity, available=available, most=most, adds=True)


def set_promos(cart: CartView, codes: tuple[str, ...]) -> CartView:
    """Replace the cart's codes."""
    with transaction.atomic():
        locked = _lock(cart)
        locked.promo_codes = list(codes)
        _save_changed(locked, "promo_codes")
    return _reread(cart.id)


def merge_into(cart: CartView, source: CartView) -> CartView:
    """Put the larger quantity per SKU, and the codes of both, into `cart`.

    A second call writes the same, so it may be repeated after a crash. It checks neither stock nor
    `LINES_MAX`: the shopper had these lines already, and the quote tells which can be bought.
    """
    with transaction.atomic():
        locked = _lock(cart)
        have = dict(CartLine.objects.filter(cart=locked).values_list("sku", "quantity"))
        CartLine.objects.bulk_create(
            [
                CartLine(cart=locked, sku=line.sku, quantity=line.quantity)
                for line in source.lines
                if line.quantity > have.get(line.sku, 0)
            ],
            update_conflicts=True,
            unique_fields=["cart", "sku"],
            update_fields=["quantity"],
        )
        locked.promo_codes = list(dict.fromkeys([*locked.promo_codes, *source.promo_codes]))
        _save_changed(locked, "promo_codes")
    return _reread(cart.id)


@dataclass(frozen=True, slots=True)
class Ordered:
    """A cart as an order has read it, and what was ordered from it.

    `version` is the cart's at that moment; with None its lines are compared in any case.
    """

    cart_id: UUID
    version: int | None
    quantities: Mapping[str, int]
    promo_codes: tuple[str, ...]


# A cart that is closed already was ordered before, and cannot have changed since.
_CLOSE = """
    UPDATE cart_cart SET open = false WHERE id = ANY(%s) AND open RETURNING id, user_id, version
"""


def close_ordered(ordered: Sequence[Ordered]) -> None:
    """Close these carts in the transaction of their orders; what was added since moves on.

    Between reading a cart and closing it another tab may add something. The row lock puts the two
    in order: what was added before the closing moves into the next cart here; an addition after it
    gets CartClosed and is repeated on the next cart (carts.py). One statement, unless a cart has
    changed.
    """
    by_id = {one.cart_id: one for one in ordered}
    for cart_id, user_id, version in sql.fetch(_CLOSE, (list(by_id),)):
        if version != by_id[cart_id].version:
            _move_rest(by_id[cart_id], user_id)


def _move_rest(ordered: Ordered, user_id: int) -> None:
    """Leave in the cart what was ordered; move the rest into the customer's next cart."""
    cart = Cart.objects.get(pk=ordered.cart_id)
    there = CartLine.objects.filter(cart=cart).order_by("position").values_list("sku", "quantity")
    rest = [
        (sku, quantity - ordered.quantities.get(sku, 0))
        for sku, quantity in there
        if quantity > ordered.quantities.get(sku, 0)
    ]
    codes = [code for code in cart.promo_codes if code not in ordered.promo_codes]
    if not rest and not codes:
        return
    # Otherwise a cancelled order would restore lines that are in the next cart as well.
    CartLine.objects.filter(cart=cart).exclude(sku__in=ordered.quantities).delete()
    for sku, quantity in ordered.quantities.items():
        CartLine.objects.filter(cart=cart, sku=sku).update(quantity=quantity)
    Cart.objects.filter(pk=cart.pk).update(promo_codes=list(ordered.promo_codes))
    following, _made = Cart.objects.get_or_create(user_id=user_id, open=True)
    following.promo_codes = codes
    _save_changed(following, "promo_codes")
    CartLine.objects.bulk_create(CartLine(cart=following, sku=sku, quantity=n) for sku, n in rest)


def close(cart: CartView) -> CartView:
    """Close the cart as it was read; what was added since moves into the next one."""
    with transaction.atomic():
        if _owned(cart).exists():
            close_ordered([Ordered(cart.id, cart.version, cart.quantities, cart.promo_codes)])
    return _reread(cart.id)


def _change_line(
    cart: CartView, sku: str, quantity: int, *, available: int, most: int, adds: bool
) -> CartView:
    with transaction.atomic():
        locked = _lock(cart)
        line = CartLine.objects.filter(cart=locked, sku=sku).first()
        after = quantity + (line.quantity if line and adds else 0)
        if after > QUANTITY_MAX:
            raise InvalidQuantity(QUANTITY_MAX)
        if after > most:
            raise QuantityLimited(sku, most)
        if after > available and after > 0:
            raise InsufficientStock(sku, available)
        if after == 0:
            if line:
                line.delete()
        elif line:
            line.quantity = after
            line.save(update_fields=["quantity"])
        else:
            if CartLine.objects.filter(cart=locked).count() >= LINES_MAX:
                raise TooManyLines(LINES_MAX)
            CartLine.objects.create(cart=locked, sku=sku, quantity=after)
        _save_changed(locked)
    return _reread(cart.id)


def _save_changed(locked: Cart, *fields: str) -> None:
    """Save these fields of a locked cart, and raise its version."""
    locked.version += 1
    locked.save(update_fields=[*fields, "version", "updated_at"])


def _lock(cart: CartView) -> Cart:
    """The cart's row, locked until the transaction ends. Raises CartNotFound, CartClosed."""
    locked = _owned(cart).select_for_update(no_key=True).first()
    if locked is None:
        raise CartNotFound(cart.id)
    if not locked.open:
        raise CartClosed(cart.id)
    return locked


def _reread(cart_id: UUID) -> CartView:
    found = _read(pk=cart_id)
    if found is None:
        raise CartNotFound(cart_id)
    return found


def _owned(cart: CartView) -> QuerySet[Cart]:
    """The row, if it belongs to that customer: a CartView alone is no proof of ownership."""
    assert cart.owner_id is not None
    return Cart.objects.filter(pk=cart.id, user_id=cart.owner_id)


def _read(**which: object) -> CartView | None:
    """The cart and its lines in one query."""
    rows = list(
        Cart.objects.filter(**which)
        .order_by(F("lines__position"))
        .values_list(
            *("id", "user_id", "promo_codes", "open", "version", "lines__sku", "lines__quantity")
        )
    )
    if not rows:
        return None
    cart_id, user_id, promo_codes, is_open, version, *_ = rows[0]
    return CartView(
        id=cart_id,
        owner_id=user_id,
        token=None,
        # The outer join gives a cart without lines one row without a SKU.
        lines=tuple(CartLineView(sku, quantity) for *_, sku, quantity in rows if sku),
        promo_codes=tuple(promo_codes),
        open=is_open,
        version=version,
    )
