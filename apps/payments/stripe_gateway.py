"""The gateway, played by Stripe. Beside stripe_http.py the only module that imports `stripe`.

Uses the official library unchanged: its client, its request encoding, its errors. Two of its
public extension points are taken for speed, because every order passes here twice:

* `StripeClient(http_client=…)`, with the client of stripe_http.py.
* `StripeClient.raw_request`, which answers plain dicts instead of the library's object tree.

The library never retries here: a retry it made on its own could not be written down first. Its
telemetry is off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import stripe
from django.conf import settings

from apps.payments.gateway import (
    PAGE,
    Change,
    GatewayBusy,
    GatewayMisconfigured,
    GatewayOutcomeUnknown,
    GatewayRefund,
    GatewayRefused,
    GatewayUnreachable,
    Intent,
    IntentStatus,
    PaymentDeclined,
)
from apps.payments.stripe_http import CurlClient, NotSent

API_VERSION = "2026-08-26.dahlia"
"""Pinned: a newer library must not change the shape of what we read."""

_CLOCK_SLACK = timedelta(minutes=10)
"""How far the gateway's clock and ours may stand apart when a payment is searched by time."""
_CLOSING = ("payment_intent.canceled", "charge.refunded")
_CHANGES = (
    *_CLOSING,
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.closed",
)

stripe.enable_telemetry = False


