"""What the schema says of all calls alike, where drf-spectacular has no setting for it."""

from typing import Any

METHODS = ("get", "post", "put", "patch", "delete")


def as_strict_as_the_server(result: dict[str, Any], **more: Any) -> dict[str, Any]:
    """One of POSTPROCESSING_HOOKS: bodies that must be sent, and calls that are open.

    A body with a required field is itself required. A call that works without signing in and asks
    for no account says so by `security: []`; drf-spectacular would leave it out, which means what
    the document says for all calls.
    """
    for calls in result["paths"].values():
        for method in METHODS:
            call = calls.get(method)
            if call is None:
                continue
            body = call.get("requestBody")
            if body is not None:
                kinds = body["content"].values()
                body["required"] = any(kind["schema"].get("required") for kind in kinds)
            if call.get("security") in (None, [{}]):
                call["security"] = []
    return result
