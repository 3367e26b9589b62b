"""The answer at every URL that the API does not have, and at those without their last slash."""

from typing import Any

from django.http import Http404, HttpResponse, HttpResponsePermanentRedirect
from django.urls import Resolver404, resolve
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.endpoint import Endpoint


@extend_schema(exclude=True)
class Nowhere(Endpoint):
    """404 as a problem document, for any method."""

    authentication_classes = []
    limits = ()

    def http_method_not_allowed(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        raise Http404


class PermanentRedirect308(HttpResponsePermanentRedirect):
    """A redirect that is followed with the same method and body (RFC 9110, 15.4.9)."""

    status_code = 308


@extend_schema(exclude=True)
class WithoutSlash(Endpoint):
    """Redirect to the address with its slash; 404 where there is none either.

    A 301 would do for a GET. After a 301 most clients send a POST again as a GET, without its body.
    """

    authentication_classes = []
    limits = ()

    @property
    def default_response_headers(self) -> dict[str, str]:
        return {}  # without Allow, which would name the methods of this view

    def http_method_not_allowed(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        return self._redirect(request)

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        return self._redirect(request)

    def _redirect(self, request: Request) -> HttpResponse:
        try:
            found = resolve(f"{request.path_info}/")
        except Resolver404:
            raise Http404 from None
        # A redirect to an address that redirects again would never end.
        if getattr(found.func, "cls", None) in (Nowhere, WithoutSlash):
            raise Http404
        to = request.get_full_path(force_append_slash=True)
        if request.method in ("GET", "HEAD"):
            return HttpResponsePermanentRedirect(to)
        return PermanentRedirect308(to)
