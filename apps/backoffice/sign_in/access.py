"""Checks before every page of the back office that it is still open for this person.

The rules are in staff_session.py. This is a middleware because Django's admin makes its URLs
itself: there is no view to decorate, and a page that is added later is covered, too. A person who
has to set up a second factor and has not done so sees the page for that and nothing else.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from apps.backoffice.sign_in import reauthentication, staff_session
from apps.core.error_pages import too_many
from apps.core.rate_limits import limited
from apps.core.request_limits import STAFF_PATH

# The pages of the sign-in itself; their views check who sends the request.
SIGN_IN_PAGES = ("/admin/login/", "/admin/logout/", "/admin/confirm/", "/admin/second-factor/")
# Django's own pages that need a recent sign-in. Our own pages ask for it where they act.
NEED_RECENT_SIGN_IN = ("/admin/password_change/",)


class StaffAccessMiddleware:
    """Shows no page of the back office before the person has shown who they are."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *view: Any) -> HttpResponse | None:
        path = request.path_info
        if not path.startswith(STAFF_PATH) or path in SIGN_IN_PAGES:
            return None
        if not staff_session.is_staff(request):
            return None  # Django's admin redirects everybody else to the sign-in page.
        return _answer_instead(request)


@limited(answer=too_many)
def _answer_instead(request: HttpRequest) -> HttpResponse | None:
    """What to answer instead of the page, or None when the page may be shown."""
    fresh = request.path_info in NEED_RECENT_SIGN_IN
    needed = staff_session.needed(request, fresh=fresh)
    if needed.proof and (answer := reauthentication.ask(request, fresh=fresh)) is not None:
        return answer
    if needed.enrolment:
        page = reverse("staff-second-factor")
        if request.method == "GET":
            page += "?" + urlencode({"next": request.get_full_path()})
        return HttpResponseRedirect(page)
    staff_session.touch(request.session)
    return None
