"""The token with which a guest reads an order: derived from the order's id, not stored."""

from uuid import UUID

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac

SALT = "apps.orders.tokens"


def order_token(order_id: UUID, *, secret: str | None = None) -> str:
    """40 hex digits, the same for an order as long as SECRET_KEY (`secret`) stays the same."""
    return salted_hmac(SALT, order_id.hex, secret=secret, algorithm="sha256").hexdigest()[:40]


def is_valid(order_id: UUID, token: str | None) -> bool:
    """Whether `token` is the order's, made with SECRET_KEY or one of SECRET_KEY_FALLBACKS."""
    if not token:
        return False
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return any(constant_time_compare(order_token(order_id, secret=s), token) for s in secrets)
