"""Stripe's objects, field by field, as the pinned API version shows them.

Pure functions from facts to dicts. What the sandbox does not play out stands at the value that
Stripe shows for an account that does not use it.
"""

from __future__ import annotations

import hashlib
import random
import secrets
from typing import Any

import orjson

from apps.payments.sandbox.cards import CARDS, Card

API_VERSION = "2026-08-26.dahlia"
ACCOUNT_ID = "acct_1SandboxKettlePine"

_ids = random.Random(secrets.randbits(128))


def new_id(prefix: str) -> str:
    """An id that looks like Stripe's. Unique, not secret."""
    return f"{prefix}_3{_ids.getrandbits(92):023x}"


def new_secret(length: int = 24) -> str:
    return secrets.token_hex(length)[:length]


def payment_method_id(token: str) -> str:
    """Stripe makes a PaymentMethod of its own from a test token. Ours is the same every time."""
    return "pm_1" + hashlib.sha256(token.encode()).hexdigest()[:23]


TOKENS = {payment_method_id(token): token for token in CARDS} | {token: token for token in CARDS}


def payment_method(token: str) -> dict[str, Any]:
    card = CARDS[token]
    return {
        "id": payment_method_id(token),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": _billing_details(),
        "card": {
            "brand": card.brand,
            "checks": _checks(card),
            "country": card.country,
            "display_brand": card.brand,
            "exp_month": 8,
            "exp_year": 2034,
            "fingerprint": _fingerprint(card),
            "funding": card.funding,
            "generated_from": None,
            "last4": card.last4,
            "networks": {"available": [card.brand], "preferred": None},
            "regulated_status": "unregulated",
            "three_d_secure_usage": {"supported": card.three_d_secure_supported},
            "wallet": None,
        },
        "created": 1_750_000_000,
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": {},
        "type": "card",
    }


def payment_intent(
    *, id: str, created: int, amount: int, currency: str, capture_method: str, **given: Any
) -> dict[str, Any]:
    return {
        "id": id,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": given.get("automatic_payment_methods"),
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": capture_method,
        "client_secret": f"{id}_secret_{new_secret(25)}",
        "confirmation_method": given.get("confirmation_method", "automatic"),
        "created": created,
        "currency": currency,
        "customer": None,
        "customer_account": None,
        "description": given.get("description"),
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "managed_payments": {"enabled": False},
        "metadata": given.get("metadata", {}),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": given.get("payment_method"),
        "payment_method_configuration_details": None,
        "payment_method_options": {
            "card": {
                "installments": None,
                "mandate_options": None,
                "network": None,
                "request_three_d_secure": "automatic",
            }
        },
        "payment_method_types": given.get("payment_method_types", ["card"]),
        "processing": None,
        "receipt_email": given.get("receipt_email"),
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": given.get("statement_descriptor_suffix"),
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
    }


def charge(
    *,
    id: str,
    created: int,
    intent: dict[str, Any],
    token: str,
    captured: bool,
    authenticated: bool,
) -> dict[str, Any]:
    """The attempt on a card, approved or declined as the card is wont to."""
    card = CARDS[token]
    decline = card.decline
    amount = intent["amount"]
    paid = decline is None
    return {
        "id": id,
        "object": "charge",
        "amount": amount,
        "amount_captured": amount if paid and captured else 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": _billing_details(),
        "calculated_statement_descriptor": "SANDBOX" if paid else None,
        "captured": paid and captured,
        "created": created,
        "currency": intent["currency"],
        "customer": None,
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": decline.code if decline else None,
        "failure_message": decline.message if decline else None,
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(intent["metadata"]),
        "on_behalf_of": None,
        "outcome": _outcome(card),
        "paid": paid,
        "payment_intent": intent["id"],
        "payment_method": payment_method_id(token),
        "payment_method_details": {
            "card": {
                "amount_authorized": amount if paid else None,
                "authorization_code": "123456" if paid else None,
                "brand": card.brand,
                "checks": _checks(card),
                "country": card.country,
                "exp_month": 8,
                "exp_year": 2034,
                "extended_authorization": {"status": "disabled"},
                "fingerprint": _fingerprint(card),
                "funding": card.funding,
                "incremental_authorization": {"status": "unavailable"},
                "installments": None,
                "last4": card.last4,
                "mandate": None,
                "multicapture": {"status": "unavailable"},
                "network": card.brand,
                "network_token": {"used": False},
                "network_transaction_id": None,
                "overcapture": {"maximum_amount_capturable": amount, "status": "unavailable"},
                "regulated_status": "unregulated",
                "three_d_secure": _three_d_secure() if authenticated else None,
                "transaction_link_id": None,
                "wallet": None,
            },
            "type": "card",
        },
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "refunds": {
            "object": "list",
            "data": [],
            "has_more": False,
            "url": f"/v1/charges/{id}/refunds",
        },
        "review": None,
        "shipping": None,
        "source": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "status": "succeeded" if paid else "failed",
        "transfer_data": None,
        "transfer_group": None,
    }


