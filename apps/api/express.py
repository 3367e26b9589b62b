"""In front of Django: a plain checkout goes from the socket straight to the intake.

What a crowd sends is all alike: JSON, no cookie, lines to buy now, and no account or a token for
one. For it Django's way (a dozen middlewares, the table of addresses, a view class with its
authenticators) costs twice what parsing, counting, checking and queueing do, and nothing of it
changes the answer. Here only those are done, by the view's own functions. Whatever is not plainly
such a checkout goes on to the shop, to be read again: sessions, carts, tokens that are not good
any more, and every mistake, so that each is answered by the one who knows it.

Both ways give the same answer to the letter, headers included (tests/api/test_express.py).
"""

from collections.abc import Iterable, Mapping
from http.client import responses
from typing import Any

import orjson
from rest_framework.exceptions import AuthenticationFailed

from apps.api import bearer, checkouts, refusals
from apps.api.bearer import Claim
from apps.api.parsers import BODY_MAX, read_object
from apps.orders import intake
from apps.orders.errors import SignedOut
from storefront import in_front, problems, turns
from storefront.in_front import Application, Environ, StartResponse
from storefront.problems import Problem

CHECKOUTS = "/api/v1/checkouts/"
# A body that was read on the way here, so that it is taken apart once.
READ = "storefront.checkout"
OF_THE_VIEW = (("Allow", "POST, OPTIONS"), ("Cache-Control", "no-store"))
OF_THE_SESSION = ("Vary", "Cookie")  # which is asked for only when there is no token


class Express:
    """A WSGI application around the shop's."""

    def __init__(self, shop: Application) -> None:
        self._shop = shop

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == CHECKOUTS and (origin := _origin_of_plain(environ)) is not None:
            with turns.CHECKOUTS.taken():
                answer = _answer(environ, origin)
            if answer is not None:
                status, headers, body = _written(environ, origin, *answer)
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


def _origin_of_plain(environ: Environ) -> str | None:
    """Scheme and host that a plain request came to; None for every other request."""
    kind = (environ.get("CONTENT_TYPE") or "").partition(";")[0].strip().lower()
    if (
        not is_checkout(environ)
        or kind != "application/json"
        or "HTTP_COOKIE" in environ
        or environ.get("QUERY_STRING")
        or environ.get("SCRIPT_NAME")
    ):
        return None
    return in_front.origin(environ)


def _read(environ: Environ) -> tuple[Claim | None, str, dict[str, Any]] | None:
    """Who says to be signed in, the key, and what is ordered; None for what is Django's to answer.

    That is a cart, and whatever is to be refused.
    """
    body = read_body(environ)
    if body is None or body.get("cart") is not None:
        return None
    authorization = environ.get("HTTP_AUTHORIZATION")
    try:
        return (
            None if authorization is None else bearer.read(authorization),
            checkouts.idempotency_key(environ),
            checkouts.read_checkout(body),
        )
    except (AuthenticationFailed, Problem):
        return None


def _answer(
    environ: Environ, origin: str
) -> tuple[int, Mapping[str, str], Mapping[str, Any]] | None:
    """Status, headers of its own and document; None where Django is to answer."""
    ordered = _read(environ)
    if ordered is None:
        return None
    claim, key, body = ordered
    user_id, password_digest = claim or (None, None)
    try:
        checkouts.Checkouts.count_write(environ, user_id)
        accepted = intake.place_order(
            checkouts.checkout_request(
                environ,
                key,
                body,
                base_url=origin,
                user_id=user_id,
                password_digest=password_digest,
            )
        )
    except SignedOut:
        if claim is not None:
            bearer.has_ended(claim)
        return None
    except Exception as error:  # every error is an answer, as in the views
        problem = problems.as_problem(refusals.as_problem(error))
        document = problems.body(
            problem.status_code, problem.code, problem.text, problem.errors, problem.extra
        )
        return problem.status_code, problem.headers, document
    return 202, checkouts.headers_of(accepted), accepted.answer


def _written(
    environ: Environ, origin: str, status: int, own: Mapping[str, str], document: Mapping[str, Any]
) -> tuple[int, list[tuple[str, str]], bytes]:
    body = orjson.dumps(document)
    headers = [
        ("Content-Type", "application/json" if status == 202 else "application/problem+json"),
        ("Content-Length", str(len(body))),
        *own.items(),
        *OF_THE_VIEW,
        *in_front.policies(origin.startswith("https")),
    ]
    if "HTTP_AUTHORIZATION" not in environ:
        headers.append(OF_THE_SESSION)
    return status, headers, body