class StripeGateway:
    """`apps.payments.gateway.Gateway` over Stripe's API, or the sandbox's."""

    def __init__(
        self,
        *,
        secret_key: str,
        api_host: str,
        connect_timeout_s: float = 2.0,
        read_timeout_s: float = 8.0,
    ) -> None:
        self._client = stripe.StripeClient(
            secret_key,
            stripe_version=API_VERSION,
            base_addresses={"api": api_host.rstrip("/")},
            max_network_retries=0,
            http_client=CurlClient(
                connect_timeout_s=connect_timeout_s, read_timeout_s=read_timeout_s
            ),
        )

    def let_through(self) -> StripeGateway:
        return self  # nobody is turned away here

    def authorize(
        self,
        *,
        key: str,
        amount: int,
        currency: str,
        payment_method: str,
        metadata: Mapping[str, str],
        return_url: str,
    ) -> Intent:
        return _intent(
            self._call(
                "post",
                "/v1/payment_intents",
                idempotency_key=key,
                amount=amount,
                currency=currency.lower(),
                payment_method=payment_method,
                payment_method_types=["card"],
                capture_method="manual",
                confirm=True,
                metadata=dict(metadata),
                return_url=return_url,
            )
        )

    def capture(self, intent_id: str, *, key: str, amount: int) -> Intent:
        return _intent(
            self._call(
                "post",
                f"/v1/payment_intents/{intent_id}/capture",
                intent_id=intent_id,
                idempotency_key=key,
                amount_to_capture=amount,
            )
        )

    def void(self, intent_id: str, *, key: str) -> Intent:
        return _intent(
            self._call(
                "post",
                f"/v1/payment_intents/{intent_id}/cancel",
                intent_id=intent_id,
                idempotency_key=key,
            )
        )

    def refund(
        self, intent_id: str, *, key: str, amount: int, metadata: Mapping[str, str]
    ) -> GatewayRefund:
        return _refund(
            self._call(
                "post",
                "/v1/refunds",
                intent_id=intent_id,
                idempotency_key=key,
                payment_intent=intent_id,
                amount=amount,
                metadata=dict(metadata),
            )
        )

    def retrieve(self, intent_id: str) -> Intent:
        return _intent(
            self._call(
                "get",
                f"/v1/payment_intents/{intent_id}",
                intent_id=intent_id,
                expand=["latest_charge"],
            )
        )

    def search(self, *, payment_id: str) -> Intent | None:
        found = self._call(
            "get",
            "/v1/payment_intents/search",
            query=f"metadata['payment_id']:'{_quoted(payment_id)}'",
            limit=1,
        )["data"]
        return self.retrieve(found[0]["id"]) if found else None

    def find(
        self, *, payment_id: str, created_after: datetime, created_before: datetime | None = None
    ) -> Intent | None:
        """Search first, then list.

        Stripe's search is quick but lags behind by up to a minute, so its "yes" counts and its
        "no" does not; the list is always current.
        """
        found = self.search(payment_id=payment_id)
        if found is not None:
            return found
        until = created_before + _CLOCK_SLACK if created_before else None
        for intent in self.list_intents(
            created_after=created_after - _CLOCK_SLACK, created_before=until
        ):
            if intent.payment_id == payment_id:
                return intent
        return None

    def list_intents(
        self,
        *,
        created_after: datetime,
        created_before: datetime | None = None,
        behind: str | None = None,
    ) -> Iterator[Intent]:
        created = {"gte": int(created_after.timestamp())}
        if created_before is not None:
            created["lte"] = int(created_before.timestamp())
        yield from map(
            _intent,
            self._pages(
                "/v1/payment_intents",
                behind=behind,
                created=created,
                expand=["data.latest_charge"],
            ),
        )

    def list_changes(self, *, since: datetime, behind: str | None = None) -> Iterator[Change]:
        events = self._pages(
            "/v1/events",
            behind=behind,
            types=list(_CHANGES),
            created={"gte": int(since.timestamp())},
        )
        for event in events:
            shown = event["data"]["object"]
            its_own = shown["object"] == "payment_intent"
            intent_id = shown["id"] if its_own else shown["payment_intent"]
            if intent_id:  # other systems of the account may charge without a PaymentIntent
                yield Change(id=event["id"], intent_id=intent_id, closes=event["type"] in _CLOSING)

    def read_intent(self, shown: Mapping[str, Any]) -> Intent:
        return _intent(shown)

    def read_refund(self, shown: Mapping[str, Any]) -> GatewayRefund:
        return _refund(shown)

    def retrieve_refunds(self, intent_id: str) -> list[GatewayRefund]:
        refunds = list(
            self._pages(
                "/v1/refunds",
                intent_id=intent_id,
                payment_intent=intent_id,
                expand=["data.charge"],
            )
        )
        # What was authorized and never captured is released at capture or cancellation, and
        # Stripe books the release as a refund: always the first one. No money came back by it.
        if refunds:
            first = refunds[-1]
            released = first["charge"]["amount"] - first["charge"]["amount_captured"]
            if released and first["amount"] == released:
                refunds.pop()
        return [_refund(refund) for refund in refunds]

    # -- who is told about changes: for the preparation of a start, not for the checkout ------

    def webhook_endpoints(self) -> list[dict[str, Any]]:
        """Every endpoint registered for our key, as Stripe shows it (without secrets)."""
        return list(self._pages("/v1/webhook_endpoints"))

    def create_webhook_endpoint(
        self, *, url: str, events: Sequence[str], metadata: Mapping[str, str]
    ) -> dict[str, Any]:
        """Register an endpoint. Only this answer ever carries its `secret`."""
        return self._call(
            "post",
            "/v1/webhook_endpoints",
            url=url,
            enabled_events=list(events),
            metadata=dict(metadata),
            api_version=API_VERSION,
        )

    def update_webhook_endpoint(self, endpoint_id: str, *, events: Sequence[str]) -> dict[str, Any]:
        return self._call(
            "post",
            f"/v1/webhook_endpoints/{endpoint_id}",
            enabled_events=list(events),
            disabled=False,
        )

    def delete_webhook_endpoint(self, endpoint_id: str) -> None:
        self._call("delete", f"/v1/webhook_endpoints/{endpoint_id}")

    def _pages(
        self,
        path: str,
        *,
        intent_id: str | None = None,
        behind: str | None = None,
        **params: Any,
    ) -> Iterator[dict[str, Any]]:
        cursor: dict[str, str] = {"starting_after": behind} if behind else {}
        while True:
            page = self._call("get", path, intent_id=intent_id, limit=PAGE, **params, **cursor)
            yield from page["data"]
            if not page["has_more"] or not page["data"]:
                return
            cursor = {"starting_after": page["data"][-1]["id"]}

    def _call(
        self, method: str, path: str, *, intent_id: str | None = None, **params: Any
    ) -> dict[str, Any]:
        try:
            answer = self._client.raw_request(method, path, **params)
        except stripe.StripeError as error:
            _raise_named(error, intent_id=intent_id)
        data: dict[str, Any] = answer.data
        return data


def stripe_gateway_from_settings() -> StripeGateway:
    return StripeGateway(
        secret_key=settings.STRIPE_SECRET_KEY,
        api_host=getattr(settings, "STRIPE_API_HOST", stripe.DEFAULT_API_BASE),
        connect_timeout_s=settings.GATEWAY_CONNECT_TIMEOUT.total_seconds(),
        read_timeout_s=settings.GATEWAY_READ_TIMEOUT.total_seconds(),
    )


