"""“Confirm that it is you”: the password once more, and the second factor where there is one.

It is asked for when access to the back office has ended (staff_session.py), and before money is
sent back, rights are changed or personal data is exported. What the person was about to do is kept:

    GET     redirects to the confirmation page, and from there back to the page that was asked for
    POST    is answered with the confirmation page, which has the fields of the POST in it, hidden.
            Sent again with the password, it is the same POST to the same URL: the middleware has
            checked its CSRF token, a staff action's `form_id` is the same, so it is done once, and
            none of it is kept on the server. Passwords and files in the POST are left out.
"""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.http import url_has_allowed_host_and_scheme

from apps.backoffice.sign_in import staff_session
from apps.backoffice.sign_in.confirm_form import PREFIX, ConfirmForm, confirmed

TEMPLATE = "admin/backoffice/confirm.html"


def ask(request: HttpRequest, *, fresh: bool = True) -> HttpResponse | None:
    """None when the person has shown who they are; otherwise what to answer instead of the page.

    `fresh`: whether the password has to be recent. Raises LimitReached.
    """
    needed = staff_session.needed(request, fresh=fresh)
    if not needed.proof:
        return None
    if request.method != "POST":
        query = {"next": request.get_full_path(), **({"fresh": "1"} if fresh else {})}
        return _uncached(HttpResponseRedirect(f"{reverse('staff-confirm')}?{urlencode(query)}"))
    # Error reports leave out what was typed.
    request.sensitive_post_parameters = "__ALL__"  # type: ignore[attr-defined]
    sent = any(f"{PREFIX}-{name}" in request.POST for name in ConfirmForm.base_fields)
    form = ConfirmForm(needed, request.POST if sent else None)
    if sent and confirmed(request, needed, form):
        return None
    return page(request, form, carried=True)


def page(
    request: HttpRequest, form: ConfirmForm, *, carried: bool = False, back: str = ""
) -> HttpResponse:
    """The confirmation page; `carried`: with the fields of the POST that it interrupts."""
    hidden, left_out = _carried_fields(request) if carried else ([], False)
    context = {
        **admin.site.each_context(request),
        "title": "Confirm that it is you",
        "form": form,
        "hidden": hidden,
        "carried": carried,
        "left_out": left_out,
        "back": back or (request.get_full_path() if carried else reverse("admin:index")),
    }
    response = TemplateResponse(request, TEMPLATE, context, status=403 if carried else 200)
    return _uncached(response)


def next_page(request: HttpRequest) -> str:
    """The URL in `?next=` if it is a page of the back office, otherwise the dashboard's."""
    wanted = request.GET.get("next", "")
    local = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if local and wanted.startswith("/admin/") else reverse("admin:index")


def _carried_fields(request: HttpRequest) -> tuple[list[tuple[str, str]], bool]:
    """The (name, value) pairs of the POST to send again, and whether any had to be left out."""
    kept, left_out = [], bool(request.FILES)
    for name, values in request.POST.lists():
        if name == "csrfmiddlewaretoken" or name.startswith(f"{PREFIX}-"):
            continue
        if "password" in name.lower():
            left_out = True
            continue
        kept += [(name, value) for value in values]
    return kept, left_out


def _uncached(response: Any) -> Any:
    add_never_cache_headers(response)
    return response
