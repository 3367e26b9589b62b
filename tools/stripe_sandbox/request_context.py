"""One request's view of the sandbox: the store, and the events that the request causes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from zlib import crc32

import orjson

from tools.stripe_sandbox import objects
from tools.stripe_sandbox.faults import Fault
from tools.stripe_sandbox.protocol import Call
from tools.stripe_sandbox.store import Record, Store
from tools.stripe_sandbox.webhook_delivery import Delivery, WebhookSender

_REORDER_WINDOW_S = 0.5


class SandboxState:
    """The store, and the endpoints that events are sent to. One for all requests."""

    def __init__(self, store: Store, sender: WebhookSender) -> None:
        self.store = store
        self.sender = sender
        self._endpoints: list[Record] | None = None

    def endpoints(self) -> list[Record]:
        if self._endpoints is None:
            self._endpoints, _ = self.store.newest("webhook_endpoint", limit=100)
            for endpoint in self._endpoints:
                self.store.changed(endpoint)
        return self._endpoints

    def endpoints_changed(self) -> None:
        self._endpoints = None


class RequestContext:
    """What one operation works with. Its events are collected and sent once they are committed."""

    def __init__(self, state: SandboxState, call: Call) -> None:
        self.state = state
        self.store = state.store
        self.call = call
        self.now = int(time.time())
        self.deliveries: list[Delivery] = []

    def emit(
        self, type: str, shown: dict[str, Any], *, previous: dict[str, Any] | None = None
    ) -> None:
        """Store an event with a snapshot of the object, and a delivery to each subscriber."""
        subscribed = [
            endpoint
            for endpoint in self.state.endpoints()
            if endpoint.shown["status"] == "enabled"
            and (
                "*" in endpoint.shown["enabled_events"] or type in endpoint.shown["enabled_events"]
            )
        ]
        event = objects.event(
            id=objects.new_id("evt"),
            created=self.now,
            type=type,
            # A copy: the object changes later, the event shows it as it was.
            object=orjson.loads(orjson.dumps(shown)),
            previous=previous,
            request_id=self.call.request_id,
            key=self.call.key,
            pending=len(subscribed),
        )
        self.store.add("event", event)
        if not subscribed:
            return
        lane = crc32((shown.get("payment_intent") or shown["id"]).encode())
        for endpoint in subscribed:
            payload = orjson.dumps(objects.in_version(event, endpoint.shown["api_version"]))
            delivery = Delivery(event["id"], endpoint.id, lane, payload)
            self.deliveries.append(delivery)

    def record_deliveries(self, faults: Mapping[Fault, int]) -> None:
        if Fault.WEBHOOK_DROP in faults:
            self.deliveries.clear()
        for delivery in self.deliveries:
            self.state.sender.record(delivery)

    def dispatch(self, faults: Mapping[Fault, int]) -> list[Delivery]:
        """Give the deliveries to the sender, changed as the faults say."""
        if not self.deliveries:
            return []
        sender = self.state.sender
        delay_s = faults.get(Fault.WEBHOOK_DELAY, 0) / 1000
        ordered = self.deliveries
        step_s = 0.0
        if Fault.WEBHOOK_REORDER in faults:
            ordered = ordered[::-1]
            step_s = _REORDER_WINDOW_S / max(1, len(ordered))
            # The first operation of a payment waits longest, so that the events of a quick
            # second one (a capture) overtake it too.
            if self.call.operation == "payment_intents.create":
                delay_s += 2 * _REORDER_WINDOW_S
        for index, delivery in enumerate(ordered):
            due_s = delay_s + index * step_s
            sender.send(delivery, delay_s=due_s)
            for copy in range(1, faults.get(Fault.WEBHOOK_DUPLICATE, 1)):
                sender.send(
                    Delivery(
                        delivery.event_id,
                        delivery.endpoint_id,
                        delivery.lane + copy,
                        delivery.payload,
                        copy=True,
                    ),
                    delay_s=due_s,
                )
        return self.deliveries
