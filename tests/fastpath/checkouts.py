"""Checkouts sent to the shortcut and to Django, and their answers.

with_shortcut, without = both(behind, lambda key: request(body, key=key))
"""

import json
from collections.abc import Callable
from typing import Any

from apps.fastpath.checkout import CheckoutShortcut
from storefront.wsgi import shop
from tests.fastpath import wsgi_client
from tests.fastpath.wsgi_client import Behind, Environ

Answer = tuple[str, dict[str, str], Any]


def request(body: Any, *, key: str = "k", **changes: str) -> Environ:
    """The environ of a checkout with this body and idempotency key."""
    given = {"HTTP_IDEMPOTENCY_KEY": key} | changes
    return wsgi_client.request("/api/v1/checkouts/", body, **given)


def answer(application: Any, environ: Environ) -> Answer:
    """Status line, headers, JSON document."""
    status, headers, text = wsgi_client.answer(application, environ)
    return status, headers, json.loads(text) if text else None


def both(behind: Behind, make: Callable[[str], Environ]) -> tuple[Answer, Answer]:
    """The answers of the shortcut and of Django to two requests that differ only in the key."""
    quick = answer(CheckoutShortcut(behind), make("a"))
    assert behind.times == 0, "the shortcut passed this on to Django"
    return quick, answer(shop, make("b"))


def without(headers: dict[str, str], names: set[str]) -> dict[str, str]:
    return {name: text for name, text in headers.items() if name not in names}
