"""Refuses what no page of ours could have asked for, before anything of it is read.

A NUL in the address: PostgreSQL takes none in text, and says so with an error.

A huge body: Django counts what stands in a form's fields, but writes uploaded files to a disk
first, of any size, for whoever posts them to any page. The API and the webhook's door have smaller
limits of their own (apps/api/parsers.py, apps/payments/webhooks.py).
"""

from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, HttpResponse

OFFICE = "/admin/"
OFFICE_MAX = 20_000_000  # bytes; pictures of products come in here


class FrontDoorMiddleware:
    """400, or 413 by the declared length. Without one there is no body: Django reads none."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "\x00" in request.path_info:
            raise SuspiciousOperation("NUL in the address")
        declared = request.META.get("CONTENT_LENGTH") or ""
        office = request.path_info.startswith(OFFICE)
        limit = OFFICE_MAX if office else settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if declared.isascii() and declared.isdigit() and int(declared[:18]) > limit:
            raise RequestDataTooBig("the declared body is too large")
        return self.get_response(request)
