"""The parity of the shortcuts: one request, sent with them and without, must get one answer.

    Case("sold out", 409, make=lambda world, way: …)       one request, as a pair of environs
    both(case, world)                                      its two answers, and who gave the first

Left out of the comparison are the header Date, and what is new in each answer: an order's id,
number and token, a place in a queue, a CSRF token. Nothing else; the order of the headers does not
count.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.core.handlers.wsgi import WSGIHandler

from apps.fastpath import http, product_pages
from storefront.wsgi import with_shortcuts
from tests.fastpath.world import HOST, World
from tests.fastpath.wsgi_client import Behind, Environ, exchange

# Settings of a deployment: https only, behind a proxy. Tests run with those of a developer.
DEPLOYED = {
    "ALLOWED_HOSTS": [HOST],
    "RATE_LIMITS": True,
    "TRUSTED_PROXIES": 1,
    "SECURE_SSL_REDIRECT": True,
    "SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https"),
    "SECURE_HSTS_SECONDS": 31_536_000,
    "SECURE_HSTS_INCLUDE_SUBDOMAINS": True,
    "SECURE_HSTS_PRELOAD": True,
    "SESSION_COOKIE_SECURE": True,
    "SESSION_COOKIE_NAME": "__Host-session",
    "CSRF_COOKIE_SECURE": True,
    "CSRF_COOKIE_NAME": "__Host-csrf",
}
NEW_IN_EACH_ANSWER = (
    (re.compile(rb'"(number|token|ticket)":"[^"]*"'), rb'"\1":"new"'),
    (re.compile(rb'"(position|estimated_wait_seconds)":\d+'), rb'"\1":0'),
    (re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), rb"id"),
    (re.compile(rb"\?token=[\w.:-]+"), rb"?token=new"),
    (re.compile(rb'(name="csrfmiddlewaretoken" value=")\w{64}'), rb"\1new"),
    (re.compile(rb"(__Host-csrf)=\w{32};"), rb"\1=new;"),
    (re.compile(rb"expires=[^;]+;"), rb"expires=then;"),
)


class Got(NamedTuple):
    """An answer as it is compared."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(frozen=True)
class Case:
    """One request. `make` gives its environ; `way` is "with" or "without", for what must differ.

    `answered` says whether a shortcut answers it, or Django. `prepare` runs once, before both.
    """

    name: str
    status: int
    make: Callable[[World, str], Environ]
    answered: bool = False
    prepare: Callable[[World], object] = lambda _: None

    def __str__(self) -> str:
        return self.name


class Pair(NamedTuple):
    """The two answers to one request. `passed_on`: how often Django was called for the first."""

    with_shortcuts: Got
    without: Got
    passed_on: int


@contextmanager
def deployed(settings: Any) -> Iterator[Callable[..., Any]]:
    """The shop under DEPLOYED's settings; yields what makes its Django application."""
    for name, value in DEPLOYED.items():
        setattr(settings, name, value)
    forget_settings()
    yield WSGIHandler  # reads the settings again: the middlewares keep theirs
    forget_settings()


def forget_settings() -> None:
    """Forget what the shortcuts have computed from the settings and seen of the catalog."""
    http._origin.cache_clear()
    http.security_headers.cache_clear()
    product_pages._seen.clear()
    product_pages._neighbours.cache_clear()
    product_pages._cached.cache_clear()


def both(case: Case, world: World, shortcuts: Callable[[Any], Any] = with_shortcuts) -> Pair:
    """The answers to the case's request with `shortcuts` and without."""
    case.prepare(world)
    first, second = case.make(world, "with"), case.make(world, "without")
    behind = Behind(world.django)
    return Pair(got(shortcuts(behind), first), got(world.django, second), behind.times)


def got(application: Any, environ: Environ) -> Got:
    """The answer of `application`, without what is new in each answer."""
    status, headers, body = exchange(application, environ)
    for name, value in headers:
        if name == "Content-Length" and environ["REQUEST_METHOD"] != "HEAD":
            assert value == str(len(body)), "Content-Length is not that of the body"
    compared = [
        (name, without_news(value.encode()).decode())
        for name, value in headers
        if name not in ("Date", "Content-Length")
    ]
    has_length = [(name, "") for name, _ in headers if name == "Content-Length"]
    return Got(status, sorted(compared + has_length), without_news(body))


def without_news(text: bytes) -> bytes:
    for pattern, instead in NEW_IN_EACH_ANSWER:
        text = pattern.sub(instead, text)
    return text
