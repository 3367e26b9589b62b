"""Pages that are the same for everybody but for the visitor's own parts, rendered once.

Rendering is most of what a page costs, and in a crowd thousands of visitors request one.

A page is rendered without a request: no session, no name, no cart and no token can be in it. In the
place of what differs from visitor to visitor (visitor_parts.py) is a mark, and each visitor's own
parts are put there. The key is a digest of everything that the page shows, units left included, so
a kept page is never out of date. How old the facts may be that it is made of is decided elsewhere:
shared_pages.py for lists, apps/fastpath/product_pages.py for products.

When many request a page that is not kept, one request renders it and the others wait for a moment:
in the first second of a sale each of a hundred threads would render the same page.
"""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils.cache import get_conditional_response, patch_vary_headers

from apps.core.cache_control import SHARED, is_remembered
from apps.web.context_processors import NavigationCategory, navigation_categories
from apps.web.visitor_parts import MARKS, MESSAGES, TOOLS, messages_of, tools, tools_of

SECONDS = 300
RENDER_TIMEOUT = 2.0  # seconds that others wait for a renderer, which may have died
POLL_EVERY = 0.01  # seconds


@dataclass(frozen=True)
class Page:
    """A rendered page in the pieces between which the visitor's own parts belong.

    `tags` name what it shows, for a shared cache that drops pages by tag.
    """

    before: str
    between: str
    after: str
    tags: tuple[str, ...] = ()

    @classmethod
    def of(cls, body: str, tags: tuple[str, ...] = ()) -> "Page":
        before, _, rest = body.partition(MARKS[TOOLS])
        between, _, after = rest.partition(MARKS[MESSAGES])
        return cls(before, between, after, tags)

    def with_parts(self, tools: str, messages: str) -> str:
        """The page of a visitor with these parts."""
        return "".join((self.before, tools, self.between, messages, self.after))

    @cached_property
    def of_strangers(self) -> bytes:
        """The page of every visitor whom the shop does not know."""
        return self.with_parts(tools_of(None, 0), "").encode()

    @cached_property
    def etag(self) -> str:
        """Of `of_strangers`. Weak: the edge compresses the page, which changes the bytes."""
        return f'W/"{hashlib.sha256(self.of_strangers).hexdigest()[:32]}"'


def answer(request: HttpRequest, page: Page) -> HttpResponse:
    """`page` with this visitor's own parts; for strangers with headers that let caches share it."""
    if is_remembered(request.COOKIES):
        return HttpResponse(page.with_parts(tools(request), messages_of(request)))
    return answer_to_stranger(request, page)


def answer_to_stranger(request: HttpRequest, page: Page) -> HttpResponse:
    """The answer to a visitor without a session: the same for all, and 304 to who has it."""
    response = HttpResponse(
        page.of_strangers,
        headers={
            "Cache-Control": SHARED,
            "ETag": page.etag,
            "Cache-Tag": ",".join(page.tags),
            "Surrogate-Key": " ".join(page.tags),
        },
    )
    # The same address shows a name and a cart to who has a session.
    patch_vary_headers(response, ("Cookie",))
    found = get_conditional_response(request, etag=page.etag, response=response)
    assert isinstance(found, HttpResponse)
    return found


def kept_page(
    request: HttpRequest,
    *made_of: object,
    render: Callable[[], str],
    tags: tuple[str, ...] = (),
) -> HttpResponse:
    """The page that `render` makes of `made_of`, from the cache if it was rendered before.

    `made_of` is all that the page shows; its repr() is part of the key.
    """
    key = key_of(made_of, navigation_categories())
    body = cache.get(key)
    if body is None and cache.add(_rendering(key), 1, RENDER_TIMEOUT) is False:
        body = _rendered_elsewhere(key)
    if body is None:
        try:
            body = render()
            cache.set(key, body, SECONDS)
        finally:
            cache.delete(_rendering(key))
    return answer(request, Page.of(body, tags))


def render_for_nobody(template_name: str, context: Mapping[str, Any]) -> str:
    """A page without a visitor: marks stand where their parts belong."""
    frame = {
        "shop_name": settings.SHOP_NAME,
        "navigation_categories": navigation_categories(),
        "kept": True,
    }
    return render_to_string(template_name, {**context, **frame})


def key_of(made_of: tuple[object, ...], frame: tuple[NavigationCategory, ...]) -> str:
    """The page's key in the cache, for this release's style sheets. `frame`: the navigation."""
    files = static("css/catalog.css"), static("js/product.js")
    ingredients = repr((made_of, frame, files))
    return f"web:page:{hashlib.sha256(ingredients.encode('utf-8', 'replace')).hexdigest()}"


def kept(key: str, tags: tuple[str, ...]) -> Page | None:
    """The page that was rendered under this key; None: not cached."""
    body: str | None = cache.get(key)
    return None if body is None else Page.of(body, tags)


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
