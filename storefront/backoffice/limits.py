"""The shop's limits on writes, before every page of the back office.

Django's admin makes its addresses itself, so there is no view to decorate; and whatever page comes
to it later is counted, too. Guessing at the door has limits of its own (sign_in.py).
"""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from apps.shop.views.errors import too_many
from storefront.front_door import OFFICE
from storefront.rate_limits import WRITES, limited


class OfficeLimitsMiddleware:
    """429 for a session, or an address, that writes more often than a person can."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *view: Any) -> HttpResponse | None:
        return _counted(request) if request.path_info.startswith(OFFICE) else None


@limited(*WRITES, answer=too_many)
def _counted(request: HttpRequest) -> None:
    """Within the limits: on to the page."""
