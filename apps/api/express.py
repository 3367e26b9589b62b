"""In front of Django: a guest's plain checkout goes from the socket straight to the intake.

What a crowd sends is all alike: JSON, no cookie, no token of an account, lines to buy now. For it
Django's way (a dozen middlewares, the table of addresses, a view class that asks who this is) costs
twice what parsing, counting, checking and queueing do, and nothing of it changes the answer. Here
only those four are done, by the view's own functions. Whatever is not plainly such a checkout goes
on to the shop, to be read again: sessions, accounts, carts, and every mistake, so that each is
answered by the one who knows it.

Both ways give the same answer to the letter, headers included (tests/api/test_express.py).
"""

import io
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from http.client import responses
from typing import Any

import orjson
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.core.handlers.wsgi import WSGIRequest

from apps.api import checkouts, refusals
from apps.api.parsers import BODY_MAX, read_object
from apps.orders import intake
from storefront import csp, problems, rate_limits
from storefront.problems import Problem

CHECKOUTS = "/api/v1/checkouts/"
# A body that was read on the way here, so that it is taken apart once.
READ = "storefront.checkout"

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]


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
    """Whether this is a checkout whose body can be read here; `read_body` does."""
    length = environ.get("CONTENT_LENGTH") or ""
    return (
        environ["PATH_INFO"] == CHECKOUTS
        and environ["REQUEST_METHOD"] == "POST"
        and length.isascii()
        and length.isdigit()
        and int(length[:18]) <= BODY_MAX
    )


def read_body(environ: Environ) -> dict[str, Any] | None:
    """The JSON object of the body, which stays there to be read again; None when it is none."""
    if READ not in environ:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        environ["wsgi.input"] = io.BytesIO(body)
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
    secure_header = settings.SECURE_PROXY_SSL_HEADER
    return _origin(
        environ["wsgi.url_scheme"],
        environ.get(secure_header[0], "") if secure_header else "",
        environ.get("HTTP_HOST", ""),
        environ.get("SERVER_NAME", ""),
        environ.get("SERVER_PORT", ""),
    )


@lru_cache(maxsize=256)
def _origin(scheme: str, forwarded: str, host: str, name: str, port: str) -> str | None:
    """As Django sees it; None where Django would refuse the host or lead over to https."""
    meta = {"REQUEST_METHOD": "POST", "wsgi.input": io.BytesIO(), "wsgi.url_scheme": scheme}
    meta |= {"SERVER_NAME": name, "SERVER_PORT": port}
    if host:
        meta["HTTP_HOST"] = host
    if settings.SECURE_PROXY_SSL_HEADER and forwarded:
        meta[settings.SECURE_PROXY_SSL_HEADER[0]] = forwarded
    request = WSGIRequest(meta)
    try:
        seen = request.get_host()
    except DisallowedHost:
        return None
    if settings.SECURE_SSL_REDIRECT and not request.is_secure():
        return None
    return f"{request.scheme}://{seen}"


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
    return status, [*headers, *own.items(), *_common_headers(origin.startswith("https"))], body


@lru_cache(maxsize=2)
def _common_headers(secure: bool) -> list[tuple[str, str]]:
    """What the middlewares add to every answer of the API."""
    hsts = f"max-age={settings.SECURE_HSTS_SECONDS}"
    if settings.SECURE_HSTS_INCLUDE_SUBDOMAINS:
        hsts += "; includeSubDomains"
    if settings.SECURE_HSTS_PRELOAD:
        hsts += "; preload"
    return [
        ("Allow", "POST, OPTIONS"),
        ("Cache-Control", "no-store"),
        ("Vary", "Cookie"),
        ("Content-Security-Policy", csp.NOTHING),
        ("X-Frame-Options", settings.X_FRAME_OPTIONS),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", settings.SECURE_REFERRER_POLICY),
        ("Cross-Origin-Opener-Policy", settings.SECURE_CROSS_ORIGIN_OPENER_POLICY),
        *([("Strict-Transport-Security", hsts)] if secure and settings.SECURE_HSTS_SECONDS else []),
    ]