def refund(
    *,
    id: str,
    created: int,
    charge: dict[str, Any],
    amount: int,
    status: str,
    reason: str | None,
    metadata: dict[str, str],
) -> dict[str, Any]:
    return {
        "id": id,
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": created,
        "currency": charge["currency"],
        "customer": None,
        "customer_account": None,
        "destination_details": {"card": {"type": "refund"}, "type": "card"},
        "metadata": metadata,
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": status,
        "transfer_reversal": None,
    }


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


def account() -> dict[str, Any]:
    return {
        "id": ACCOUNT_ID,
        "object": "account",
        "business_profile": {
            "mcc": None,
            "name": "Sandbox shop",
            "product_description": None,
            "support_address": None,
            "support_email": None,
            "support_phone": None,
            "support_url": None,
            "url": None,
        },
        "business_type": None,
        "capabilities": {"card_payments": "active", "transfers": "active"},
        "charges_enabled": True,
        "controller": {"type": "account"},
        "country": "US",
        "created": 1_750_000_000,
        "default_currency": "usd",
        "details_submitted": True,
        "email": "sandbox@example.com",
        "external_accounts": {
            "object": "list",
            "data": [],
            "has_more": False,
            "url": f"/v1/accounts/{ACCOUNT_ID}/external_accounts",
        },
        "metadata": {},
        "payouts_enabled": True,
        "settings": {
            "branding": {
                "icon": None,
                "logo": None,
                "primary_color": None,
                "secondary_color": None,
            },
            "dashboard": {"display_name": "Sandbox shop", "timezone": "Etc/UTC"},
        },
        "type": "standard",
    }


def balance(available: dict[str, int]) -> dict[str, Any]:
    funds = [
        {"amount": amount, "currency": currency, "source_types": {"card": amount}}
        for currency, amount in sorted(available.items())
    ]
    return {"object": "balance", "available": funds, "livemode": False, "pending": []}


def packing_dictionary() -> bytes:
    """Text that the packed objects have in common, for the store's compressor."""
    intent = payment_intent(
        id="pi_3AAAAAAAAAAAAAAAAAAAAAAA",
        created=1_790_000_000,
        amount=1999,
        currency="usd",
        capture_method="manual",
        payment_method=payment_method_id("pm_card_visa"),
    )
    attempt = charge(
        id="ch_3AAAAAAAAAAAAAAAAAAAAAAA",
        created=1_790_000_000,
        intent=intent,
        token="pm_card_visa",  # noqa: S106 — the name of a test card
        captured=False,
        authenticated=False,
    )
    told = event(
        id="evt_3AAAAAAAAAAAAAAAAAAAAAAA",
        created=1_790_000_000,
        type="payment_intent.amount_capturable_updated",
        object=intent | {"status": "requires_capture"},
        previous=None,
        request_id="req_AAAAAAAAAAAAAA",
        key="",
        pending=1,
    )
    return orjson.dumps([attempt, told])


def _billing_details() -> dict[str, Any]:
    return {
        "address": {
            "city": None,
            "country": None,
            "line1": None,
            "line2": None,
            "postal_code": None,
            "state": None,
        },
        "email": None,
        "name": None,
        "phone": None,
        "tax_id": None,
    }


def _checks(card: Card) -> dict[str, Any]:
    return {
        "address_line1_check": None,
        "address_postal_code_check": card.address_check,
        "cvc_check": card.cvc_check,
    }


def _fingerprint(card: Card) -> str:
    return hashlib.sha256(f"{card.brand}{card.last4}{card.country}".encode()).hexdigest()[:16]


def _outcome(card: Card) -> dict[str, Any]:
    decline = card.decline
    if decline is None:
        kind, network, seller = "authorized", "approved_by_network", "Payment complete."
    elif decline.blocked:
        kind, network, seller = "blocked", "not_sent_to_network", "Stripe blocked this payment."
    else:
        kind, network = "issuer_declined", "declined_by_network"
        seller = "The bank did not return any further details with this decline."
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": network,
        "reason": decline.reason if decline else None,
        "risk_level": card.risk_level,
        "risk_score": card.risk_score,
        "seller_message": seller,
        "type": kind,
    }


def _three_d_secure() -> dict[str, Any]:
    return {
        "authentication_flow": "challenge",
        "electronic_commerce_indicator": "05",
        "exemption_indicator": None,
        "result": "authenticated",
        "result_reason": None,
        "transaction_id": None,
        "version": "2.2.0",
    }
