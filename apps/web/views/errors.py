"""Django's error handlers (storefront/urls.py), by the pages of apps/core/error_pages.py."""

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse

from apps.core.content_types import UnsupportedMediaType
from apps.core.error_pages import error_page
from apps.web.views import stale_form


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    if isinstance(exception, UnsupportedMediaType):
        if request.path.startswith("/stripe/"):
            # The gateway gets plain text, as from the view (apps/payments/webhooks.py).
            return HttpResponse("not JSON", status=415)
        return error_page(request, 415)
    return error_page(request, 413 if isinstance(exception, RequestDataTooBig) else 400)


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return error_page(request, 403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return error_page(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    return error_page(request, 500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return stale_form.answer(request)
