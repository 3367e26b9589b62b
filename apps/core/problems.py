"""Errors of the API: `application/problem+json` (RFC 9457) with a stable `code`.

A view raises `Problem(...)`; everything else that DRF or Django raises is translated here, so that
no error has another form and none is a traceback.
"""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.response import Response

logger = logging.getLogger(__name__)

TITLES = {
    400: "Bad request",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    409: "Conflict",
    413: "Too large",
    415: "Unsupported media type",
    422: "Not processable",
    429: "Too many requests",
    500: "Internal error",
    503: "Try again shortly",
}


class Problem(exceptions.APIException):
    """An answer that is not a success: `code` for programs, `detail` for people.

    `errors` is a list of `{field, code, message}`; `extra` adds members (quote, order …);
    `headers` adds headers (Retry-After).
    """

    def __init__(
        self,
        status_code: int,
        code: str,
        detail: str,
        *,
        errors: list[dict[str, Any]] | None = None,
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail, code)
        self.status_code = status_code
        self.code = code
        self.text = detail
        self.errors = errors
        self.extra = dict(extra or {})
        self.headers = dict(headers or {})


def body(
    status_code: int,
    code: str,
    detail: str,
    errors: list[dict[str, Any]] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The members of a problem document."""
    document = {
        "type": f"urn:storefront:problem:{code}",
        "title": TITLES.get(status_code, "Error"),
        "status": status_code,
        "detail": detail,
        "code": code,
    }
    if errors:
        document["errors"] = errors
    return document | dict(extra or {})


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's EXCEPTION_HANDLER."""
    problem = as_problem(error)
    response = Response(
        body(problem.status_code, problem.code, problem.text, problem.errors, problem.extra),
        status=problem.status_code,
        headers=problem.headers,
        content_type="application/problem+json",
    )
    response.exception = True
    return response


def as_problem(error: Exception) -> Problem:
    """The Problem that reports `error` to a client."""
    match error:
        case Problem():
            return error
        case exceptions.ValidationError():
            errors = list(flatten(error.detail, error.get_codes()))
            return Problem(400, "invalid", "Some fields are not valid.", errors=errors)
        case exceptions.Throttled():
            return rate_limited(int(getattr(error, "wait", None) or 1))
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            challenge = getattr(error, "auth_header", None) or "Bearer"
            code = "not_authenticated"
            if isinstance(error, exceptions.AuthenticationFailed):
                code = "authentication_failed"
            detail = error.detail
            text = str(detail["detail"]) if isinstance(detail, dict) else str(detail)
            return Problem(401, code, text, headers={"WWW-Authenticate": challenge})
        case exceptions.APIException():
            codes = error.get_codes()
            code = codes if isinstance(codes, str) else error.default_code
            return Problem(error.status_code, code, str(error.detail))
        case Http404():
            return Problem(404, "not_found", "There is nothing here for you.")
        case PermissionDenied():
            return Problem(403, "permission_denied", "You may not do that.")
        case RequestDataTooBig():
            return Problem(413, "too_large", "The body is too large.")
        case SuspiciousOperation():
            return Problem(400, "bad_request", "The request cannot be understood.")
        case DataError():
            # A value that no column can hold (out of range, invalid) and no parser refused.
            return Problem(400, "invalid", "A value is out of range.")
        case OperationalError() | InterfaceError():
            logger.warning("database unavailable: %s", type(error).__name__)
            return overloaded(2)
        case _:
            logger.error("unhandled error in the API", exc_info=error)
            return Problem(500, "internal_error", "Something went wrong on our side.")


def rate_limited(retry_after: int) -> Problem:
    """429 with the seconds to wait."""
    return Problem(
        status.HTTP_429_TOO_MANY_REQUESTS,
        "rate_limited",
        "Too many requests; wait a little.",
        headers={"Retry-After": str(retry_after)},
    )


def overloaded(retry_after: int) -> Problem:
    """503: refused under load, before anything was written."""
    return Problem(
        status.HTTP_503_SERVICE_UNAVAILABLE,
        "overloaded",
        "The shop is very busy; nothing was ordered. Try again shortly.",
        headers={"Retry-After": str(retry_after)},
    )


def flatten(detail: Any, codes: Any, path: str = "") -> Iterator[dict[str, str]]:
    """`{field, code, message}` for each leaf of DRF's nested error details."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            field = path if name == "non_field_errors" else f"{path}.{name}" if path else str(name)
            yield from flatten(inner, codes[name], field)
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            nested = isinstance(inner, dict | list)
            inner_path = f"{path}[{index}]" if nested else path
            yield from flatten(inner, codes[index], inner_path)
    else:
        yield {"field": path, "code": str(codes), "message": str(detail)}
