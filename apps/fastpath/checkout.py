"""A plain checkout is passed to the intake without Django, and so is its refusal.

Most checkouts under load are alike: JSON, no cookie, lines to buy now, and a bearer token or no
account. Django's path (a dozen middlewares, the URL table, a view class with its authenticators)
costs twice what parsing, counting, validating and queueing cost, and changes nothing in the answer.
Here only those are done, with the view's own functions and in an order that gives its answers:

1. The base checks address, host, https and content type.
2. Token, idempotency key and body must be valid, and name lines, not a cart. What is not goes to
   Django, which says what is wrong.
3. The rate limits count the request, refused or not, as the view counts it.
4. The intake accepts or refuses: waiting room, stock gate of a flash sale, queue, commit.

Sold out is an answer to a valid request: the stock gate refuses in step 4, before anything is
queued or PostgreSQL is asked.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson
from rest_framework.exceptions import AuthenticationFailed

from apps.api import checkouts, refusals
from apps.api.parsers import BODY_MAX, read_object
from apps.core import concurrency_limit, problems
from apps.core.cache_control import NOT_STORED
from apps.core.problems import Problem
from apps.fastpath import bearer_token
from apps.fastpath.bearer_token import Claim
from apps.fastpath.http import Answer, Environ, Shortcut, read_short_body
from apps.inventory.allocation import ShortLine
from apps.orders import intake
from apps.orders.errors import OutOfStock, SignedOut

ADDRESS = "/api/v1/checkouts/"
OF_THE_VIEW = (("Allow", "POST, OPTIONS"), ("Cache-Control", NOT_STORED))
# The view asks for the session only when there is no token.
OF_THE_SESSION = ("Vary", "Cookie")

Checkout = tuple[Claim | None, str, dict[str, Any]]  # who, idempotency key, valid body


class CheckoutShortcut(Shortcut):
    """Answers valid checkouts of guests and of apps with a token."""

    prefix = ADDRESS

    def is_mine(self, environ: Environ) -> bool:
        return (
            environ["PATH_INFO"] == ADDRESS
            and environ["REQUEST_METHOD"] == "POST"
            and "HTTP_COOKIE" not in environ
            and not environ.get("QUERY_STRING")
        )

    def answer(self, environ: Environ, origin: str) -> Answer | None:
        with concurrency_limit.CHECKOUT_SLOTS.held():
            checkout = _read(environ)
            return None if checkout is None else _ordered(environ, origin, checkout)


def _read(environ: Environ) -> Checkout | None:
    """What is ordered; None where that is a cart, or anything is not valid."""
    body = read_short_body(environ, BODY_MAX)
    authorization = environ.get("HTTP_AUTHORIZATION")
    try:
        fields = read_object(body or b"")
        if fields.get("cart") is not None:
            return None
        return (
            None if authorization is None else bearer_token.read(authorization),
            checkouts.idempotency_key(environ),
            checkouts.read_checkout(fields),
        )
    except (AuthenticationFailed, Problem):
        return None


def _ordered(environ: Environ, origin: str, checkout: Checkout) -> Answer | None:
    """What the intake says; None where the token has ended, which is Django's to refuse."""
    claim, key, body = checkout
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
        assert claim is not None
        bearer_token.has_ended(claim)
        return None
    except Exception as error:  # every error becomes an answer, as in the views
        return _refused(environ, claim, error)
    return _answer(environ, 202, checkouts.headers_of(accepted), orjson.dumps(accepted.answer))


def _refused(environ: Environ, claim: Claim | None, error: Exception) -> Answer | None:
    """The refusal that `error` is; None where the token has ended.

    The view looks at the account before it counts or refuses anything. Here most refusals come
    before that query, so it is made now. Not for a 5xx: the same request, sent again, tells.
    """
    if isinstance(error, OutOfStock):
        status, headers, body = _out_of_stock(error.lines)
    else:
        status, headers, body = _problem(error)
    if claim is not None and status < 500:
        try:
            if not bearer_token.is_still_good(claim):
                bearer_token.has_ended(claim)
                return None
        except Exception as failure:
            status, headers, body = _problem(failure)
    return _answer(environ, status, headers, body)


@lru_cache(maxsize=1024)  # a crowd at one sold-out SKU gets one answer
def _out_of_stock(lines: tuple[ShortLine, ...]) -> tuple[int, Mapping[str, str], bytes]:
    return _problem(OutOfStock(lines))


def _problem(error: Exception) -> tuple[int, Mapping[str, str], bytes]:
    """Status, headers of its own and body of the problem document that `error` is to a client."""
    problem = problems.as_problem(refusals.as_problem(error))
    document = problems.body(
        problem.status_code, problem.code, problem.text, problem.errors, problem.extra
    )
    return problem.status_code, problem.headers, orjson.dumps(document)


def _answer(environ: Environ, status: int, own: Mapping[str, str], body: bytes) -> Answer:
    kind = "application/json" if status == 202 else "application/problem+json"
    headers = [("Content-Type", kind), *own.items(), *OF_THE_VIEW]
    if "HTTP_AUTHORIZATION" not in environ:
        headers.append(OF_THE_SESSION)
    return Answer(status, headers, body)
