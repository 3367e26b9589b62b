"""Charges: one attempt on a card, approved or declined."""

from __future__ import annotations

from typing import Any

from tools.stripe_sandbox.cards import CARDS, Card
from tools.stripe_sandbox.objects.payment_methods import (
    billing_details,
    checks,
    fingerprint,
    payment_method_id,
)


def charge(
    *,
    id: str,
    created: int,
    intent: dict[str, Any],
    token: str,
    captured: bool,
    authenticated: bool,
) -> dict[str, Any]:
    """A charge with the outcome that the test card `token` stands for."""
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
        "billing_details": billing_details(),
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
                "checks": checks(card),
                "country": card.country,
                "exp_month": 8,
                "exp_year": 2034,
                "extended_authorization": {"status": "disabled"},
                "fingerprint": fingerprint(card),
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
        "shipping": intent["shipping"],
        "source": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "status": "succeeded" if paid else "failed",
        "transfer_data": None,
        "transfer_group": None,
    }


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