def bound_library_calls() -> None:
    """Our time-outs for the library's module-level functions, which dj-stripe calls: not 80 s."""
    if not isinstance(stripe.default_http_client, CurlClient):
        stripe.default_http_client = CurlClient(
            connect_timeout_s=settings.GATEWAY_CONNECT_TIMEOUT.total_seconds(),
            read_timeout_s=settings.GATEWAY_READ_TIMEOUT.total_seconds(),
        )


def _raise_named(error: stripe.StripeError, *, intent_id: str | None) -> NoReturn:
    """Stripe's failures by what they mean for money. The order of the cases matters."""
    status = error.http_status or 0
    headers = error.headers or {}
    request_id = error.request_id
    message = error.user_message or type(error).__name__
    if isinstance(error, NotSent):
        raise GatewayUnreachable(message) from error
    if isinstance(error, stripe.APIConnectionError):
        raise GatewayOutcomeUnknown(message) from error
    body = error.json_body if isinstance(error.json_body, dict) else {}
    detail: dict[str, Any] = body.get("error") or {}
    shown = detail.get("payment_intent")
    code = detail.get("code") or detail.get("type") or "invalid_request"
    if isinstance(error, stripe.CardError):
        raise PaymentDeclined(
            message,
            code=code,
            decline_code=detail.get("decline_code"),
            intent_id=shown["id"] if shown else intent_id,
            request_id=request_id,
        ) from error
    if status in (409, 429) or code in ("lock_timeout", "rate_limit"):
        raise GatewayBusy(
            message, retry_after=_seconds(headers.get("retry-after")), request_id=request_id
        ) from error
    if isinstance(error, (stripe.AuthenticationError, stripe.PermissionError)):
        raise GatewayMisconfigured(message, request_id=request_id) from error
    if 400 <= status < 500:
        raise GatewayRefused(
            message,
            code=code,
            intent_id=shown["id"] if shown else intent_id,
            intent=_intent(shown) if shown else None,
            request_id=request_id,
        ) from error
    # 5xx, and answers that are not Stripe's at all (a proxy's page): it may have executed.
    raise GatewayOutcomeUnknown(
        message,
        replayed=headers.get("idempotent-replayed") == "true",
        request_id=request_id,
    ) from error


def _intent(shown: Mapping[str, Any]) -> Intent:
    metadata = shown["metadata"] or {}
    failure = shown["last_payment_error"] or {}
    return Intent(
        id=shown["id"],
        status=IntentStatus(shown["status"]),
        amount=shown["amount"],
        amount_capturable=shown["amount_capturable"],
        amount_received=shown["amount_received"],
        amount_refunded=_refunded(shown["latest_charge"]),
        currency=shown["currency"].upper(),
        payment_id=metadata.get("payment_id"),
        order_id=metadata.get("order_id"),
        shop=metadata.get("shop"),
        next_action_url=_next_action_url(shown["next_action"]),
        decline_code=failure.get("decline_code") or failure.get("code"),
        message=failure.get("message"),
        disputed=_disputed(shown["latest_charge"]),
        created_at=datetime.fromtimestamp(shown["created"], UTC),
    )


def _refunded(charge: str | Mapping[str, Any] | None) -> int:
    """What went back of captured money, without what was merely released (0 unexpanded)."""
    if charge is None or isinstance(charge, str):
        return 0
    released: int = charge["amount"] - charge["amount_captured"]
    refunded: int = charge["amount_refunded"] - released
    return max(0, refunded)


def _disputed(charge: str | Mapping[str, Any] | None) -> bool:
    return isinstance(charge, Mapping) and bool(charge["disputed"])


def _next_action_url(action: Mapping[str, Any] | None) -> str | None:
    if action is None:
        return None
    if action["type"] == "redirect_to_url":
        url: str = action["redirect_to_url"]["url"]
        return url
    return None


def _refund(shown: Mapping[str, Any]) -> GatewayRefund:
    return GatewayRefund(
        id=shown["id"],
        intent_id=shown["payment_intent"],
        amount=shown["amount"],
        status=shown["status"],
        metadata=dict(shown["metadata"] or {}),
    )


def _seconds(value: str | None) -> float | None:
    try:
        return float(value) if value else None
    except ValueError:
        return None


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")
