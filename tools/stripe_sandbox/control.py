"""`/_sandbox/`: control endpoints for tests, audits and developers. Loopback only.

Not part of Stripe's API. A request must come from this machine, address it by a loopback name
(a web page elsewhere could otherwise reach it by DNS rebinding), and not have come
through a proxy. Changes need a JSON content type, which no cross-site form can send.
"""

from __future__ import annotations

import ipaddress
import time
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tools.stripe_sandbox import dashboard
from tools.stripe_sandbox.api import Api
from tools.stripe_sandbox.faults import rule_from
from tools.stripe_sandbox.protocol import ApiError
from tools.stripe_sandbox.store import Record

_PAGE = 10_000


class Control:
    def __init__(self, api: Api) -> None:
        self._api = api

    def routes(self) -> list[Route]:
        return [
            Route("/_sandbox/health", self._guarded(self.health)),
            Route("/_sandbox/state", self._guarded(self.state)),
            Route("/_sandbox/faults", self._guarded(self.show_faults), methods=["GET"]),
            Route("/_sandbox/faults", self._guarded(self.set_faults), methods=["POST"]),
            Route("/_sandbox/clock", self._guarded(self.clock), methods=["POST"]),
            Route("/_sandbox/keys", self._guarded(self.set_keys), methods=["POST"]),
            Route("/_sandbox/limits", self._guarded(self.show_limits), methods=["GET"]),
            Route("/_sandbox/limits", self._guarded(self.set_limits), methods=["POST"]),
            Route("/_sandbox/dashboard", self._guarded(self.dashboard), methods=["POST"]),
            Route("/_sandbox/reset", self._guarded(self.reset), methods=["POST"]),
        ]

    async def health(self, request: Request) -> Response:
        return _json({"ok": True})

    async def state(self, request: Request) -> Response:
        """Intents oldest first. `?after=<next of the page before>` reads on, `?limit=` per page."""
        state = self._api.state
        after = int(request.query_params.get("after", 0))
        limit = min(int(request.query_params.get("limit", _PAGE)), _PAGE)
        records = state.store.oldest("payment_intent", after_seq=after, limit=limit)
        sender = state.sender
        return _json(
            {
                "now": time.time(),
                "latency_ms": self._api.latency_s * 1000,
                "requests": self._api.requests,
                "counts": state.store.counts(),
                "webhooks": {
                    "waiting": sender.waiting(),
                    "delivered": sender.delivered,
                    "refused": sender.refused,
                    "given_up": sender.given_up,
                },
                "intents": [self._intent(record) for record in records],
                "next": records[-1].seq if len(records) == limit else None,
            }
        )

    def _intent(self, record: Record) -> dict[str, Any]:
        shown = record.shown
        charge = self._api.state.store.get(shown["latest_charge"] or "", "charge")
        released = refunded = 0
        if charge is not None and charge.shown["paid"]:
            if shown["status"] in ("succeeded", "canceled"):
                released = max(0, charge.shown["amount"] - charge.shown["amount_captured"])
            refunded = charge.shown["amount_refunded"] - released
        return {
            "id": record.id,
            "status": shown["status"],
            "amount": shown["amount"],
            "amount_capturable": shown["amount_capturable"],
            "amount_received": shown["amount_received"],
            "amount_refunded": refunded,
            "currency": shown["currency"],
            "latest_charge": shown["latest_charge"],
            "created": shown["created"],
            "metadata": shown["metadata"],
        }

    async def show_faults(self, request: Request) -> Response:
        return _json({"rules": [rule.shown() for rule in self._api.faults.rules]})

    async def set_faults(self, request: Request) -> Response:
        """Replace all rules: `{"rules": [{"fault": …}], "seed": 7, "latency_ms": 0}`."""
        wanted = await _body(request)
        rules = [rule_from(rule) for rule in wanted.get("rules", [])]
        if "latency_ms" in wanted:
            self._api.latency_s = max(0.0, float(wanted["latency_ms"])) / 1000
        self._api.faults.replace(rules, seed=wanted.get("seed"))
        return await self.show_faults(request)

    async def set_keys(self, request: Request) -> Response:
        """The rights of all restricted keys: `{"rk_test_…": {"payment_intents": "write"}}`."""
        self._api.rights.replace(await _body(request))
        return _json({"ok": True})

    async def show_limits(self, request: Request) -> Response:
        return _json(self._api.limits.shown())

    async def set_limits(self, request: Request) -> Response:
        """`{"endpoint_per_s": 25, "total_per_s": 100, "retry_after_s": 2}`; `{}` ends them."""
        self._api.limits.replace(await _body(request))
        return await self.show_limits(request)

    async def clock(self, request: Request) -> Response:
        """`{"advance_s": 86400}` ages idempotency keys; `{"key_age_s": …}` sets their life."""
        wanted = await _body(request)
        clock = self._api.clock
        clock.ahead_s += float(wanted.get("advance_s", 0))
        clock.key_age_s = float(wanted.get("key_age_s", clock.key_age_s))
        forgotten = self._api.state.store.forget_answers(
            stored_before=clock.now() - clock.key_age_s
        )
        return _json(
            {"ahead_s": clock.ahead_s, "key_age_s": clock.key_age_s, "forgotten": forgotten}
        )

    async def dashboard(self, request: Request) -> Response:
        """A person at Stripe's dashboard, or a bank: see dashboard.py."""
        try:
            return _json(await dashboard.act(self._api, await _body(request)))
        except ApiError as error:
            return _json({"error": str(error)}, status=error.status)

    async def reset(self, request: Request) -> Response:
        """Forget everything but the webhook endpoints; those too with `{"endpoints": true}`."""
        wanted = await _body(request)
        state = self._api.state
        state.sender.forget()
        state.store.reset(keep_kinds=() if wanted.get("endpoints") else ("webhook_endpoint",))
        state.endpoints_changed()
        self._api.faults.replace([], seed=None)
        self._api.rights.replace({})
        self._api.limits.replace({})
        return _json({"ok": True})

    def _guarded(self, handler: Any) -> Any:
        async def guarded(request: Request) -> Response:
            if not _from_this_machine(request):
                return _json({"error": "control endpoints answer on loopback only"}, status=403)
            try:
                return await handler(request)  # type: ignore[no-any-return]
            except (ValueError, TypeError) as error:
                return _json({"error": str(error)}, status=400)

        return guarded


def _from_this_machine(request: Request) -> bool:
    host = (request.url.hostname or "").strip("[]")
    client = request.client.host if request.client else ""
    if any(name in request.headers for name in ("forwarded", "x-forwarded-for", "x-real-ip")):
        return False
    return (host == "localhost" or _loopback(host)) and _loopback(client)


def _loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


async def _body(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise ValueError("send application/json")
    try:
        wanted = orjson.loads(await request.body() or b"{}")
    except orjson.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}") from error
    if not isinstance(wanted, dict):
        raise ValueError("send a JSON object")
    return wanted


def _json(content: Any, *, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status_code=status, media_type="application/json")
