"""The limits on writes, before every page of the back office.

This is a middleware because Django's admin makes its URLs itself: there is no view to decorate, and
a page that is added later is counted, too. Guesses at a password have limits of their own
(views.py).
"""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from apps.core.error_pages import too_many
from apps.core.rate_limits import WRITES, LimitReached, limited
from apps.core.request_limits import STAFF_PATH


class BackofficeLimitsMiddleware:
    """Answers 429 to a session or an address that writes more often than a person can."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *view: Any) -> HttpResponse | None:
        return _counted(request) if request.path_info.startswith(STAFF_PATH) else None

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """A limit that a page of the office counted itself."""
        if isinstance(error, LimitReached) and request.path_info.startswith(STAFF_PATH):
            return _reached(request, error)
        return None


@limited(*WRITES, answer=too_many)
def _counted(request: HttpRequest) -> None:
    """Within the limits: None, so that the page is shown."""


@limited(answer=too_many)
def _reached(request: HttpRequest, reached: LimitReached) -> HttpResponse:
    raise reached
