"""The `/v1/` API: authenticate, decode, route, apply idempotency and faults, answer.

The processing of a mutating request, in order; the first that applies decides:

    1. wrong credentials, unknown route, too many requests, 401, 404, 429,
       a restricted key without the right                   403
    2. fault "before"                                       nothing executed, nothing stored
    3. key known with the same parameters                   the stored answer, replayed
       key known with others, or in flight                  400 idempotency_error, 409
    4. latency
    5. the operation, with its events and deliveries        one group commit with the
       the answer under the key, unless it never began      stored answer
    6. fault "after"                                        executed, and not answered
    7. webhooks are sent; the answer is sent
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson

from tools.stripe_sandbox import (
    balance,
    intents,
    objects,
    queries,
    refunds,
    webhook_endpoints,
)
from tools.stripe_sandbox.connections import cut
from tools.stripe_sandbox.faults import (
    Chosen,
    Fault,
    Faults,
    metadata_of_token,
)
from tools.stripe_sandbox.keys import KeyRights, authenticate
from tools.stripe_sandbox.protocol import ApiError, Call, decode
from tools.stripe_sandbox.rate_limits import RateLimits
from tools.stripe_sandbox.request_context import RequestContext, SandboxState
from tools.stripe_sandbox.store import UPSERT_ANSWER, Clock

logger = logging.getLogger("sandbox.api")

Operation = Callable[[RequestContext], dict[str, Any]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

OPERATIONS: dict[str, tuple[str, Operation]] = {
    "POST payment_intents": ("payment_intents.create", intents.create),
    "GET payment_intents": ("payment_intents.list", queries.lists("payment_intent")),
    "GET payment_intents/search": ("payment_intents.search", queries.search_intents),
    "GET payment_intents/:id": ("payment_intents.retrieve", queries.retrieve("payment_intent")),
    "POST payment_intents/:id": ("payment_intents.update", intents.update),
    "POST payment_intents/:id/confirm": ("payment_intents.confirm", intents.confirm),
    "POST payment_intents/:id/capture": ("payment_intents.capture", intents.capture),
    "POST payment_intents/:id/cancel": ("payment_intents.cancel", intents.cancel),
    "GET payment_methods/:id": ("payment_methods.retrieve", queries.retrieve_payment_method),
    "GET charges": ("charges.list", queries.lists("charge")),
    "GET charges/:id": ("charges.retrieve", queries.retrieve("charge")),
    "POST refunds": ("refunds.create", refunds.create),
    "GET refunds": ("refunds.list", queries.lists("refund")),
    "GET refunds/:id": ("refunds.retrieve", queries.retrieve("refund")),
    "GET events": ("events.list", queries.lists("event")),
    "GET events/:id": ("events.retrieve", queries.retrieve("event")),
    "POST webhook_endpoints": ("webhook_endpoints.create", webhook_endpoints.create),
    "GET webhook_endpoints": ("webhook_endpoints.list", queries.lists("webhook_endpoint")),
    "GET webhook_endpoints/:id": (
        "webhook_endpoints.retrieve",
        queries.retrieve("webhook_endpoint"),
    ),
    "POST webhook_endpoints/:id": ("webhook_endpoints.update", webhook_endpoints.update),
    "DELETE webhook_endpoints/:id": ("webhook_endpoints.delete", webhook_endpoints.delete),
    "GET balance_transactions/:id": ("balance_transactions.retrieve", balance.retrieve),
    "GET account": ("accounts.retrieve", queries.retrieve_account),
    "GET accounts/:id": ("accounts.retrieve", queries.retrieve_account),
    "GET balance": ("balance.retrieve", queries.retrieve_balance),
}

_HANG_S = 30.0
_WEBHOOKS_FIRST_S = 10.0
_LARGEST_BODY = 1_000_000


class Api:
    def __init__(
        self, state: SandboxState, faults: Faults, clock: Clock, *, latency_s: float
    ) -> None:
        self.state = state
        self.faults = faults
        self.clock = clock
        self.latency_s = latency_s
        self.rights = KeyRights()
        self.limits = RateLimits()
        self.requests = 0
        self._in_flight: set[str] = set()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        self.requests += 1
        body = await _read(receive)
        request_id = objects.new_id("req")
        headers = [
            (b"content-type", b"application/json"),
            (b"request-id", request_id.encode()),
            (b"stripe-version", objects.API_VERSION.encode()),
            (b"cache-control", b"no-cache, no-store"),
        ]
        try:
            call, operation = self._recognise(scope, body, request_id)
            if call.key:
                headers.append((b"idempotency-key", call.key.encode()))
            answer = await self._answer(call, operation, receive, headers)
            if answer is None:
                return
            status, content = answer
        except ApiError as error:
            status, content = error.status, error.body()
            headers += [(name.encode(), value.encode()) for name, value in error.headers.items()]
        headers.append((b"content-length", str(len(content)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    # -- one request -----------------------------------------------------------------------

    def _recognise(
        self, scope: MutableMapping[str, Any], body: bytes, request_id: str
    ) -> tuple[Call, Operation]:
        headers = {name: value for name, value in scope["headers"] if name in _READ_HEADERS}
        key_used = authenticate(headers.get(b"authorization", b"").decode("latin-1"))
        method, path = scope["method"], scope["path"]
        parts = path.removeprefix("/v1/").strip("/").split("/")
        route, id = f"{method} {'/'.join(parts)}", ""
        if route not in OPERATIONS and len(parts) > 1:
            id = parts[1]
            route = f"{method} {'/'.join([parts[0], ':id', *parts[2:]])}"
        if route not in OPERATIONS:
            raise ApiError(
                404,
                f"Unrecognized request URL ({method}: {path}). The sandbox does not simulate it.",
            )
        name, operation = OPERATIONS[route]
        self.limits.check(name)
        self.rights.check(key_used, name, method)
        encoded = body if method == "POST" else scope.get("query_string", b"")
        if method == "POST" and body:
            kind = headers.get(b"content-type", b"").partition(b";")[0]
            if kind != b"application/x-www-form-urlencoded":
                raise ApiError(400, "Invalid request: send form-encoded parameters.")
        parameters = decode(encoded) if encoded else {}
        expand = parameters.pop("expand", ())
        key = headers.get(b"idempotency-key")
        if key is not None and len(key) > 255:
            raise ApiError(
                400,
                "The idempotency key is too long: at most 255 characters.",
                type="idempotency_error",
            )
        host = headers.get(b"host", b"127.0.0.1").decode("latin-1")
        call = Call(
            operation=name,
            method=method,
            path=path,
            id=id,
            params=parameters,
            request_id=request_id,
            key=key.decode("latin-1") if key and method == "POST" else None,
            base_url=f"{scope.get('scheme', 'http')}://{host}",
            client=scope.get("client"),
            expand=tuple(expand) if isinstance(expand, list) else (),
        )
        return call, operation

    async def _answer(
        self,
        call: Call,
        operation: Operation,
        receive: Receive,
        headers: list[tuple[bytes, bytes]],
    ) -> tuple[int, bytes] | None:
        chosen = self.faults.choose(call, self._metadata(call))
        if chosen.before is not None and not await self._fail_before(call, chosen, receive):
            return None
        if call.method == "GET":
            if chosen.latency_s:
                await asyncio.sleep(chosen.latency_s)
            context = RequestContext(self.state, call)
            status, content, _ = self._execute(context, operation)
        else:
            status, content = await self._mutate(call, operation, chosen, headers)
        if chosen.after in (Fault.TIMEOUT_AFTER, Fault.RESET_AFTER):
            await self._drop(call, receive, hang=chosen.after is Fault.TIMEOUT_AFTER)
            return None
        return status, content

    async def _mutate(
        self,
        call: Call,
        operation: Operation,
        chosen: Chosen,
        headers: list[tuple[bytes, bytes]],
    ) -> tuple[int, bytes]:
        fingerprint = b""
        if call.key is not None:
            fingerprint = _fingerprint(call)
            replayed = self._replay(call.key, call, fingerprint)
            if replayed is not None:
                status, original, content = replayed
                headers.append((b"idempotent-replayed", b"true"))
                headers.append((b"original-request", original.encode()))
                return status, content
            self._in_flight.add(call.key)
        try:
            if latency_s := self.latency_s + chosen.latency_s:
                await asyncio.sleep(latency_s)
            context = RequestContext(self.state, call)
            status, content, stored = self._execute(context, operation)
            if chosen.after is Fault.ERROR_500_AFTER:
                status, content, stored = 500, _unknown_error().body(), True
            if call.key is not None and stored:
                self.state.store.execute_later(
                    UPSERT_ANSWER,
                    call.key,
                    call.path,
                    fingerprint,
                    status,
                    call.request_id,
                    self.clock.now(),
                    self.state.store.pack(content),
                )
            context.record_deliveries(chosen.webhooks)
            await self.state.store.committed()
        finally:
            if call.key is not None:
                self._in_flight.discard(call.key)
        deliveries = context.dispatch(chosen.webhooks)
        if Fault.WEBHOOK_BEFORE_ANSWER in chosen.webhooks and deliveries:
            await asyncio.wait(
                [asyncio.ensure_future(delivery.taken.wait()) for delivery in deliveries],
                timeout=_WEBHOOKS_FIRST_S,
            )
        return status, content

    def _execute(self, context: RequestContext, operation: Operation) -> tuple[int, bytes, bool]:
        """Status, body, and whether the idempotency layer keeps it."""
        try:
            shown = operation(context)
            if context.call.expand:
                shown = queries.expand(context, shown, context.call.expand)
            return 200, orjson.dumps(shown), True
        except ApiError as error:
            return error.status, error.body(), error.stored
        except Exception:
            logger.error("operation %s failed:\n%s", context.call.operation, traceback.format_exc())
            return 500, _unknown_error().body(), True

    def _replay(self, key: str, call: Call, fingerprint: bytes) -> tuple[int, str, bytes] | None:
        if key in self._in_flight:
            raise ApiError(
                409,
                "There is currently another in-progress request using this Idempotent Key (that "
                "probably means you submitted twice, and the other request is still going "
                f"through): {key}. You can try again later.",
                type="idempotency_error",
                code="idempotency_key_in_use",
            )
        known = self.state.store.answer(key)
        if known is None:
            return None
        path, print_, status, original, stored_at, content = known
        if self.clock.now() - stored_at > self.clock.key_age_s:
            return None
        if path != call.path:
            raise ApiError(
                400,
                "Keys for idempotent requests can only be used for the same endpoint they were "
                f"first used for ('{call.path}' vs '{path}'). Try using a key other than '{key}' "
                "if you meant to execute a different request.",
                type="idempotency_error",
            )
        if print_ != fingerprint:
            raise ApiError(
                400,
                "Keys for idempotent requests can only be used with the same parameters they were "
                f"first used with. Try using a key other than '{key}' if you meant to execute a "
                "different request.",
                type="idempotency_error",
            )
        return status, original, content

    # -- faults ----------------------------------------------------------------------------

    def _metadata(self, call: Call) -> dict[str, str]:
        """The metadata by which faults are chosen: the payment's, under the request's own.

        A token that stands for faults adds its own, as long as the payment lives.
        """
        of_token = metadata_of_token(call.params.get("payment_method"))
        if call.operation == "payment_intents.create":
            given = call.params.get("metadata")
            return of_token | (given if isinstance(given, dict) else {})
        if not self.faults.rules and call.method == "GET":
            return {}
        intent_id: str | None = call.id
        own: dict[str, str] = {}
        if call.operation == "refunds.create":
            given = call.params.get("metadata")
            own = given if isinstance(given, dict) else {}
            intent_id = call.params.get("payment_intent")
            charge = self.state.store.get(str(call.params.get("charge")), "charge")
            if charge is not None:
                intent_id = charge.parent
        intent = self.state.store.get(str(intent_id), "payment_intent") if intent_id else None
        if intent is None:
            return own
        return intent.kept.get("faults", {}) | of_token | intent.shown["metadata"] | own

    async def _fail_before(self, call: Call, chosen: Chosen, receive: Receive) -> bool:
        """False when the connection was cut; raises the error answers."""
        match chosen.before:
            case Fault.TIMEOUT_BEFORE:
                await self._drop(call, receive, hang=True)
            case Fault.RESET_BEFORE | Fault.OUTAGE:
                await self._drop(call, receive, hang=False)
            case Fault.CONFLICT_409:
                raise ApiError(
                    409,
                    "This object cannot be accessed right now because another API request or "
                    "Stripe process is currently accessing it.",
                    code="lock_timeout",
                )
            case Fault.RATE_LIMIT_429:
                raise ApiError(
                    429,
                    "Request rate limit exceeded.",
                    code="rate_limit",
                    headers={"retry-after": "1"},
                )
            case _:
                raise _unknown_error()
        return False

    async def _drop(self, call: Call, receive: Receive, *, hang: bool) -> None:
        if hang:
            # The client's own timeout ends the wait; ours is for clients that have none.
            try:
                async with asyncio.timeout(_HANG_S):
                    while (await receive())["type"] != "http.disconnect":
                        pass
            except TimeoutError:
                pass
        cut(call.client)


_READ_HEADERS = frozenset((b"authorization", b"content-type", b"idempotency-key", b"host"))


def _fingerprint(call: Call) -> bytes:
    canonical = orjson.dumps([call.path, call.params, call.expand], option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(canonical, digest_size=16).digest()


def _unknown_error() -> ApiError:
    return ApiError(500, "An unknown error occurred", type="api_error")


async def _read(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return body
        part: bytes = message.get("body", b"")
        body += part
        if not message.get("more_body", False) or len(body) > _LARGEST_BODY:
            return body
