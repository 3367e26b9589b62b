"""A form of ours whose CSRF token is out of date: asked again, with everything that was typed.

Signing in or out makes a new token, so a page that stood open in another tab sends the old one. The
refusal stays (403, nothing is done); the shopper gets the same request to confirm, instead of a
page that says no.
"""

from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from apps.core.error_pages import error_page
from apps.web.views.checkout import checkout_again

NOT_PAGES = ("/admin/", "/api/", "/stripe/")
FIELDS_MAX = 200


def answer(request: HttpRequest) -> HttpResponse:
    """The answer to a POST that Django's CSRF check has refused."""
    if request.path.startswith(NOT_PAGES) or not is_from_our_page(request):
        return error_page(request, 403)
    if request.path == reverse("web:checkout"):
        return checkout_again(request)
    names = [name for name in request.POST if name != "csrfmiddlewaretoken"]
    if len(names) > FIELDS_MAX or any("password" in name for name in names):
        # A password is never written into a page.
        fields, action = [], ""
    else:
        fields = [(name, text) for name in names for text in request.POST.getlist(name)]
        action = request.get_full_path()
    context = {"fields": fields, "action": action, "page": request.path}
    return render(request, "web/stale_form.html", context, status=403)


def is_from_our_page(request: HttpRequest) -> bool:
    """Whether a page of this host sent the request; another site must not fill in our forms."""
    ours = f"{request.scheme}://{request.get_host()}"
    origin = request.headers.get("Origin")
    if origin is not None:
        return origin == ours
    sent_by = urlsplit(request.headers.get("Referer", ""))
    return f"{sent_by.scheme}://{sent_by.netloc}" == ours
