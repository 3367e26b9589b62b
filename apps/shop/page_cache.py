"""A rendered page, kept for whoever would see the very same one.

Rendering is most of what a product page costs, and during a sale thousands of visitors look at one.
The key holds everything the page was made of (what is shown and what is left of it), so a kept page
is never an old one; it is only not rendered again. What differs from visitor to visitor:

- the CSRF token: kept pages hold a mark in its place, each visitor gets her own
- who is signed in, and messages that wait for her: such visitors get a page of their own
- how much is in her cart: part of the key

When a crowd finds nothing kept, one visitor's page is rendered and the others wait for it a moment:
in the first second of a sale each of a hundred threads would render the same page.
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

from apps.shop.context_processors import Shelf, shelves

SECONDS = 300
RENDERS_FOR = 2.0  # seconds that one is waited for who renders, or died of it
LOOKS_EVERY = 0.01  # seconds
TOKEN = re.compile(r'(name="csrfmiddlewaretoken" value=")[A-Za-z0-9]{64}(")')
MARK = "@csrf-token-of-the-visitor@"


def kept_page(
    request: HttpRequest, *made_of: object, render: Callable[[], HttpResponse]
) -> HttpResponse:
    """The page that `render` makes out of `made_of`, rendered anew only when those are new."""
    if request.user.is_authenticated or len(messages.get_messages(request)):
        return render()
    key = key_of(made_of, shelves(), in_cart=request.session.get("count", 0))
    body = cache.get(key)
    if body is None and cache.add(_rendering(key), 1, RENDERS_FOR) is False:
        body = _rendered_elsewhere(key)
    if body is None:
        try:
            response = render()
            body = TOKEN.sub(rf"\g<1>{MARK}\g<2>", response.content.decode())
            cache.set(key, body, SECONDS)
        finally:
            cache.delete(_rendering(key))
        return response
    # A token is a cookie, too: only where the page has a form to send.
    return HttpResponse(body.replace(MARK, get_token(request)) if MARK in body else body)


def key_of(made_of: tuple[object, ...], frame: list[Shelf], *, in_cart: int = 0) -> str:
    """Where the page is kept. Its frame is made of the shelves and this release's style sheets."""
    files = static("css/catalogue.css"), static("js/product.js")
    ingredients = repr((made_of, frame, files, in_cart))
    return f"shop:page:{hashlib.sha256(ingredients.encode('utf-8', 'replace')).hexdigest()}"


def kept_parts(key: str) -> list[bytes] | None:
    """A kept page in the pieces between which each visitor's CSRF token belongs; None: not kept."""
    body: str | None = cache.get(key)
    return None if body is None else [part.encode() for part in body.split(MARK)]


def _rendered_elsewhere(key: str) -> str | None:
    """The page that somebody else renders; None when that does not come in time."""
    deadline = time.monotonic() + RENDERS_FOR
    while time.monotonic() < deadline:
        time.sleep(LOOKS_EVERY)
        body: str | None = cache.get(key)
        # None, too, where it failed, or Redis went away: everybody helps herself.
        if body is not None or cache.get(_rendering(key)) is None:
            return body
    return None


def _rendering(key: str) -> str:
    return f"{key}:rendering"
