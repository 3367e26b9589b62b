"""The headers Content-Security-Policy, Permissions-Policy and (for the page with the card form)
Cross-Origin-Opener-Policy, for each kind of response.

Four policies, by path:

    pages          django-csp's, from settings: scripts and styles from our own files, none inline
    /admin/        the same with two exceptions for Unfold: Alpine evaluates attributes
                   ('unsafe-eval'), and its templates have inline styles. No inline scripts.
    /api/docs/     Swagger UI: inline styles
    NO_PAGES       one constant line: loads nothing, framed by no page (OWASP REST security)

The last is constant because building a page's policy for a JSON response took a tenth of a
checkout's time.
"""

from typing import Any

from csp.middleware import CSPMiddleware, PolicyParts
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.core.api_prefixes import NO_PAGES

CARD_FORM = "/checkout/"
NOTHING = "default-src 'none'; frame-ancestors 'none'"

_OURS: dict[str, Any] = {
    "default-src": ["'self'"],
    "script-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "form-action": ["'self'"],
    "frame-ancestors": ["'none'"],
    "base-uri": ["'none'"],
    "object-src": ["'none'"],
    "style-src": ["'self'", "'unsafe-inline'"],
}
ADMIN = {**_OURS, "script-src": ["'self'", "'unsafe-eval'"]}
DOCS = _OURS


class PolicyMiddleware(CSPMiddleware):
    """django-csp for pages, each kind with its policy; one constant policy for everything else."""

    def process_request(self, request: HttpRequest) -> None:
        if not request.path_info.startswith(NO_PAGES):
            super().process_request(request)

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if request.path_info.startswith(NO_PAGES):
            response.headers.setdefault("Content-Security-Policy", NOTHING)
            return response
        response.headers.setdefault("Permissions-Policy", settings.PERMISSIONS_POLICY)
        if request.path_info.startswith(CARD_FORM):
            # Before Django's SecurityMiddleware, which sets its own only where there is none.
            response.headers.setdefault(
                "Cross-Origin-Opener-Policy", settings.CARD_FORM_OPENER_POLICY
            )
        return super().process_response(request, response)

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if not report_only:
            if request.path_info.startswith("/admin/"):
                parts.config = ADMIN
            elif request.path_info.startswith("/api/docs/"):
                parts.config = DOCS
        return parts
