"""Forms that anyone may be shown from a shared cache, and that therefore hold no CSRF token.

Such a form is accepted where the browser itself says that a page of ours has sent it: by
`Sec-Fetch-Site: same-origin`, or in older browsers by `Origin`. No page of another site can set
either (https://cheatsheetseries.owasp.org, Cross-Site Request Forgery, "Fetch Metadata"). Where
neither says so, Django's check of the token decides as for every other form: it refuses what has
none.

    @same_origin_is_enough
    def product(request): ...
"""

from collections.abc import Callable
from typing import Any, TypeVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse

View = TypeVar("View", bound=Callable[..., Any])


def same_origin_is_enough(view: View) -> View:
    """Mark a view whose forms need no token. The outermost decorator: it marks, and wraps nothing.

    For what does no harm in the name of a signed-in visitor, such as a cart's new line: a token is
    also what tells a form of before a sign-in from one of after it.
    """
    view.same_origin_is_enough = True  # type: ignore[attr-defined]
    return view


class SameOriginMiddleware:
    """Before Django's CSRF check, which then leaves such a request alone."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        if getattr(view, "same_origin_is_enough", False) and is_from_our_page(request):
            request.csrf_processing_done = True  # type: ignore[attr-defined]


def is_from_our_page(request: HttpRequest) -> bool:
    """Whether the browser says that a page of this origin has sent `request`."""
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    ours = (f"{request.scheme}://{request.get_host()}", *settings.CSRF_TRUSTED_ORIGINS)
    if origin is not None and origin not in ours:
        return False
    return site == "same-origin" if site is not None else origin is not None
