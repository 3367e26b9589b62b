"""Ids and secrets that look like Stripe's."""

from __future__ import annotations

import random
import secrets

_ids = random.Random(secrets.randbits(128))


def new_id(prefix: str) -> str:
    """An id that looks like Stripe's. Unique, not secret."""
    return f"{prefix}_3{_ids.getrandbits(92):023x}"


def new_secret(length: int = 24) -> str:
    return secrets.token_hex(length)[:length]
