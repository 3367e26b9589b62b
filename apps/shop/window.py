"""In front of Django: who only looks at a product is shown the page that is kept.

During a sale a crowd looks at one page again and again, and Django's way to a page that is there
already costs ten times what showing it does. Shown here is what the view would show
(views/product.py), to whoever it would show a kept page: no session, so nobody who is signed in,
has a cart, or is waiting for a message. Everybody else, and whatever is not kept, goes on.

Redis is asked whether this is still the page, PostgreSQL what is left; what was made of the answers
is kept in this process: equal answers are equal pages, so that a changed price or a unit sold is
another page. Visitors who come within a fiftieth of a second share the two questions: that is less
than their answers are under way, and a crowd of a thousand a second asks fifty times.
"""

import re
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, parse_cookie
from django.middleware.csrf import CsrfViewMiddleware, get_token
from django.utils.cache import patch_vary_headers

from apps.catalog import browse, cache
from apps.catalog.browse import ProductDetail
from apps.shop import page_cache
from apps.shop.cards import FEW, Card
from apps.shop.context_processors import Shelf, shelves
from apps.shop.views.product import made_of, related, units_left
from storefront import in_front
from storefront.connections import drop_dead_connections
from storefront.in_front import Application, Environ, StartResponse

ADDRESS = re.compile(r"/p/([-a-zA-Z0-9_]{1,255})/")
# The one thing that a query can change, and what it could be written with.
ASKS_FOR_A_VARIANT = re.compile(r"variant|%", re.IGNORECASE)
LONG = 1000  # characters of cookies or query; Django has limits of its own for those
PAGES = 256  # kept in this process: about 20 KB each
NEIGHBOURS_SECONDS = 1.0
SHARED_SECONDS = 0.02  # counted from before the questions

MARK = "TheSecretOfTheVisitor"  # letters only, as a secret has

_csrf = CsrfViewMiddleware(lambda _: HttpResponse())


class Window:
    """A WSGI application around the shop's."""

    def __init__(self, shop: Application) -> None:
        self._shop = shop

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        address = ADDRESS.fullmatch(environ["PATH_INFO"])
        if address is not None and (request := _who_only_looks(environ)) is not None:
            origin = in_front.origin(environ)
            parts = _page(address[1]) if origin is not None else None
            if origin is not None and parts is not None:
                headers, body = _answer(request, parts)
                start_response(
                    "200 OK", [*headers, *in_front.policies(origin.startswith("https:"), "/p/")]
                )
                return [body]
        return self._shop(environ, start_response)


def _who_only_looks(environ: Environ) -> HttpRequest | None:
    """The request of a visitor of whom the shop remembers nothing; None for every other."""
    cookies, query = environ.get("HTTP_COOKIE", ""), environ.get("QUERY_STRING", "")
    if (
        environ["REQUEST_METHOD"] != "GET"
        or environ.get("CONTENT_LENGTH", "") not in ("", "0")
        or environ.get("SCRIPT_NAME")
        or len(cookies) > LONG
        or len(query) > LONG
        or ASKS_FOR_A_VARIANT.search(query)
    ):
        return None
    request = HttpRequest()
    request.META = environ
    request.COOKIES = parse_cookie(cookies)
    remembered = settings.SESSION_COOKIE_NAME, "messages"
    return None if any(name in request.COOKIES for name in remembered) else request


def _answer(request: HttpRequest, parts: Sequence[bytes]) -> tuple[list[tuple[str, str]], bytes]:
    """Headers and body, with a CSRF token of the visitor's own and its cookie."""
    _csrf.process_request(request)
    body = get_token(request).encode().join(parts)
    secret = request.META["CSRF_COOKIE"]
    headers = [
        (name, value.replace(MARK, secret) if name == "Set-Cookie" else value)
        for name, value in _headers(int(time.time()))
    ]
    return [*headers, ("Content-Length", str(len(body)))], body


@lru_cache(maxsize=2)
def _headers(_second: int) -> list[tuple[str, str]]:
    """As Django writes them for a page with a form, MARK in the cookie; which has a date."""
    request = HttpRequest()
    request.META["CSRF_COOKIE"] = MARK
    get_token(request)
    response = HttpResponse()
    patch_vary_headers(response, ("Cookie",))  # as the session does when it is looked for
    _csrf.process_response(request, response)
    cookies = [("Set-Cookie", each.output(header="")) for each in response.cookies.values()]
    return [*response.items(), *cookies]


# --- What the page is made of ---------------------------------------------------------------------


@dataclass(eq=False, slots=True)
class _Seen:
    """What was read once, and is so for as long as Redis holds the same; the page for a moment."""

    held: tuple[bytes | None, ...]
    detail: ProductDetail
    frame: list[Shelf]
    shown: tuple[float, list[bytes]] = (0.0, [])  # until when, and what; one, to be changed at once


class _NotKept(Exception):
    """Nobody has rendered this very page yet, or nobody remembers."""


_seen: dict[str, _Seen] = {}
_making_room = threading.Lock()  # two who look for the oldest at once would find it gone


def _page(slug: str) -> list[bytes] | None:
    """The page in the pieces between which the token belongs; None where Django is to show it."""
    now = time.monotonic()
    seen = _seen.get(slug)
    if seen is not None:
        until, page = seen.shown
        if now < until:
            return page
    drop_dead_connections()
    try:
        seen = _look(slug)
        if seen is None:
            return None
        page = _kept(
            seen,
            tuple(min(units, FEW + 1) for units in units_left(seen.detail)),
            _neighbours(seen, int(now // NEIGHBOURS_SECONDS)),
            int(now // page_cache.SECONDS),
        )
    except (_NotKept, DatabaseError, InterfaceError):
        return None  # the view renders it, or knows what to say
    seen.shown = (now + SHARED_SECONDS, page)
    return page


def _look(slug: str) -> _Seen | None:
    """The product as Redis holds it now; None where the view has to fill it in first."""
    held = cache.glance(*_pages(slug))
    if held is None:
        return None
    seen = _seen.get(slug)
    if seen is not None and seen.held == held:
        return seen
    detail, frame = browse.product_detail(slug), shelves()
    # Dropped or filled anew meanwhile: what was read may be the one or the other.
    if detail is None or cache.glance(*_pages(slug)) != held:
        return None
    seen = _Seen(held, detail, frame)
    with _making_room:
        while len(_seen) >= PAGES:
            _seen.pop(next(iter(_seen)))
        _seen[slug] = seen
    return seen


def _pages(slug: str) -> tuple[tuple[str, str], ...]:
    return ("product", slug), ("tree", "categories")


@lru_cache(maxsize=PAGES)
def _neighbours(seen: _Seen, _second: int) -> tuple[Card, ...]:
    return tuple(related(seen.detail))


@lru_cache(maxsize=PAGES)
def _kept(
    seen: _Seen, left: tuple[int, ...], neighbours: tuple[Card, ...], _minutes: int
) -> list[bytes]:
    """The page in pieces. Raises _NotKept, which is not remembered."""
    key = page_cache.key_of(made_of(seen.detail, left, list(neighbours)), seen.frame)
    parts = page_cache.kept_parts(key)
    if parts is None:
        raise _NotKept
    return parts
