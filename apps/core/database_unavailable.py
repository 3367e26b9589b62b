"""A database that is unavailable or full is a 503 with Retry-After, never a traceback."""

import logging

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

from apps.core import problems

logger = logging.getLogger(__name__)


class DatabaseUnavailableMiddleware:
    """Does for pages and admin what problems.py does for the API."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, OperationalError | InterfaceError):
            return None
        logger.warning("database unavailable: %s", type(error).__name__)
        problem = problems.overloaded(2)
        response: HttpResponse
        if request.path.startswith("/api/"):
            response = JsonResponse(
                problems.body(problem.status_code, problem.code, problem.text),
                status=503,
                content_type="application/problem+json",
            )
        else:
            response = HttpResponse(render_to_string("errors/503.html"), status=503)
        response.headers["Retry-After"] = problem.headers["Retry-After"]
        return response
