"""For what is answered in front of Django: where a request came to, and what every answer carries.

Django's handler is not quick: a dozen middlewares for each request. Four kinds of request come by
the hundred a second and are all alike, so that they are answered without it:

    apps/shop/window.py            looks at a product's kept page
    apps/api/turnstile.py          checkouts of a flash sale's sold-out goods
    apps/api/express.py            plain checkouts of guests and of apps with a token
    apps/payments/quick_door.py    the gateway's webhooks

Each takes only what is plainly its own; the rest, mistakes included, goes on to Django.
"""

import io
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpResponse
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.security import SecurityMiddleware

from storefront import csp

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]


def origin(environ: Environ) -> str | None:
    """Scheme and host as Django sees them: "https://shop.example".

    None where Django would refuse the host or lead over to https.
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
def policies(secure: bool, at: str = "/api/v1/") -> tuple[tuple[str, str], ...]:
    """The headers that the middlewares add to every answer at an address like `at`."""
    request = WSGIRequest(_meta("https" if secure else "http") | {"PATH_INFO": at})
    if secure and settings.SECURE_PROXY_SSL_HEADER:
        name, value = settings.SECURE_PROXY_SSL_HEADER
        request.META[name] = value
    answer = HttpResponse()
    del answer["Content-Type"]
    for middleware in (SecurityMiddleware, csp.PolicyMiddleware, XFrameOptionsMiddleware):
        middleware(lambda _: answer).process_response(request, answer)
    return tuple(answer.items())


def short_body(environ: Environ, at_most: int) -> bytes | None:
    """The declared body, which stays there to be read again; None when it is longer than that.

    None, too, for one whose length is not told.
    """
    length = environ.get("CONTENT_LENGTH") or ""
    if not (length.isascii() and length.isdigit() and int(length[:18]) <= at_most):
        return None
    body: bytes = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = io.BytesIO(body)
    return body
