"""Stripe's JSON objects, translated to the shop's own types (gateway_answers.py), and back.

The objects come from the API and from webhooks, in the version that stripe_gateway.py pins.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from apps.payments.gateway_amounts import from_gateway
from apps.payments.gateway_answers import GatewayRefund, Intent, IntentStatus
from apps.payments.order_details import OrderDetails


def read_intent(shown: Mapping[str, Any]) -> Intent:
    """A PaymentIntent. Raises KeyError or ValueError for anything else."""
    metadata = shown["metadata"] or {}
    failure = shown["last_payment_error"] or {}
    currency = shown["currency"].upper()
    return Intent(
        id=shown["id"],
        status=IntentStatus(shown["status"]),
        amount=from_gateway(shown["amount"], currency),
        amount_capturable=from_gateway(shown["amount_capturable"], currency),
        amount_received=from_gateway(shown["amount_received"], currency),
        amount_refunded=from_gateway(_refunded(shown["latest_charge"]), currency),
        currency=currency,
        payment_id=metadata.get("payment_id"),
        order_id=metadata.get("order_id"),
        shop=metadata.get("shop"),
        next_action_url=_next_action_url(shown["next_action"]),
        decline_code=failure.get("decline_code") or failure.get("code"),
        message=failure.get("message"),
        disputed=_disputed(shown["latest_charge"]),
        created_at=datetime.fromtimestamp(shown["created"], UTC),
        payment_method=_id_of(shown["payment_method"]),
    )


def _id_of(named: str | Mapping[str, Any] | None) -> str | None:
    return named["id"] if isinstance(named, Mapping) else named


def _refunded(charge: str | Mapping[str, Any] | None) -> int:
    """What was refunded of captured money, without released authorization (0 if not expanded)."""
    if charge is None or isinstance(charge, str):
        return 0
    # More may be captured than was authorized; then nothing was released.
    released: int = max(0, charge["amount"] - charge["amount_captured"])
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


def read_refund(shown: Mapping[str, Any]) -> GatewayRefund:
    """A Refund. Raises KeyError for anything else."""
    return GatewayRefund(
        id=shown["id"],
        intent_id=shown["payment_intent"],
        amount=from_gateway(shown["amount"], shown["currency"].upper()),
        status=shown["status"],
        metadata=dict(shown["metadata"] or {}),
        failure=(shown.get("failure_reason") or "").replace("_", " "),
    )


def described(details: OrderDetails, metadata: Mapping[str, str]) -> dict[str, Any]:
    """The parameters of a PaymentIntent that say what it is for. Empty ones are left out.

    The e-mail address is metadata and not `receipt_email`: with that Stripe would mail a receipt
    beside the shop's own. Radar's rules read metadata (`::email::`), and staff see it in a dispute.
    """
    told = {
        "order": details.number,
        "email": details.email,
        "billing_name": details.billing_name,
    }
    found: dict[str, Any] = {
        "metadata": {**metadata, **{name: text for name, text in told.items() if text}}
    }
    if details.number:
        found["description"] = f"Order {details.number}"
    if details.shipping:
        found["shipping"] = _shipping(details.shipping)
    return found


def _shipping(address: Mapping[str, str]) -> dict[str, Any]:
    fields = ("line1", "line2", "city", "postal_code", "country")
    shown = {name: address[name] for name in fields if address.get(name)}
    if address.get("region"):
        shown["state"] = address["region"]
    found: dict[str, Any] = {"name": address["name"], "address": shown}
    if address.get("phone"):
        found["phone"] = address["phone"]
    return found
