"""Who may store a response: one rule for pages, API and admin, by path and by cookies.

    below PERSONAL     orders, addresses, carts, accounts, tokens, the back office: not stored
    OPEN               the API's catalog, the same for all: no header, caches may store it
    other pages        private for visitors who have a session or messages, since the page's head
                       shows the name and the cart, and with every cookie that is set; for others
                       what the view says: SHARED for what all see alike, else no header

By path and not by view: a new page below one of these is covered without a line of its own, and so
are its 404 and its 429. A stricter header that a view sets itself is left alone.

The shortcuts before Django (apps/fastpath) use these constants, or answer only visitors without
such cookies.
"""

from collections.abc import Callable, Container

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from apps.core.api_prefixes import NO_PAGES

NOT_STORED = "private, no-store"
# A browser may store it, and must revalidate it: the customer may have signed out since.
REVALIDATED = "private, no-cache"

# A page that all strangers see alike (ADR 54). A shared cache uses it for a second, and for one
# more while it fetches the next; a browser revalidates it, because its visitor may have a cart now.
SHARED = "public, max-age=0, s-maxage=1, stale-while-revalidate=1"

PERSONAL = ("/account/", "/admin/", "/api/v1/", "/cart/", "/checkout/", "/orders/", "/queue/")
OPEN = ("/api/v1/categories/", "/api/v1/products/")


class CacheControlMiddleware:
    """Sets Cache-Control, where not every cache may store the response."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        present = response.headers.get("Cache-Control", "")
        if "private" in present or "no-store" in present:
            return response
        path = request.path_info
        if path.startswith(PERSONAL):
            if not path.startswith(OPEN):
                response.headers["Cache-Control"] = NOT_STORED
        elif not path.startswith(NO_PAGES) and (
            # A cookie is one visitor's: a cache would hand it to the next.
            is_remembered(request.COOKIES) or response.cookies
        ):
            response.headers["Cache-Control"] = REVALIDATED
        return response


def is_remembered(cookies: Container[str]) -> bool:
    """Whether these cookies, of a request or a response, hold a session or messages."""
    return settings.SESSION_COOKIE_NAME in cookies or "messages" in cookies
