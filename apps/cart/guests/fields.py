"""How a guest's cart is stored: its key, its fields, its lifetime.

cart:<id in hex>
    token        SHA-256 of the token; only the guest has the token itself
    promos       JSON list of codes
    version      counts changes, so that a merge sees whether the cart changed meanwhile
    next         position of the next new line
    sku:<SKU>    "<position>:<quantity>"
    closed       present once the cart was ordered: its lines are what was ordered, and final
    following    the id, in hex, of the cart that came after; it has the same token
"""

import hashlib
import json
import time
from collections.abc import Mapping
from uuid import UUID

from django.conf import settings

from apps.cart.basket import CartLineView, CartView


def key_of(cart_id: UUID) -> str:
    """The Redis key of a cart."""
    return f"cart:{cart_id.hex}"


def created_at(cart_id: UUID) -> float:
    """Seconds since 1970, from the id: it is a UUIDv7 (RFC 9562)."""
    return (cart_id.int >> 80) / 1000


def lifetime(cart_id: UUID) -> int:
    """How long the cart lives after a change, in milliseconds: CART_TIME, up to CART_AGE_MAX."""
    left = created_at(cart_id) + settings.CART_AGE_MAX.total_seconds() - time.time()
    # At least 1: with 0 or less Redis would delete the cart in the middle of the change.
    return max(1, int(min(settings.CART_TIME.total_seconds(), left) * 1000))


def digest_of(token: str) -> str:
    """The form in which a token is stored."""
    # 256 random bits need no salt and no slow hash. A header may contain any character.
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def view_of(cart_id: UUID, token: str | None, fields: Mapping[str, str]) -> CartView:
    """The cart from its hash; lines in the order in which they were added."""
    lines = []
    for name, value in fields.items():
        if name.startswith("sku:"):
            position, quantity = value.split(":")
            lines.append((int(position), CartLineView(name[4:], int(quantity))))
    lines.sort(key=lambda line: line[0])
    return CartView(
        id=cart_id,
        owner_id=None,
        token=token,
        lines=tuple(line for _, line in lines),
        promo_codes=tuple(json.loads(fields["promos"])),
        open="closed" not in fields,
    )
