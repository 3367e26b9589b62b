"""In front of Django: a checkout of a flash sale that comes too late is turned away right here.

A crowd that hears "sold out" must not keep those waiting who still get something, and Django's way
to the same answer costs three times as much. Whatever is not plainly a checkout of sold-out goods
goes on to the shop unread, or rather: to be read again. That includes every body that is not valid,
so that each mistake is answered by the one who knows it; and carts, which have to be looked up.

Nobody who is turned away here is counted by the rate limits: she has written nothing, and counting
would cost as much as the answer does.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import orjson

from apps.api import refusals
from apps.api.bodies import LINES_MAX, QUANTITY_MAX
from apps.api.express import is_checkout, read_body
from apps.inventory.allocation import Shortage
from apps.orders.errors import OutOfStock
from apps.sales import gate, on_sale
from storefront import problems
from storefront.in_front import Application, Environ, StartResponse
from storefront.problems import Problem

HEADERS = [
    ("Content-Type", "application/problem+json"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
]

Lines = list[tuple[str, int]]


class Turnstile:
    """A WSGI application around the shop's."""

    def __init__(self, shop: Application) -> None:
        self._shop = shop

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if is_checkout(environ) and on_sale.by_sku():
            refused = _too_late(environ)
            if refused is not None:
                start_response("409 Conflict", [*HEADERS, ("Content-Length", str(len(refused)))])
                return [refused]
        return self._shop(environ, start_response)


def _too_late(environ: Environ) -> bytes | None:
    """The answer to a checkout of sold-out goods; None for everything else."""
    key = environ.get("HTTP_IDEMPOTENCY_KEY", "").strip()
    body = read_body(environ) if key else None
    lines = _lines(body) if body is not None else None
    short = gate.look(key, lines) if lines else None
    return None if short is None else _refusal(short)


@lru_cache(maxsize=1024)  # of one SKU that is sold out there is one answer
def _refusal(short: Shortage) -> bytes:
    problem = refusals.as_problem(OutOfStock(short.lines))
    assert isinstance(problem, Problem)
    return orjson.dumps(
        problems.body(problem.status_code, problem.code, problem.text, problem.errors)
    )


def _lines(body: dict[str, Any]) -> Lines | None:
    """What is bought now, by SKU; None when that cannot be told from the body alone."""
    lines = body.get("lines")
    if body.get("cart") is not None or not isinstance(lines, list) or len(lines) > LINES_MAX:
        return None
    quantities: dict[str, int] = {}
    for line in lines:
        sku, quantity = (
            (line.get("sku"), line.get("quantity")) if isinstance(line, dict) else (0, 0)
        )
        if type(sku) is not str or type(quantity) is not int or not 0 < quantity <= QUANTITY_MAX:
            return None
        quantities[sku] = quantities.get(sku, 0) + quantity
    return list(quantities.items())
