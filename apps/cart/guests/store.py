"""Read and change guests' carts. `find` and each change are one round trip to Redis.

A cart is changed by a script inside Redis (scripts.py), so that two tabs that add at the same
moment both count; reading, changing here and writing back would lose one of the changes.
"""

import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from apps.cart.basket import LINES_MAX, QUANTITY_MAX, CartView
from apps.cart.errors import (
    CartClosed,
    CartError,
    CartNotFound,
    InsufficientStock,
    InvalidQuantity,
    QuantityLimited,
    TooManyLines,
)
from apps.cart.guests import connection, tokens
from apps.cart.guests.connection import unavailable_as_error
from apps.cart.guests.fields import created_at, digest_of, key_of, lifetime, view_of
from apps.cart.guests.loss import SINCE
from apps.cart.guests.scripts import scripts


@dataclass(frozen=True, slots=True)
class Versioned:
    """A guest's cart, its `version` when it was read, and the id of the cart that followed it."""

    cart: CartView
    version: str
    following: UUID | None = None


def create() -> CartView:
    """An empty cart with a new token. Raises `CartsUnavailable`, as every function here."""
    cart_id = uuid7()
    token = tokens.token_of(cart_id)
    with unavailable_as_error():
        scripts().create(
            keys=[key_of(cart_id), SINCE],
            args=[digest_of(token), lifetime(cart_id), created_at(cart_id)],
        )
    return CartView(id=cart_id, owner_id=None, token=token, lines=(), promo_codes=())


def find(cart_id: UUID, token: str) -> Versioned:
    """The cart, if `token` is its token; else raises `CartNotFound`."""
    with unavailable_as_error():
        fields: dict[Any, Any] = connection.client().hgetall(key_of(cart_id))
    # Compared in constant time, also when there is no cart, so that guessing reveals nothing.
    digest = fields.get("token", "")
    if not hmac.compare_digest(digest, digest_of(token)):
        raise CartNotFound(cart_id)
    known = fields.get("following")
    return Versioned(
        view_of(cart_id, token, fields), fields["version"], UUID(known) if known else None
    )


def token_again(cart_id: UUID) -> str:
    """The token that this cart was created with, also by an earlier SECRET_KEY."""
    with unavailable_as_error():
        digest = connection.client().hget(key_of(cart_id), "token")
    made = tokens.candidates(cart_id)
    return next((token for token in made if digest_of(token) == digest), made[0])


def set_line(cart: CartView, sku: str, quantity: int, *, available: int, most: int) -> CartView:
    """Set the line to `quantity`; 0 removes it. Raises as `carts.set_line`."""
    return _change_line(cart, sku, "set", quantity, available, most)


def add(cart: CartView, sku: str, quantity: int, *, available: int, most: int) -> CartView:
    """Add `quantity` to the line. Raises as `carts.add`."""
    return _change_line(cart, sku, "add", quantity, available, most)


def set_promos(cart: CartView, codes: tuple[str, ...]) -> CartView:
    """Replace the cart's codes."""
    with unavailable_as_error():
        answer = scripts().set_promos(
            keys=[key_of(cart.id)], args=[json.dumps(codes), lifetime(cart.id)]
        )
    return _changed(cart, answer)


def close(cart: CartView, ordered: Mapping[str, int], promo_codes: Iterable[str]) -> CartView:
    """Close the cart that was ordered: from here on its lines are what was ordered.

    What was added since the order read it (another line, more units, a code) moves into the cart
    that follows, with the same token, atomically. Safe to repeat.

    Args:
        ordered: ordered quantity by SKU.
        promo_codes: the codes that were ordered with.
    """
    new = _id_of_next(cart)
    pairs = [part for sku, quantity in ordered.items() for part in (f"sku:{sku}", quantity)]
    with unavailable_as_error():
        answer = scripts().close(
            keys=[key_of(cart.id), key_of(new)],
            args=[new.hex, lifetime(new), json.dumps(list(promo_codes)), *pairs],
        )
    return _changed(cart, answer)


def follow(cart: CartView) -> CartView:
    """The cart that came after a closed one, created if missing; concurrent calls get the same."""
    if cart.token is None:
        raise CartNotFound(cart.id)
    new = _id_of_next(cart)
    with unavailable_as_error():
        answer = scripts().follow(
            keys=[key_of(cart.id), key_of(new)], args=[new.hex, lifetime(new)]
        )
    if answer[0] == "gone":
        raise CartNotFound(cart.id)
    return find(UUID(answer[1]), cart.token).cart


def reopen(cart: CartView) -> CartView:
    """Open a closed cart again, as it was ordered: the order was cancelled."""
    with unavailable_as_error():
        answer = scripts().reopen(keys=[key_of(cart.id)], args=[lifetime(cart.id)])
    return _changed(cart, answer)


def delete_unchanged(read: Versioned) -> bool:
    """Delete the cart if it is as it was read; False when it was changed meanwhile."""
    with unavailable_as_error():
        answer = scripts().delete_unchanged(keys=[key_of(read.cart.id)], args=[read.version])
    return answer[0] != "changed"


def _id_of_next(cart: CartView) -> UUID:
    return tokens.id_of_next(cart.token) if cart.token else uuid7()


def _change_line(
    cart: CartView, sku: str, mode: str, quantity: int, available: int, most: int
) -> CartView:
    with unavailable_as_error():
        answer = scripts().change_line(
            keys=[key_of(cart.id)],
            args=[f"sku:{sku}", mode, quantity, available, most, LINES_MAX, lifetime(cart.id)],
        )
    match answer[0]:
        case "short":
            raise InsufficientStock(sku, available)
        case "too_much":
            raise _above_limit(sku, most)
        case "full":
            raise TooManyLines(LINES_MAX)
        case _:
            return _changed(cart, answer)


def _above_limit(sku: str, most: int) -> CartError:
    return QuantityLimited(sku, most) if most < QUANTITY_MAX else InvalidQuantity(QUANTITY_MAX)


def _changed(cart: CartView, answer: list) -> CartView:
    """The cart after a script has changed it; raises where the script refused."""
    if answer[0] == "gone":
        raise CartNotFound(cart.id)
    if answer[0] == "closed":
        raise CartClosed(cart.id)
    pairs = iter(answer[1])
    return view_of(cart.id, cart.token, dict(zip(pairs, pairs, strict=True)))
