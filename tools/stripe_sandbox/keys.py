"""Who calls, and what their key may do.

A secret key (`sk_test_…`) may do everything. A restricted key (`rk_test_…`) may do what
`POST /_sandbox/keys` gave it; one that was given nothing may do everything but read its account,
like a restricted key of Stripe's with every resource of this sandbox ticked.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from tools.stripe_sandbox.objects import ACCOUNT_ID
from tools.stripe_sandbox.protocol import ApiError

LEVELS = ("none", "read", "write")
_UNSET = {"accounts": "none"}


def authenticate(authorization: str) -> str:
    """The key of an Authorization header. Raises ApiError 401."""
    scheme, _, given = authorization.partition(" ")
    key = given.strip()
    if scheme.lower() == "basic":
        try:
            key = base64.b64decode(key, validate=True).decode().partition(":")[0]
        except ValueError:
            key = ""
    if not key:
        raise ApiError(
            401,
            "You did not provide an API key. You need to provide your API key in the "
            "Authorization header, using Bearer auth (e.g. 'Authorization: Bearer "
            "YOUR_SECRET_KEY').",
        )
    if not key.startswith(("sk_test_", "rk_test_")):
        shown = key[:8] + "*" * 8
        raise ApiError(
            401,
            f"Invalid API Key provided: {shown}. The sandbox takes test secret keys only.",
        )
    return key


class KeyRights:
    """The rights of restricted keys, by key and resource (`payment_intents`: `write`)."""

    def __init__(self) -> None:
        self._rights: dict[str, Mapping[str, str]] = {}

    def replace(self, rights: Mapping[str, Any]) -> None:
        """Set the rights of all restricted keys. Raises ValueError for an unknown level."""
        for key, resources in rights.items():
            if not key.startswith("rk_test_") or not isinstance(resources, dict):
                raise ValueError(f"rights are given to rk_test_… keys, by resource: {key[:8]}")
            for resource, level in resources.items():
                if level not in LEVELS:
                    raise ValueError(f"{resource}: one of {', '.join(LEVELS)}")
        self._rights = dict(rights)

    def check(self, key: str, operation: str, method: str) -> None:
        """Raise ApiError 403 when `key` may not do `operation` ("payment_intents.create")."""
        if key.startswith("sk_"):
            return
        resource = operation.partition(".")[0]
        needed = "read" if method == "GET" else "write"
        given = self._rights.get(key)
        has = _UNSET.get(resource, "write") if given is None else given.get(resource, "none")
        if LEVELS.index(has) < LEVELS.index(needed):
            raise ApiError(
                403,
                f"The provided key '{key[:8]}{'*' * 12}{key[-4:]}' does not have the required "
                f"permissions for this endpoint on account '{ACCOUNT_ID}'. Having the "
                f"'rak_{resource.removesuffix('s')}_{needed}' permission would allow this request "
                "to continue.",
            )
