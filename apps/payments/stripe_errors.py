"""Stripe's errors, translated to what they mean for money (gateway_errors.py)."""

from typing import Any, NoReturn

import stripe

from apps.payments.gateway_errors import (
    GatewayBusy,
    GatewayMisconfigured,
    GatewayOutcomeUnknown,
    GatewayReadOnly,
    GatewayRefused,
    GatewayThrottled,
    GatewayUnreachable,
    PaymentDeclined,
)
from apps.payments.stripe_http import NotSent, ReadOnly, Throttled
from apps.payments.stripe_shapes import read_intent


def raise_named(error: stripe.StripeError, *, intent_id: str | None) -> NoReturn:
    """Raise the GatewayError that `error` means; the order of the cases matters.

    `intent_id` is the payment that was called for, if its id is known.
    """
    status = error.http_status or 0
    headers = error.headers or {}
    request_id = error.request_id
    message = error.user_message or type(error).__name__
    if isinstance(error, Throttled):
        raise GatewayThrottled(message, retry_after=error.retry_after) from error
    if isinstance(error, ReadOnly):
        raise GatewayReadOnly(message) from error
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
            intent=read_intent(shown) if shown else None,
            param=detail.get("param") or "",
            request_id=request_id,
        ) from error
    # 5xx, or an answer that is not Stripe's (a proxy's page): it may have executed.
    raise GatewayOutcomeUnknown(
        message,
        replayed=headers.get("idempotent-replayed") == "true",
        request_id=request_id,
    ) from error


def _seconds(value: str | None) -> float | None:
    try:
        return float(value) if value else None
    except ValueError:
        return None
