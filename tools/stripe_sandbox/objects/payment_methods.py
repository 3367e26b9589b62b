"""PaymentMethods, which stand for the test cards."""

from __future__ import annotations

import hashlib
from typing import Any

from tools.stripe_sandbox.cards import CARDS, Card


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
        "billing_details": billing_details(),
        "card": {
            "brand": card.brand,
            "checks": checks(card),
            "country": card.country,
            "display_brand": card.brand,
            "exp_month": 8,
            "exp_year": 2034,
            "fingerprint": fingerprint(card),
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


def billing_details() -> dict[str, Any]:
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


def checks(card: Card) -> dict[str, Any]:
    return {
        "address_line1_check": None,
        "address_postal_code_check": card.address_check,
        "cvc_check": card.cvc_check,
    }


def fingerprint(card: Card) -> str:
    return hashlib.sha256(f"{card.brand}{card.last4}{card.country}".encode()).hexdigest()[:16]
