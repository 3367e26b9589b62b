"""The token of a guest's cart: it names the cart, and the shop can tell that it made it.

Derived from the cart's id and SECRET_KEY. So it can be answered again to a request that is sent
again, without being kept anywhere, and it is recognised when Redis has lost the cart. What opens a
cart is decided by the digest in Redis (store.py), which a new SECRET_KEY does not change.

A cart that follows an ordered one has the same token. The last four bytes of its id are a digest of
that token, so that it is recognised as well.
"""

import hashlib
import hmac
import re
from uuid import UUID

from django.conf import settings
from django.utils.crypto import salted_hmac
from uuid_utils.compat import uuid7

SALT = "apps.cart.guests.tokens"
_TOKEN = re.compile(r"([0-9a-f]{32})([0-9a-f]{40})")
_TAIL = (1 << 32) - 1


def token_of(cart_id: UUID, *, secret: str | None = None) -> str:
    """The token of a new cart: its id and 160 bits of signature, 72 hex digits."""
    made = salted_hmac(SALT, cart_id.hex, secret=secret, algorithm="sha256").hexdigest()
    return cart_id.hex + made[:40]


def candidates(cart_id: UUID) -> list[str]:
    """The tokens of a cart by the present SECRET_KEY and by earlier ones, the present one first."""
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return [token_of(cart_id, secret=secret) for secret in secrets]


def named_by(token: str | None) -> UUID | None:
    """The id of the cart that `token` was made for; None where it is no token of this shop."""
    found = _TOKEN.fullmatch(token or "")
    if found is None:
        return None
    cart_id = UUID(found[1])
    if any(hmac.compare_digest(made, found[0]) for made in candidates(cart_id)):
        return cart_id
    return None


def id_of_next(token: str) -> UUID:
    """A new id for the cart that follows one with this token."""
    return UUID(int=uuid7().int & ~_TAIL | _tail_of(token))


def is_of(token: str | None, cart_id: UUID) -> bool:
    """Whether `token` was made for this cart, or for one that it follows.

    By the ids alone, also where there is no such cart (any more). Of foreign ids one in four
    thousand million is taken for a following cart's.
    """
    named = named_by(token)
    if named is None or token is None:
        return False
    return named == cart_id or cart_id.int & _TAIL == _tail_of(token)


def _tail_of(token: str) -> int:
    # Of the token alone: a new SECRET_KEY must not make strangers of the carts that follow.
    return int.from_bytes(hashlib.sha256(token.encode()).digest()[:4])
