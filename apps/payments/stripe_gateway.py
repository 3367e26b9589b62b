"""The `Gateway` protocol over Stripe's API.

Only this module, stripe_errors.py and stripe_http.py import `stripe`. The official library is used
unchanged: its client, its request encoding, its errors. Two of its public extension points are used
for speed, because every order makes two calls:

* `StripeClient(http_client=…)`, with the client of stripe_http.py.
* `StripeClient.raw_request`, which returns plain dicts instead of a tree of objects.

The library never retries here: a retry of its own could not be stored in a row of ours first. Its
telemetry is off.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import stripe
from django.conf import settings

from apps.payments.database_identity import why_readonly
from apps.payments.gateway_amounts import to_gateway
from apps.payments.gateway_answers import PAGE, Change, GatewayRefund, Intent
from apps.payments.gateway_errors import GatewayReadOnly, GatewayRefused
from apps.payments.order_details import NO_DETAILS, OrderDetails
from apps.payments.request_budget import RequestBudget, budget_from_settings
from apps.payments.stripe_errors import raise_named
from apps.payments.stripe_http import CurlClient, always_writable
from apps.payments.stripe_shapes import described, read_intent, read_refund

# Pinned: a newer library must not change the shape of what is read here.
API_VERSION = "2026-08-26.dahlia"

# How far Stripe's clock and ours may differ when a payment is searched by time.
_CLOCK_SLACK = timedelta(minutes=10)
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
    """`Gateway` over Stripe's API, or the sandbox's. Its calls are documented at the protocol.

    `api_host` is a URL like https://api.stripe.com. `proxy` and `budget` are those of CurlClient,
    `can_wait` is the budget of what can wait, `why_readonly` is that of CurlClient. Safe to share
    between threads.
    """

    def __init__(
        self,
        *,
        secret_key: str,
        api_host: str,
        connect_timeout_s: float = 2.0,
        read_timeout_s: float = 8.0,
        proxy: str = "",
        budget: RequestBudget | None = None,
        can_wait: RequestBudget | None = None,
        why_readonly: Callable[[], str] = always_writable,
    ) -> None:
        def client(budget: RequestBudget | None) -> stripe.StripeClient:
            return stripe.StripeClient(
                secret_key,
                stripe_version=API_VERSION,
                base_addresses={"api": api_host.rstrip("/")},
                max_network_retries=0,
                http_client=CurlClient(
                    connect_timeout_s=connect_timeout_s,
                    read_timeout_s=read_timeout_s,
                    proxy=proxy,
                    budget=budget,
                    why_readonly=why_readonly,
                ),
            )

        self._why_readonly = why_readonly
        self._client = client(budget)
        self._patient: StripeGateway | None = None
        if can_wait is not None:
            self._patient = copy.copy(self)
            self._patient._client = client(can_wait)

    def admit(self) -> StripeGateway:
        if why := self._why_readonly():
            raise GatewayReadOnly(f"Nothing may be changed at the gateway: {why}.")
        return self  # without a circuit breaker every call is sent

    def that_can_wait(self) -> StripeGateway:
        return self._patient or self

    def authorize(
        self,
        *,
        key: str,
        amount: int,
        currency: str,
        payment_method: str,
        metadata: Mapping[str, str],
        return_url: str,
        details: OrderDetails = NO_DETAILS,
    ) -> Intent:
        request = {
            "idempotency_key": key,
            "amount": to_gateway(amount, currency),
            "currency": currency.lower(),
            "payment_method": payment_method,
            "payment_method_types": ["card"],
            "capture_method": "manual",
            "confirm": True,
            "return_url": return_url,
            **described(details, metadata),
        }
        try:
            shown = self._call("post", "/v1/payment_intents", **request)
        except GatewayRefused as refused:
            # An address that Stripe does not take must not cost the shopper the order. Nothing was
            # executed or stored under the key: Stripe checks parameters before that.
            if not refused.param.startswith("shipping"):
                raise
            del request["shipping"]
            shown = self._call("post", "/v1/payment_intents", **request)
        return read_intent(shown)

    def capture(self, intent_id: str, *, key: str, amount: int, currency: str) -> Intent:
        return read_intent(
            self._call(
                "post",
                f"/v1/payment_intents/{intent_id}/capture",
                intent_id=intent_id,
                idempotency_key=key,
                amount_to_capture=to_gateway(amount, currency),
            )
        )

    def void(self, intent_id: str, *, key: str) -> Intent:
        return read_intent(
            self._call(
                "post",
                f"/v1/payment_intents/{intent_id}/cancel",
                intent_id=intent_id,
                idempotency_key=key,
            )
        )

    def refund(
        self,
        intent_id: str,
        *,
        key: str,
        amount: int,
        currency: str,
        metadata: Mapping[str, str],
    ) -> GatewayRefund:
        return read_refund(
            self._call(
                "post",
                "/v1/refunds",
                intent_id=intent_id,
                idempotency_key=key,
                payment_intent=intent_id,
                amount=to_gateway(amount, currency),
                metadata=dict(metadata),
            )
        )

    def retrieve(self, intent_id: str) -> Intent:
        return read_intent(
            self._call(
                "get",
                f"/v1/payment_intents/{intent_id}",
                intent_id=intent_id,
                expand=["latest_charge"],
            )
        )

    def card_of(self, payment_method: str) -> str:
        shown = self._call("get", f"/v1/payment_methods/{payment_method}")
        card = shown["card"] if shown["type"] == "card" else None
        return str(card["fingerprint"] or "") if card else ""

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

        Stripe's search is quick but up to a minute behind: a payment that it finds exists, and one
        that it does not find may exist as well. The list is always current.
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
            read_intent,
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
        return read_intent(shown)

    def read_refund(self, shown: Mapping[str, Any]) -> GatewayRefund:
        return read_refund(shown)

    def retrieve_refunds(self, intent_id: str) -> list[GatewayRefund]:
        refunds = list(
            self._pages(
                "/v1/refunds",
                intent_id=intent_id,
                payment_intent=intent_id,
                expand=["data.charge"],
            )
        )
        # What was authorized and not captured is released at capture or cancellation, and Stripe
        # records the release as a refund, always the first one. No money was sent back by it.
        if refunds:
            first = refunds[-1]
            released = first["charge"]["amount"] - first["charge"]["amount_captured"]
            if released and first["amount"] == released:
                refunds.pop()
        return [read_refund(refund) for refund in refunds]

    # --- Objects as they are: for the mirror of dj-stripe's tables --------------------------------

    def read(self, path: str, **params: Any) -> dict[str, Any]:
        """GET an object or a page, as Stripe shows it. Raises the failures of the gateway.

        `path` is that of Stripe's reference, such as "/v1/payment_intents"; `params` are its
        parameters, `expand` included.
        """
        return self._call("get", path, **params)

    # --- Webhook endpoints: used when the stack starts, not in the checkout -------------------

    def webhook_endpoints(self) -> list[dict[str, Any]]:
        """Every endpoint registered for our key, as Stripe returns it (without secrets)."""
        return list(self._pages("/v1/webhook_endpoints"))

    def create_webhook_endpoint(
        self, *, url: str, events: Sequence[str], metadata: Mapping[str, str]
    ) -> dict[str, Any]:
        """Register an endpoint. Only this response ever contains its `secret`."""
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
            raise_named(error, intent_id=intent_id)
        data: dict[str, Any] = answer.data
        return data


def stripe_gateway_from_settings(*, secret_key: str = "") -> StripeGateway:
    """A gateway for the key, the host and the time-outs of Django's settings.

    `secret_key`: another key in place of the setting's.
    """
    return StripeGateway(
        secret_key=secret_key or settings.STRIPE_SECRET_KEY,
        api_host=getattr(settings, "STRIPE_API_HOST", stripe.DEFAULT_API_BASE),
        connect_timeout_s=settings.GATEWAY_CONNECT_TIMEOUT.total_seconds(),
        read_timeout_s=settings.GATEWAY_READ_TIMEOUT.total_seconds(),
        proxy=settings.STRIPE_PROXY,
        budget=budget_from_settings(),
        can_wait=budget_from_settings(background=True),
        why_readonly=why_readonly,
    )


def bound_library_calls() -> None:
    """Set our time-outs, proxy and limits for the library's module-level functions.

    dj-stripe calls those, for the mirror, which can wait. The library's own time-out is 80 s.
    """
    if not isinstance(stripe.default_http_client, CurlClient):
        stripe.default_http_client = CurlClient(
            connect_timeout_s=settings.GATEWAY_CONNECT_TIMEOUT.total_seconds(),
            read_timeout_s=settings.GATEWAY_READ_TIMEOUT.total_seconds(),
            proxy=settings.STRIPE_PROXY,
            budget=budget_from_settings(background=True),
            why_readonly=why_readonly,
        )


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")
