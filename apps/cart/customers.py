"""Signed-in customers' carts, in PostgreSQL: one open cart each, those ordered before it closed.

Whoever changes lines locks the row of the cart first. Without that two tabs that add at the same
moment would both see the old number, both pass the check, and put more into the cart than there is;
and a line could slip into a cart that is being closed.
"""

from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet

from apps.cart.basket import LINES_MAX, QUANTITY_MAX, CartLineView, CartView
from apps.cart.errors import (
    CartClosed,
    CartNotFound,
    InsufficientStock,
    InvalidQuantity,
    TooManyLines,
)
from apps.cart.models import Cart, CartLine


def open_cart(user_id: int) -> CartView:
    """The customer's open cart, made when there is none. Two at once get the same one."""
    found = _read(user_id=user_id, open=True)
    if found is not None:
        return found
    cart, _made = Cart.objects.get_or_create(user_id=user_id, open=True)
    return _reread(cart.pk)


def find(cart_id: UUID, user_id: int) -> CartView | None:
    """One of the customer's carts, open or closed."""
    return _read(pk=cart_id, user_id=user_id)


def set_line(cart: CartView, sku: str, quantity: int, *, available: int) -> CartView:
    """Make it `quantity`; 0 removes."""
    return _change_line(cart, sku, quantity, available=available, adds=False)


def add(cart: CartView, sku: str, quantity: int, *, available: int) -> CartView:
    """Put `quantity` to what is there."""
    return _change_line(cart, sku, quantity, available=available, adds=True)


def set_promos(cart: CartView, codes: tuple[str, ...]) -> CartView:
    with transaction.atomic():
        locked = _lock(cart)
        locked.promo_codes = list(codes)
        locked.save(update_fields=["promo_codes", "updated_at"])
    return _reread(cart.id)


def bring(cart: CartView, source: CartView) -> CartView:
    """Put the larger quantity per SKU, and the codes of both, into `cart`.

    Doing it twice writes the same, so it may be repeated after a crash. Neither stock nor the cap
    on lines is asked: this is what the shopper already had in her hands, and the quote tells her
    what of it can be bought.
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
        locked.save(update_fields=["promo_codes", "updated_at"])
    return _reread(cart.id)


def close(cart: CartView) -> CartView:
    """Closed, whoever closed it; the lines stay."""
    _owned(cart).filter(open=True).update(open=False)
    return _reread(cart.id)


def _change_line(
    cart: CartView, sku: str, quantity: int, *, available: int, adds: bool
) -> CartView:
    with transaction.atomic():
        locked = _lock(cart)
        line = CartLine.objects.filter(cart=locked, sku=sku).first()
        after = quantity + (line.quantity if line and adds else 0)
        if after > QUANTITY_MAX:
            raise InvalidQuantity(QUANTITY_MAX)
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
        locked.save(update_fields=["updated_at"])
    return _reread(cart.id)


def _lock(cart: CartView) -> Cart:
    """The cart's row, held until the transaction ends; refuses when it was closed."""
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
    """The row, if it is that customer's: a view is no proof of ownership by itself."""
    assert cart.owner_id is not None
    return Cart.objects.filter(pk=cart.id, user_id=cart.owner_id)


def _read(**which: object) -> CartView | None:
    """The cart and its lines in one query."""
    rows = list(
        Cart.objects.filter(**which)
        .order_by(F("lines__position"))
        .values_list("id", "user_id", "promo_codes", "open", "lines__sku", "lines__quantity")
    )
    if not rows:
        return None
    cart_id, user_id, promo_codes, is_open, *_ = rows[0]
    return CartView(
        id=cart_id,
        owner_id=user_id,
        token=None,
        # A cart without lines is one row without a SKU.
        lines=tuple(CartLineView(sku, quantity) for *_, sku, quantity in rows if sku),
        promo_codes=tuple(promo_codes),
        open=is_open,
    )
