"""WebhookEndpoints: which events are sent where, in which API version.

The secret is shown once, when the endpoint is created. Its API version can never be changed.
"""

from __future__ import annotations

import re
from typing import Any

from tools.stripe_sandbox import objects, params
from tools.stripe_sandbox.protocol import ApiError, missing_resource
from tools.stripe_sandbox.request_context import RequestContext
from tools.stripe_sandbox.store import Record


def _event_type(value: Any, name: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"\*|[a-z0-9_]+(\.[a-z0-9_]+)+", value):
        raise ApiError(400, f"Invalid {name}: not an event type", param=name)
    return value


def _api_version(value: Any, name: str) -> str:
    text: str = params.string()(value, name)
    if not re.fullmatch(r"20\d\d-[01]\d-[0-3]\d(\.[a-z]+)?", text):
        raise ApiError(400, f"Invalid Stripe API version: {text}", param=name)
    return text


CREATE: params.Schema = {
    "url": params.url,
    "enabled_events": params.listed(_event_type),
    "api_version": _api_version,
    "connect": params.boolean,
    "description": params.string(500),
    "metadata": params.metadata,
}
UPDATE: params.Schema = {
    "url": params.url,
    "enabled_events": params.listed(_event_type),
    "description": params.string(500),
    "disabled": params.boolean,
    "metadata": params.metadata,
}
_MOST_ENDPOINTS = 16


def create(context: RequestContext) -> dict[str, Any]:
    given = params.check(context.call.params, CREATE, required=("url", "enabled_events"))
    if not given["enabled_events"]:
        raise params.empty("enabled_events")
    if len(context.state.endpoints()) >= _MOST_ENDPOINTS:
        raise ApiError(
            400, f"You have reached the maximum of {_MOST_ENDPOINTS} test webhook endpoints."
        )
    shown = objects.webhook_endpoint(
        id=objects.new_id("we"),
        created=context.now,
        url=given["url"],
        enabled_events=given["enabled_events"],
        api_version=given.get("api_version"),
        description=given.get("description"),
        metadata={key: value for key, value in given.get("metadata", {}).items() if value != ""},
    )
    secret = f"whsec_{objects.new_secret(32)}"
    context.store.add("webhook_endpoint", shown, kept={"secret": secret})
    context.state.endpoints_changed()
    return shown | {"secret": secret}


def update(context: RequestContext) -> dict[str, Any]:
    record = find(context, context.call.id)
    given = params.check(context.call.params, UPDATE)
    for name in ("url", "enabled_events", "description"):
        if name in given:
            record.shown[name] = given[name]
    if "disabled" in given:
        record.shown["status"] = "disabled" if given["disabled"] else "enabled"
    for key, value in given.get("metadata", {}).items():
        if value == "":
            record.shown["metadata"].pop(key, None)
        else:
            record.shown["metadata"][key] = value
    context.store.changed(record)
    context.state.endpoints_changed()
    return record.shown


def delete(context: RequestContext) -> dict[str, Any]:
    record = find(context, context.call.id)
    context.store.delete(record)
    context.state.endpoints_changed()
    return {"id": record.id, "object": "webhook_endpoint", "deleted": True}


def find(context: RequestContext, id: str) -> Record:
    record = context.store.get(id, "webhook_endpoint")
    if record is None:
        raise missing_resource("webhook endpoint", id, param="webhook_endpoint")
    return record
