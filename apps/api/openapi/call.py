"""How a call is described: the answers it has, the problems any call has, who may call it.

A description is what the server does, not only what the schema says: `described` gives the view the
names of its query parameters, and any other is refused (endpoint.py).
"""

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
)

from apps.api.contract import json_schema
from apps.api.contract.fields import Body
from apps.api.contract.problem import Problem
from apps.api.openapi.parameters import (
    HEADERS_OF_PROBLEMS,
    IDEMPOTENCY_KEY,
    REPLAYED,
    of_answer,
)

ANY_CALL = {400: "`invalid`", 429: "`rate_limited`", 503: "`overloaded`, with Retry-After"}
ANY_BODY = {
    400: "`invalid` with `errors`, `malformed_body`, `card_data_refused`",
    413: "`too_large`",
    415: "`unsupported_media_type`",
}
BAD_TOKEN = {401: "`authentication_failed`: the token or the account is not valid any more"}
NO_CSRF = {403: "`permission_denied`: a session without its CSRF token"}
NOT_FOUND = {404: "`not_found`: none, or not yours"}
NO_PAGE = {404: "`not_found`: a `cursor` that leads nowhere"}
REPEATED = {
    409: "`idempotency_in_flight`, with Retry-After",
    422: "`idempotency_key_reused`: same key, other body",
}

F = TypeVar("F", bound=Callable[..., Any])


class BearerScheme(SimpleJWTScheme):
    """Describes the shop's reading of the Authorization header as it does simplejwt's."""

    target_class = "apps.customers.tokens.BearerAuthentication"


def call(
    name: str,
    summary: str,
    answers: dict[int, Any],
    *,
    tag: str,
    body: type[Body] | dict[str, Any] | None = None,
    problems: dict[int, str] | None = None,
    refusals: dict[int, type] | None = None,
    parameters: tuple[OpenApiParameter, ...] = (),
    examples: list[OpenApiExample] | None = None,
    public: bool = True,
    authenticates: bool = True,
    writes: bool = False,
    idempotent: bool = False,
    headers: dict[int, tuple[OpenApiParameter, ...]] | None = None,
    description: str = "",
) -> dict[str, Any]:
    """Arguments of `extend_schema`.

    `answers` are the declarations by status, None for no body. `body` is a declaration, or a JSON
    schema. `problems` are the codes by status, beside those that any call may have; `refusals` the
    declarations of those that have members of their own. `headers` are those of answers, by status.
    A `public` call works without signing in; one that does not authenticate ignores who calls. A
    call with a body `writes`. An `idempotent` one takes an Idempotency-Key (idempotency.py).
    """
    expected = dict(ANY_CALL)
    if authenticates:
        expected |= BAD_TOKEN | (NO_CSRF if writes or body is not None else {})
    if body is not None:
        expected |= ANY_BODY
    expected |= problems or {}
    if idempotent:
        parameters = (IDEMPOTENCY_KEY, *parameters)
        for status, said in REPEATED.items():
            expected[status] = ", ".join(filter(None, [expected.get(status), said]))
        headers = dict.fromkeys(answers, (REPLAYED,)) | (headers or {})
    of_answers = HEADERS_OF_PROBLEMS | (headers or {})
    described: dict[str, Any] = {
        "operation_id": name,
        "summary": summary,
        "description": description or summary,
        "request": None if body is None else {"application/json": _body(body)},
        "responses": _answers(answers) | _problems(expected, refusals or {}),
        "tags": [tag],
        "parameters": [
            *parameters,
            *(
                of_answer(header, status)
                for status, found in of_answers.items()
                if status in expected or status in answers
                for header in found
            ),
        ],
        "examples": examples or [],
    }
    # An empty alternative says that the call works without signing in; schema_hooks.py makes of a
    # call that has no other one `security: []`.
    if not authenticates:
        described["auth"] = [{}]
    elif public:
        described["auth"] = [{}, {"jwtAuth": []}, {"cookieAuth": []}]
    return described


def _body(body: type[Body] | dict[str, Any]) -> dict[str, Any]:
    return body if isinstance(body, dict) else json_schema.of_body(body)


def _answers(answers: dict[int, Any]) -> dict[Any, OpenApiResponse]:
    return {
        status: OpenApiResponse(kind and json_schema.Answer(kind), description="")
        for status, kind in answers.items()
    }


def _problems(codes: dict[int, str], kinds: dict[int, type]) -> dict[Any, OpenApiResponse]:
    return {
        (status, "application/problem+json"): OpenApiResponse(
            json_schema.Answer(kinds.get(status, Problem)), description=said
        )
        for status, said in sorted(codes.items())
    }


def described(call: dict[str, Any]) -> Callable[[F], F]:
    """Decorate a view's method with its description: for the schema, and for its parameters."""
    names = frozenset(
        each.name for each in call["parameters"] if each.location == OpenApiParameter.QUERY
    )

    def decorate(method: F) -> F:
        described: F = extend_schema(**call)(method)
        described.parameters = names  # type: ignore[attr-defined]
        return described

    return decorate
