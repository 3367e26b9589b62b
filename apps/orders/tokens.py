"""A guest's key to her order: derived, not stored, and worthless for any other order."""

from uuid import UUID

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac

SALT = "apps.orders.tokens"


def order_token(order_id: UUID, *, secret: str | None = None) -> str:
    """40 hex digits; the same for the same order as long as SECRET_KEY stays."""
    return salted_hmac(SALT, order_id.hex, secret=secret, algorithm="sha256").hexdigest()[:40]


def is_valid(order_id: UUID, token: str | None) -> bool:
    """Whether `token` opens the order; also one made under SECRET_KEY_FALLBACKS."""
    if not token:
        return False
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return any(constant_time_compare(order_token(order_id, secret=s), token) for s in secrets)
