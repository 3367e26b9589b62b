"""Sends webhooks: signed, repeated until accepted, in order per payment where possible.

Lanes of workers, each with its own kept-alive connection per host; the events of one payment
share a lane, so they arrive in order unless one has to be repeated. Deliveries are kept in
the store until accepted or given up, so a restart of the sandbox continues where it stopped.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from zlib import crc32

import orjson

from tools.stripe_sandbox.http_connection import Connection
from tools.stripe_sandbox.objects import in_version
from tools.stripe_sandbox.store import DELETE_DELIVERY, UPSERT_DELIVERY, Record, Store

logger = logging.getLogger("sandbox.webhooks")

_LANES = 16
_ANSWER_WITHIN_S = 10.0
_LONGEST_PAUSE_S = 60.0
_KEEP_PAYLOADS_BELOW = 200


def signature(payload: bytes, secrets: Sequence[str], at: int) -> str:
    """The `Stripe-Signature` header: HMAC-SHA256 over "<time>.<raw body>" with each secret."""
    signed = (
        hmac.new(secret.encode(), b"%d." % at + payload, hashlib.sha256).hexdigest()
        for secret in secrets
    )
    return ",".join([f"t={at}", *(f"v1={each}" for each in signed)])


def _secrets(endpoint: Record) -> list[str]:
    """The endpoint's secret, and before it one that was rolled and is still valid."""
    older = endpoint.kept.get("older")
    valid = older is not None and older["until"] > time.time()
    return [older["secret"], endpoint.kept["secret"]] if valid else [endpoint.kept["secret"]]


@dataclass(slots=True)
class Delivery:
    """One event for one endpoint."""

    event_id: str
    endpoint_id: str
    lane: int
    payload: bytes | None
    attempt: int = 0
    copy: bool = False
    taken: asyncio.Event = field(default_factory=asyncio.Event)


