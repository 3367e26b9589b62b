"""In front of Django: a guest's plain checkout goes from the socket straight to the intake.

What a crowd sends is all alike: JSON, no cookie, no token of an account, lines to buy now. For it
Django's way (a dozen middlewares, the table of addresses, a view class that asks who this is) costs
twice what parsing, counting, checking and queueing do, and nothing of it changes the answer. Here
only those four are done, by the view's own functions. Whatever is not plainly such a checkout goes
on to the shop, to be read again: sessions, accounts, carts, and every mistake, so that each is
answered by the one who knows it.

Both ways give the same answer to the letter, headers included (tests/api/test_express.py).
"""

from collections.abc import Iterable, Mapping
from http.client import responses
from typing import Any

import orjson

from apps.api import checkouts, refusals
from apps.api.parsers import BODY_MAX, read_object
from apps.orders import intake
from storefront import in_front, problems, rate_limits
from storefront.in_front import Application, Environ, StartResponse
from storefront.problems import Problem

CHECKOUTS = "/api/v1/checkouts/"
# A body that was read on the way here, so that it is taken apart once.
READ = "storefront.checkout"
OF_THE_VIEW = (("Allow", "POST, OPTIONS"), ("Cache-Control", "no-store"), ("Vary", "Cookie"))


class Express:
    """A WSGI application around the shop's."""

    def __init__(self, shop: Application) -> None:
        self._shop = shop

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == CHECKOUTS and (origin := _origin_of_guest(environ)) is not None:
            ordered = _read(environ)
            if ordered is not None:
                status, headers, body = _answer(environ, origin, *ordered)
                start_response(f"{status} {responses[status]}", headers)
                return [body]
        return self._shop(environ, start_response)


def is_checkout(environ: Environ) -> bool:
    """Whether this is a checkout; `read_body` reads it."""
    return environ["PATH_INFO"] == CHECKOUTS and environ["REQUEST_METHOD"] == "POST"


def read_body(environ: Environ) -> dict[str, Any] | None:
    """The JSON object of the body, which stays there to be read again; None when it is none."""
    if READ not in environ:
        body = in_front.short_body(environ, BODY_MAX) or b""
        try:
            environ[READ] = read_object(body)
        except Problem:
            environ[READ] = None
    read: dict[str, Any] | None = environ[READ]
    return read


def _origin_of_guest(environ: Environ) -> str | None:
    """Scheme and host that a guest's plain request came to; None for every other request."""
    kind = (environ.get("CONTENT_TYPE") or "").partition(";")[0].strip().lower()
    if (
        not is_checkout(environ)
        or kind != "application/json"
        or "HTTP_COOKIE" in environ
        or "HTTP_AUTHORIZATION" in environ
        or environ.get("QUERY_STRING")
        or environ.get("SCRIPT_NAME")
    ):
        return None
    return in_front.origin(environ)


def _read(environ: Environ) -> tuple[str, dict[str, Any]] | None:
    """The key and what is ordered; None for a cart, and for whatever is to be refused."""
    body = read_body(environ)
    if body is None or body.get("cart") is not None:
        return None
    try:
        return checkouts.idempotency_key(environ), checkouts.read_checkout(body)
    except Problem:
        return None


def _answer(
    environ: Environ, origin: str, key: str, body: dict[str, Any]
) -> tuple[int, list[tuple[str, str]], bytes]:
    try:
        for limit in checkouts.Checkouts.limits:
            rate_limits.count(limit, rate_limits.client_address(environ))
        accepted = intake.place_order(
            checkouts.checkout_request(environ, key, body, base_url=origin)
        )
    except Exception as error:  # every error is an answer, as in the views
        problem = problems.as_problem(refusals.as_problem(error))
        document = problems.body(
            problem.status_code, problem.code, problem.text, problem.errors, problem.extra
        )
        return _written(problem.status_code, problem.headers, document, origin, "problem+json")
    return _written(202, checkouts.headers_of(accepted), accepted.answer, origin, "json")


def _written(
    status: int, own: Mapping[str, str], document: Mapping[str, Any], origin: str, kind: str
) -> tuple[int, list[tuple[str, str]], bytes]:
    body = orjson.dumps(document)
    headers = [("Content-Type", f"application/{kind}"), ("Content-Length", str(len(body)))]
    policies = in_front.policies(origin.startswith("https"))
    return status, [*headers, *own.items(), *OF_THE_VIEW, *policies], body
