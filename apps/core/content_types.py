"""Which content type a body may have at which address; any other is a 415.

If a body were parsed as another type than its header says, a form on another site could send JSON
without a CORS preflight (`text/plain` needs none), and two parsers of one body could disagree.

The middleware checks every method that may have a body, also for views that read none. The
shortcuts before Django (apps/fastpath) call `is_accepted`, which uses the same table.
"""

from collections.abc import Callable, Mapping
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse

JSON = ("application/json",)
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
# Prefix of a path: the types that its bodies may have. The first match counts.
TAKES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("/api/", JSON),
    ("/stripe/", JSON),
    ("/", FORMS),  # pages and admin
)
WITHOUT_BODY = ("GET", "HEAD", "OPTIONS", "TRACE")


class UnsupportedMediaType(SuspiciousOperation):
    """The body is not of a type that this path accepts: 415 (apps/core/error_pages.py)."""


class ContentTypeMiddleware:
    """Refuses a body of another type before it is read."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not is_accepted(request.META, request.path_info):
            raise UnsupportedMediaType("a body of a type that is not taken here")
        return self.get_response(request)


def is_accepted(meta: Mapping[str, Any], path: str) -> bool:
    """Whether the body that a WSGI environ (or `request.META`) announces may be sent to `path`."""
    if meta.get("REQUEST_METHOD") in WITHOUT_BODY or not _has_body(meta):
        return True
    sent = (meta.get("CONTENT_TYPE") or "").partition(";")[0].strip().lower()
    return sent in next((taken for start, taken in TAKES if path.startswith(start)), FORMS)


def _has_body(meta: Mapping[str, Any]) -> bool:
    """An empty body is harmless; one of unknown length counts as a body."""
    length = (meta.get("CONTENT_LENGTH") or "").strip()
    return length.strip("0") != "" or bool(meta.get("HTTP_TRANSFER_ENCODING"))
