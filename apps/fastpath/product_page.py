"""A product's cached page is sent to a visitor without Django.

During a sale many visitors request one page again and again, and Django's path to a cached page
costs ten times what sending it costs. Sent here is what the view would send
(views/product.py) to a visitor whom it would send a cached page: one without a session, so not
signed in, without a cart and without a message waiting. All other visitors, and every page that is
not cached, go on to Django. `page_parts.py` has the pages.
"""

import re
import time
from collections.abc import Sequence
from functools import lru_cache

from django.http import HttpRequest, HttpResponse, parse_cookie
from django.middleware.csrf import CsrfViewMiddleware, get_token
from django.utils.cache import patch_vary_headers

from apps.core.cache_control import is_remembered
from apps.fastpath import page_parts
from apps.fastpath.http import Answer, Environ, Shortcut

ADDRESS = re.compile(r"/p/([-a-zA-Z0-9_]{1,255})/")
# The only part of a query that can change the page, and the sign that could spell it otherwise.
ASKS_FOR_A_VARIANT = re.compile(r"variant|%", re.IGNORECASE)
LONG = 1000  # characters of cookies or query; Django has limits of its own for those

# In the cached headers, where the visitor's CSRF secret belongs. Letters only, like a secret.
MARK = "TheSecretOfTheVisitor"

_csrf = CsrfViewMiddleware(lambda _: HttpResponse())


class ProductPageShortcut(Shortcut):
    """Answers GET of a product's page for visitors without a session."""

    prefix = "/p/"

    def is_mine(self, environ: Environ) -> bool:
        query = environ.get("QUERY_STRING", "")
        return (
            environ["REQUEST_METHOD"] == "GET"
            and environ.get("CONTENT_LENGTH", "") in ("", "0")
            and len(environ.get("HTTP_COOKIE", "")) <= LONG
            and len(query) <= LONG
            and not ASKS_FOR_A_VARIANT.search(query)
            and ADDRESS.fullmatch(environ["PATH_INFO"]) is not None
        )

    def answer(self, environ: Environ, origin: str) -> Answer | None:
        request = HttpRequest()
        request.META = environ
        request.COOKIES = parse_cookie(environ.get("HTTP_COOKIE", ""))
        if is_remembered(request.COOKIES):
            return None
        parts = page_parts.of(environ["PATH_INFO"].removeprefix(self.prefix)[:-1])
        return None if parts is None else _answer(request, parts)


def _answer(request: HttpRequest, parts: Sequence[bytes]) -> Answer:
    """The page with a CSRF token of the visitor's own, and the cookie of that token."""
    _csrf.process_request(request)
    body = get_token(request).encode().join(parts)
    secret = request.META["CSRF_COOKIE"]
    headers = [
        (name, value.replace(MARK, secret) if name == "Set-Cookie" else value)
        for name, value in _headers(int(time.time()))
    ]
    return Answer(200, headers, body)


@lru_cache(maxsize=2)
def _headers(_second: int) -> list[tuple[str, str]]:
    """Django's headers of a page with a form, MARK in the cookie. The cookie has a date."""
    request = HttpRequest()
    request.META["CSRF_COOKIE"] = MARK
    get_token(request)
    response = HttpResponse()
    patch_vary_headers(response, ("Cookie",))  # as the session does when it is asked for
    _csrf.process_response(request, response)
    cookies = [("Set-Cookie", each.output(header="")) for each in response.cookies.values()]
    return [*response.items(), *cookies]