class WebhookSender:
    """Sends deliveries to their endpoints; `refused` and `given_up` are counters."""

    def __init__(self, store: Store, *, retry_base_s: float, attempts: int) -> None:
        self._store = store
        self._retry_base_s = retry_base_s
        self._attempts = attempts
        self._lanes: list[asyncio.Queue[Delivery]] = []
        self._workers: list[asyncio.Task[None]] = []
        self._waiting = 0
        self.delivered = 0
        self.refused = 0
        self.given_up = 0

    async def start(self) -> None:
        self._lanes = [asyncio.Queue() for _ in range(_LANES)]
        self._workers = [asyncio.create_task(self._work(lane)) for lane in self._lanes]
        now = time.time()
        for event_id, endpoint_id, attempt, due_at in self._store.deliveries():
            delivery = Delivery(event_id, endpoint_id, crc32(event_id.encode()), None, attempt)
            self._send_in(max(0.0, due_at - now), delivery)

    async def stop(self) -> None:
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    def waiting(self) -> int:
        """Deliveries neither taken nor given up: queued, being posted, or paused before a retry."""
        return self._waiting

    def forget(self) -> None:
        for lane in self._lanes:
            while not lane.empty():
                lane.get_nowait()
                self._waiting -= 1

    def record(self, delivery: Delivery) -> None:
        """Store the delivery with the changes that caused it. Copies are not stored."""
        self._store.execute_later(
            UPSERT_DELIVERY, delivery.event_id, delivery.endpoint_id, 0, time.time()
        )

    def send(self, delivery: Delivery, *, delay_s: float = 0.0) -> None:
        if self.waiting() > _KEEP_PAYLOADS_BELOW * _LANES:
            delivery.payload = None
        self._send_in(delay_s, delivery)

    def _send_in(self, delay_s: float, delivery: Delivery) -> None:
        lane = self._lanes[delivery.lane % _LANES]
        self._waiting += 1
        if delay_s <= 0:
            lane.put_nowait(delivery)
        else:
            asyncio.get_running_loop().call_later(delay_s, lane.put_nowait, delivery)

    async def _work(self, lane: asyncio.Queue[Delivery]) -> None:
        connections: dict[tuple[str, str, int], Connection] = {}
        while True:
            delivery = await lane.get()
            try:
                await self._deliver(delivery, connections)
            except Exception:
                # A lane that dies would silently stop a sixteenth of all webhooks.
                logger.exception("webhook %s could not be delivered", delivery.event_id)
                delivery.taken.set()
            finally:
                self._waiting -= 1  # one that is repeated has been counted again

    async def _deliver(
        self, delivery: Delivery, connections: dict[tuple[str, str, int], Connection]
    ) -> None:
        endpoint = self._store.get(delivery.endpoint_id, "webhook_endpoint")
        if endpoint is None or endpoint.shown["status"] != "enabled":
            self._settle(delivery)
            return
        payload = delivery.payload
        if payload is None:
            event = self._store.get(delivery.event_id, "event")
            if event is None:
                self._settle(delivery)
                return
            payload = orjson.dumps(in_version(event.shown, endpoint.shown["api_version"]))
        status = await self._post(endpoint.shown["url"], payload, _secrets(endpoint), connections)
        if 200 <= status < 300:
            self.delivered += 1
            event = self._store.get(delivery.event_id, "event")
            if event is not None and not delivery.copy and event.shown["pending_webhooks"]:
                event.shown["pending_webhooks"] -= 1
                if event.shown["pending_webhooks"] == 0:
                    self._store.changed(event)
            self._settle(delivery)
            return
        self.refused += 1
        delivery.attempt += 1
        delivery.payload = None
        delivery.taken.set()
        if delivery.copy or delivery.attempt >= self._attempts:
            self.given_up += not delivery.copy
            self._settle(delivery)
            return
        pause = min(self._retry_base_s * 2 ** (delivery.attempt - 1), _LONGEST_PAUSE_S)
        self._store.execute_later(
            UPSERT_DELIVERY,
            delivery.event_id,
            delivery.endpoint_id,
            delivery.attempt,
            time.time() + pause,
        )
        self._send_in(pause, delivery)
        await self._store.committed()

    def _settle(self, delivery: Delivery) -> None:
        delivery.taken.set()
        if not delivery.copy:
            self._store.execute_later(DELETE_DELIVERY, delivery.event_id, delivery.endpoint_id)
            self._store.commit_soon()

    async def _post(
        self,
        url: str,
        payload: bytes,
        secrets: Sequence[str],
        connections: dict[tuple[str, str, int], Connection],
    ) -> int:
        """The status, or 0 when there was no answer."""
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        where = (parts.scheme, parts.hostname or "", port)
        target = parts.path or "/"
        if parts.query:
            target += f"?{parts.query}"
        head = (
            f"POST {target} HTTP/1.1\r\n"
            f"Host: {parts.netloc.rpartition('@')[2]}\r\n"
            "User-Agent: Stripe/1.0 (+https://stripe.com/docs/webhooks)\r\n"
            "Accept: */*; q=0.5, application/xml\r\n"
            "Cache-Control: no-cache\r\n"
            "Content-Type: application/json; charset=utf-8\r\n"
            f"Content-Length: {len(payload)}\r\n"
            f"Stripe-Signature: {signature(payload, secrets, int(time.time()))}\r\n"
            "\r\n"
        ).encode()
        for kept_alive in (True, False):
            connection = connections.pop(where, None)
            if connection is None:
                kept_alive = False
            try:
                async with asyncio.timeout(_ANSWER_WITHIN_S):
                    if connection is None:
                        connection = await Connection.open(*where)
                    status, reusable = await connection.request(head + payload)
            except (OSError, EOFError, TimeoutError, ValueError) as error:
                if connection is not None:
                    connection.close()
                # An idle connection may have been closed by the other side meanwhile; a webhook
                # may arrive twice, so trying once more on a new one is always right.
                if kept_alive and not isinstance(error, TimeoutError):
                    continue
                return 0
            if reusable:
                connections[where] = connection
            else:
                connection.close()
            return status
        return 0
