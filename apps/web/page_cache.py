"""Rendered pages in the cache, for visitors who would get exactly the same page.

Rendering is most of what a product page costs, and during a sale thousands of visitors request one.
The key is a digest of everything that the page shows (units left included), so a cached page is
never out of date. What differs from visitor to visitor:

- the CSRF token: cached pages hold a mark in its place, replaced for each visitor
- a signed-in user, or messages to show: such visitors get a page rendered for them
- the number of pieces in the cart: part of the key

When many request a page that is not cached, one request renders it and the others wait for a
moment: in the first second of a sale each of a hundred threads would render the same page.
"""

import hashlib
import re
import time
from collections.abc import Callable

from django.contrib import messages
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.templatetags.static import static

from apps.web.context_processors import NavigationCategory, navigation_categories

SECONDS = 300
RENDER_TIMEOUT = 2.0  # seconds that others wait for a renderer, which may have died
POLL_EVERY = 0.01  # seconds
TOKEN = re.compile(r'(name="csrfmiddlewaretoken" value=")[A-Za-z0-9]{64}(")')
MARK = "@csrf-token-of-the-visitor@"


def kept_page(
    request: HttpRequest, *made_of: object, render: Callable[[], HttpResponse]
) -> HttpResponse:
    """The page that `render` makes of `made_of`, from the cache if it was rendered before.

    `made_of` is all that the page shows; its repr() is part of the key.
    """
    if request.user.is_authenticated or len(messages.get_messages(request)):
        return render()
    key = key_of(made_of, navigation_categories(), in_cart=request.session.get("count", 0))
    body = cache.get(key)
    if body is None and cache.add(_rendering(key), 1, RENDER_TIMEOUT) is False:
        body = _rendered_elsewhere(key)
    if body is None:
        try:
            response = render()
            body = TOKEN.sub(rf"\g<1>{MARK}\g<2>", response.content.decode())
            cache.set(key, body, SECONDS)
        finally:
            cache.delete(_rendering(key))
        return response
    # get_token() also sets a cookie: call it only for a page that holds a form.
    return HttpResponse(body.replace(MARK, get_token(request)) if MARK in body else body)


def key_of(
    made_of: tuple[object, ...], frame: list[NavigationCategory], *, in_cart: int = 0
) -> str:
    """The page's key in the cache, for this release's style sheets. `frame`: the navigation."""
    files = static("css/catalog.css"), static("js/product.js")
    ingredients = repr((made_of, frame, files, in_cart))
    return f"web:page:{hashlib.sha256(ingredients.encode('utf-8', 'replace')).hexdigest()}"


def kept_parts(key: str) -> list[bytes] | None:
    """A cached page, split where each visitor's CSRF token belongs; None: not cached."""
    body: str | None = cache.get(key)
    return None if body is None else [part.encode() for part in body.split(MARK)]


def _rendered_elsewhere(key: str) -> str | None:
    """The page that another request renders; None when it does not come in time."""
    deadline = time.monotonic() + RENDER_TIMEOUT
    while time.monotonic() < deadline:
        time.sleep(POLL_EVERY)
        body: str | None = cache.get(key)
        # None also if rendering failed or Redis is unavailable: then each request renders its own.
        if body is not None or cache.get(_rendering(key)) is None:
            return body
    return None


def _rendering(key: str) -> str:
    return f"{key}:rendering"
