"""Events, and the endpoints that they are sent to."""

from __future__ import annotations

from typing import Any

API_VERSION = "2026-08-26.dahlia"


def webhook_endpoint(
    *,
    id: str,
    created: int,
    url: str,
    enabled_events: list[str],
    api_version: str | None,
    description: str | None,
    metadata: dict[str, str],
) -> dict[str, Any]:
    return {
        "id": id,
        "object": "webhook_endpoint",
        "api_version": api_version,
        "application": None,
        "created": created,
        "description": description,
        "enabled_events": enabled_events,
        "livemode": False,
        "metadata": metadata,
        "status": "enabled",
        "url": url,
    }


def in_version(event: dict[str, Any], api_version: str | None) -> dict[str, Any]:
    """The event as an endpoint of this version gets it. Its object looks the same in each."""
    if api_version is None or api_version == event["api_version"]:
        return event
    return event | {"api_version": api_version}


def event(
    *,
    id: str,
    created: int,
    type: str,
    object: dict[str, Any],
    previous: dict[str, Any] | None,
    request_id: str | None,
    key: str | None,
    pending: int,
) -> dict[str, Any]:
    data: dict[str, Any] = {"object": object}
    if previous:
        data["previous_attributes"] = previous
    return {
        "id": id,
        "object": "event",
        "api_version": API_VERSION,
        "created": created,
        "data": data,
        "livemode": False,
        "pending_webhooks": pending,
        "request": {"id": request_id, "idempotency_key": key},
        "type": type,
    }
