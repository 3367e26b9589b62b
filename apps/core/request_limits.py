"""Refuses requests that no page of ours could have sent, before their body is read.

A NUL in the path: PostgreSQL accepts none in text, and raises an error.

A huge body: the edge has the same limits (tools/edge/config.py), these are for requests that do
not come through it. Django limits the fields of a form, but writes uploaded files of any size to
disk first, for any client that posts them to any page. The API and the webhook view have smaller
limits of their own (apps/api/parsers.py, apps/payments/webhooks.py).
"""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, HttpResponse

STAFF_PATH = "/admin/"
STAFF_MAX = 20_000_000  # bytes; staff upload pictures of products there


class RequestLimitsMiddleware:
    """400, or 413 by the declared length. Without one there is no body: Django reads none."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "\x00" in request.path_info:
            raise SuspiciousOperation("NUL in the address")
        is_staff_path = request.path_info.startswith(STAFF_PATH)
        limit = STAFF_MAX if is_staff_path else settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if declared_length(request) > limit:
            raise RequestDataTooBig("the declared body is too large")
        return self.get_response(request)


class StaffUploadsMiddleware:
    """413 for a large body at the back office from all but staff, before it is read.

    A large body streams through the edge, and a web process's thread waits for the end of it: a
    stranger could occupy all threads. Listed before the CSRF check, which reads the body; when
    `process_view` runs, the user is known.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *view: Any) -> None:
        if not request.path_info.startswith(STAFF_PATH):
            return
        if declared_length(request) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE and not (
            request.user.is_authenticated and request.user.is_staff
        ):
            raise RequestDataTooBig("the declared body is too large for a stranger")


def declared_length(request: HttpRequest) -> int:
    """The Content-Length in bytes; 0 where there is none or it is not a number."""
    declared = request.META.get("CONTENT_LENGTH") or ""
    return int(declared[:18]) if declared.isascii() and declared.isdigit() else 0
