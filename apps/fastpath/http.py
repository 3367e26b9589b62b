"""What every shortcut before Django does: `Shortcut`, the base of all of them.

Django runs a dozen middlewares for each request. Three kinds of request arrive by the hundred per
second and are all alike, so they are answered without it:

    checkout.py        a checkout of a guest, or of an app with a token
    product_page.py    a product's cached page, for a visitor without a session
    webhook.py         a webhook of the payment gateway

A shortcut may answer only what the view would answer: the same status, headers and body
(tests/fastpath/test_parity.py). It takes a request only after all checks that Django makes before
the view. Every other request, with every mistake, goes on to Django, which reads it from the start.
"""

import io
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from http.client import responses
from typing import Any, ClassVar, NamedTuple

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpResponse
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.security import SecurityMiddleware

from apps.core import content_types, csp

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]


class Answer(NamedTuple):
    """An HTTP answer without Content-Length and the security headers, which the base adds."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes = b""


class Shortcut(ABC):
    """A WSGI application around the shop's: answers its own requests, passes on all others."""

    # Where the addresses of this shortcut begin. The security headers depend on it.
    prefix: ClassVar[str]

    def __init__(self, shop: Application) -> None:
        self._shop = shop

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        origin = self._accepted_origin(environ)
        answer = None if origin is None else self.answer(environ, origin)
        if origin is None or answer is None:
            return self._shop(environ, start_response)
        start_response(
            f"{answer.status} {responses[answer.status]}",
            [
                *answer.headers,
                ("Content-Length", str(len(answer.body))),
                *security_headers(origin.startswith("https:"), self.prefix),
            ],
        )
        return [answer.body]

    @abstractmethod
    def is_mine(self, environ: Environ) -> bool:
        """Whether address, method, query and cookies are those of this shortcut. Must be quick."""

    @abstractmethod
    def answer(self, environ: Environ, origin: str) -> Answer | None:
        """The view's answer to a request that came to `origin`; None: Django has to answer.

        Host, scheme and content type have been checked. A body that was read must be put back.
        """

    def _accepted_origin(self, environ: Environ) -> str | None:
        """The origin of a request that passes the checks of Django's middlewares; None: it may not.

        SCRIPT_NAME would change the addresses inside the answer.
        """
        if (
            not environ["PATH_INFO"].startswith(self.prefix)
            or not self.is_mine(environ)
            or environ.get("SCRIPT_NAME")
            or not content_types.is_accepted(environ, environ["PATH_INFO"])
        ):
            return None
        return origin_of(environ)


# --- Checks of Django's middlewares ---------------------------------------------------------------


def origin_of(environ: Environ) -> str | None:
    """Scheme and host as Django sees them: "https://shop.example".

    None where Django refuses the host (400) or redirects to https (301).
    """
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
    meta = _meta(scheme) | {"SERVER_NAME": name, "SERVER_PORT": port}
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


def _meta(scheme: str) -> Environ:
    return {"REQUEST_METHOD": "GET", "wsgi.input": io.BytesIO(), "wsgi.url_scheme": scheme}


@lru_cache(maxsize=8)
def security_headers(secure: bool, prefix: str) -> tuple[tuple[str, str], ...]:
    """The headers that Django's middlewares add to every answer at an address below `prefix`."""
    request = WSGIRequest(_meta("https" if secure else "http") | {"PATH_INFO": prefix})
    if secure and settings.SECURE_PROXY_SSL_HEADER:
        name, value = settings.SECURE_PROXY_SSL_HEADER
        request.META[name] = value
    answer = HttpResponse()
    del answer["Content-Type"]
    for middleware in (SecurityMiddleware, csp.PolicyMiddleware, XFrameOptionsMiddleware):
        middleware(lambda _: answer).process_response(request, answer)
    return tuple(answer.items())


# --- Bodies ---------------------------------------------------------------------------------------


def read_short_body(environ: Environ, at_most: int) -> bytes | None:
    """The body, which is put back, so that Django can read it again.

    None, and nothing was read, where Content-Length is missing, is not a number, or is above
    `at_most` bytes.
    """
    length = environ.get("CONTENT_LENGTH") or ""
    if not (length.isascii() and length.isdigit() and int(length[:18]) <= at_most):
        return None
    body: bytes = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = io.BytesIO(body)
    return body
