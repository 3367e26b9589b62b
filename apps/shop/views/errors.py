"""Error pages in the shop's own look, and problem+json for whoever asked the API.

They stand on as little as possible: no database, no session, no cache, because one of those may be
what just failed.
"""

from dataclasses import dataclass

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

from storefront import problems
from storefront.rate_limits import LimitReached


@dataclass(frozen=True)
class Words:
    """What an error page says."""

    title: str
    text: str
    picture: str = "demo/two-hand-mug-oat.svg"


PAGES: dict[int, Words] = {
    400: Words(
        "That request came out garbled.",
        "We could not make sense of it. Going back and trying once more usually helps.",
    ),
    403: Words(
        "This door stays shut.",
        "You may not open this page, or it was left lying too long. Reload the page you came from"
        " and try again.",
    ),
    404: Words(
        "Nothing on this shelf.",
        "The page has moved, sold, or never was. The kettle is still on, though.",
        "demo/reveille-whistling-kettle-tomato.svg",
    ),
    409: Words(
        "Somebody was quicker.",
        "What you asked for changed while you asked. Have another look; it takes a moment.",
        "demo/bed-tray.svg",
    ),
    413: Words("That is more than we can carry.", "Please send less at once."),
    429: Words(
        "Slowly, please.",
        "That was a great many requests in a short time. Wait a moment, then carry on where you"
        " were; nothing is lost.",
        "demo/sunday-cup-sage.svg",
    ),
    500: Words(
        "Something boiled over.",
        "The fault is ours and has been written down. Nothing was charged by this page. Please try"
        " again.",
        "demo/milk-pan-butter.svg",
    ),
    503: Words(
        "The kitchen is full.",
        "More people want to order at this moment than we can serve at once. Nothing was ordered"
        " and nothing was charged. Please try again in a few seconds.",
        "demo/porridge-pot-dusk.svg",
    ),
}


def error_page(
    request: HttpRequest, status: int, *, retry_after: int | None = None
) -> HttpResponse:
    """The page for `status`; `retry_after` in seconds becomes the header and a sentence."""
    if request.path.startswith("/api/"):
        return _problem(status, retry_after)
    words = PAGES.get(status, PAGES[500])
    body = render_to_string(
        "errors/page.html",
        {
            "status": status,
            "title": words.title,
            "text": words.text,
            "retry_after": retry_after,
            "picture": words.picture,
        },
    )
    response = HttpResponse(body, status=status)
    if retry_after is not None:
        response["Retry-After"] = str(retry_after)
    return response


CODES = {
    400: "bad_request",
    403: "permission_denied",
    404: "not_found",
    413: "too_large",
    429: "rate_limited",
    500: "internal_error",
    503: "overloaded",
}


def _problem(status: int, retry_after: int | None) -> JsonResponse:
    """An address below /api/ that no view answered for still answers as the API does."""
    code = CODES.get(status, "error")
    response = JsonResponse(
        problems.body(status, code, PAGES.get(status, PAGES[500]).title),
        status=status,
        content_type="application/problem+json",
    )
    if retry_after is not None:
        response["Retry-After"] = str(retry_after)
    return response


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return error_page(request, 413 if isinstance(exception, RequestDataTooBig) else 400)


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return error_page(request, 403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return error_page(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    return error_page(request, 500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return error_page(request, 403)


def too_many(request: HttpRequest, reached: LimitReached) -> HttpResponse:
    """The page for a reached limit; its headers are added by `limited`."""
    return error_page(request, 429, retry_after=reached.retry_after)
