"""Pages that all strangers see alike are sent without Django: home, categories, searches, products.

In a crowd many visitors request one page again and again, and Django's path to a kept page costs
ten times what sending it costs. Sent here is what the view would send (apps/web/views) to a visitor
without a session, so not signed in, without a cart and without a message waiting. All other
visitors, and every page that is not kept, go on to Django. The pages: product_pages.py, and
apps/web/shared_pages.py for lists.
"""

import re
from collections.abc import Mapping

from django.conf import settings
from django.http import HttpRequest, parse_cookie

from apps.core.cache_control import is_remembered
from apps.fastpath import product_pages
from apps.fastpath.http import Answer, Environ, Shortcut
from apps.web import page_cache, shared_pages
from apps.web.page_cache import Page

ADDRESS = re.compile(r"/(?:(p|c)/([-a-zA-Z0-9_]{1,255})/|search/)?", re.ASCII)
# The only part of a query that can change a product's page, and the sign that could spell it
# otherwise.
ASKS_FOR_A_VARIANT = re.compile(r"variant|%", re.IGNORECASE)
SECRET = re.compile(r"[a-zA-Z0-9]{32}|[a-zA-Z0-9]{64}")  # django.middleware.csrf
LONG = 1000  # characters of cookies or query; Django has limits of its own for those


class PageShortcut(Shortcut):
    """Answers GET of a page of the catalog for visitors without a session."""

    prefix = "/"

    def is_mine(self, environ: Environ) -> bool:
        return (
            environ["REQUEST_METHOD"] == "GET"
            and environ.get("CONTENT_LENGTH", "") in ("", "0")
            and len(environ.get("HTTP_COOKIE", "")) <= LONG
            and len(environ.get("QUERY_STRING", "")) <= LONG
            and ADDRESS.fullmatch(environ["PATH_INFO"]) is not None
        )

    def answer(self, environ: Environ, origin: str) -> Answer | None:
        request = HttpRequest()
        request.method = "GET"
        request.META = environ
        request.COOKIES = parse_cookie(environ.get("HTTP_COOKIE", ""))
        if is_remembered(request.COOKIES) or _gets_a_new_secret(request.COOKIES):
            return None
        page = _page(environ["PATH_INFO"], environ.get("QUERY_STRING", ""))
        if page is None:
            return None
        response = page_cache.answer_to_stranger(request, page)
        return Answer(response.status_code, list(response.items()), response.content)


def _gets_a_new_secret(cookies: Mapping[str, str]) -> bool:
    """Whether Django would replace the CSRF cookie, because its value is none of Django's."""
    secret = cookies.get(settings.CSRF_COOKIE_NAME)
    return secret is not None and SECRET.fullmatch(secret) is None


def _page(path: str, query: str) -> Page | None:
    """The page at this address; None where Django has to make it."""
    if path.startswith("/p/"):
        if ASKS_FOR_A_VARIANT.search(query):
            return None
        return product_pages.of(path.removeprefix("/p/")[:-1])
    if path == "/":
        query = ""  # as the view: no parameter changes this page
    return shared_pages.fresh_page(f"{path}?{query}" if query else path)
