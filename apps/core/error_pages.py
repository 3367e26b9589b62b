"""Error pages in the shop's design, and problem+json for requests of the API.

They use no database, no session and no cache, because one of those may be what has just failed.
"""

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

from apps.core import problems
from apps.core.rate_limits import LimitReached


@dataclass(frozen=True)
class Page:
    """The text of an error page, and its picture."""

    title: str
    text: str
    picture: str = "demo/two-hand-mug-oat.svg"


PAGES: dict[int, Page] = {
    400: Page(
        "That request came out garbled.",
        "We could not make sense of it. Going back and trying once more usually helps.",
    ),
    403: Page(
        "This door stays shut.",
        "You may not open this page, or it was left lying too long. Reload the page you came from"
        " and try again.",
    ),
    404: Page(
        "Nothing on this shelf.",
        "The page has moved, sold, or never was. The kettle is still on, though.",
        "demo/reveille-whistling-kettle-tomato.svg",
    ),
    409: Page(
        "Somebody was quicker.",
        "What you asked for changed while you asked. Have another look; it takes a moment.",
        "demo/bed-tray.svg",
    ),
    413: Page("That is more than we can carry.", "Please send less at once."),
    415: Page(
        "We cannot read that.",
        "What was sent is not a form as browsers send it. Please use the page's own button.",
    ),
    429: Page(
        "Slowly, please.",
        "That was a great many requests in a short time. Wait a moment, then carry on where you"
        " were; nothing is lost.",
        "demo/sunday-cup-sage.svg",
    ),
    500: Page(
        "Something boiled over.",
        "The fault is ours and has been written down. Nothing was charged by this page. Please try"
        " again.",
        "demo/milk-pan-butter.svg",
    ),
    503: Page(
        "The kitchen is full.",
        "More people want to order at this moment than we can serve at once. Nothing was ordered"
        " and nothing was charged. Please try again in a few seconds.",
        "demo/porridge-pot-dusk.svg",
    ),
}


def error_page(
    request: HttpRequest, status: int, *, retry_after: int | None = None
) -> HttpResponse:
    """The page for `status`. `retry_after`, in seconds, becomes a header and a sentence."""
    if request.path.startswith("/api/"):
        return _problem(status, retry_after)
    page = PAGES.get(status, PAGES[500])
    body = render_to_string(
        "errors/page.html",
        {
            "status": status,
            "title": page.title,
            "text": page.text,
            "retry_after": retry_after,
            "picture": page.picture,
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
    415: "unsupported_media_type",
    429: "rate_limited",
    500: "internal_error",
    503: "overloaded",
}


def _problem(status: int, retry_after: int | None) -> JsonResponse:
    """The same for a path below /api/ that no view of the API answers."""
    code = CODES.get(status, "error")
    detail = "Send the body as application/json." if status == 415 else ""
    response = JsonResponse(
        problems.body(status, code, detail or PAGES.get(status, PAGES[500]).title),
        status=status,
        content_type="application/problem+json",
    )
    if retry_after is not None:
        response["Retry-After"] = str(retry_after)
    return response


def too_many(request: HttpRequest, reached: LimitReached) -> HttpResponse:
    """The page for a reached limit; its headers are added by `limited`."""
    return error_page(request, 429, retry_after=reached.retry_after)
