"""Stripe's protocol: nested form parameters in, JSON and the error envelope out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl

import orjson

_PART = re.compile(r"\[([^\]]*)\]")
_MAX_DEPTH = 8


class ApiError(Exception):
    """An answer other than 200, in Stripe's envelope.

    `stored` says whether the idempotency layer keeps it. Stripe keeps the outcome of an execution
    (a decline, a wrong state), and not the answer to what never began (validation, limits,
    conflicts).
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        decline_code: str | None = None,
        stored: bool = False,
        headers: dict[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.stored = stored
        self.headers = headers or {}
        error: dict[str, Any] = {}
        if extra.get("charge"):
            error["charge"] = extra.pop("charge")
        if code:
            error["code"] = code
            error["doc_url"] = f"https://docs.stripe.com/error-codes/{code.replace('_', '-')}"
        if decline_code:
            error["decline_code"] = decline_code
        error["message"] = message
        if param:
            error["param"] = param
        error.update(extra)
        error["type"] = type
        self.error = error

    def body(self) -> bytes:
        return orjson.dumps({"error": self.error})


def missing_resource(kind: str, id: str, *, param: str = "intent") -> ApiError:
    """Stripe's 404 for an id it does not know."""
    return ApiError(404, f"No such {kind}: '{id}'", code="resource_missing", param=param)


@dataclass(slots=True)
class Call:
    """One API request, authenticated and decoded, for an operation."""

    operation: str
    method: str
    path: str
    id: str
    params: dict[str, Any]
    request_id: str
    key: str | None
    base_url: str
    client: tuple[str, int | str] | None
    expand: tuple[str, ...] = ()


def decode(encoded: bytes) -> dict[str, Any]:
    """Form or query string to nested dicts and lists, the way Stripe reads brackets.

    `a[b]=1&c[]=2&d[0][e]=3` is `{"a": {"b": "1"}, "c": ["2"], "d": [{"e": "3"}]}`.
    """
    try:
        pairs = parse_qsl(
            encoded.decode(), keep_blank_values=True, max_num_fields=1000, errors="strict"
        )
    except ValueError as error:
        raise ApiError(400, "Invalid request parameters: not form-encoded UTF-8.") from error
    params: dict[str, Any] = {}
    for name, value in pairs:
        if "\x00" in value or "\x00" in name:
            raise ApiError(400, "Invalid request: NUL bytes are not allowed.")
        if "[" not in name:
            params[name] = value
            continue
        root, _, _ = name.partition("[")
        parts = _PART.findall(name)
        if len(parts) > _MAX_DEPTH:
            raise ApiError(400, f"Invalid parameter: {root} is nested too deeply.")
        node: Any = params
        steps = [root, *parts]
        for step, following in pairwise(steps):
            child = node.get(step)
            if not isinstance(child, dict):
                child = node[step] = {}
            node = child
            if following == "":
                break
        last = steps[-1]
        if last == "":
            last = str(len(node))
        node[last] = value
    return {name: _lists(value) for name, value in params.items()}


def _lists(value: Any) -> Any:
    """Dicts keyed 0, 1, 2… came from list syntax."""
    if not isinstance(value, dict):
        return value
    if value and all(key.isdigit() for key in value):
        return [_lists(value[key]) for key in sorted(value, key=int)]
    return {key: _lists(item) for key, item in value.items()}
