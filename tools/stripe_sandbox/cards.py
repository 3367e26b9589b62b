"""Stripe's documented test PaymentMethods and what each of them does.

https://docs.stripe.com/testing lists them; nothing here is a card number, and the sandbox
accepts none. A token stands for a behaviour: approve, decline in a certain way, ask for 3-D
Secure first, or fail a refund later. Tokens of our own, `pm_sandbox_…`, are pm_card_visa with
faults (faults.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

RefundFate = Literal["succeeded", "pending", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decline:
    """How a charge is declined: Stripe's `code`, the issuer's `decline_code`, the message."""

    code: str
    decline_code: str | None
    message: str
    reason: str | None = None
    blocked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A test card. `authenticate`: 3-D Secure is required before the charge is tried."""

    brand: str
    last4: str
    funding: str = "credit"
    country: str = "US"
    decline: Decline | None = None
    authenticate: bool = False
    authentication_error: bool = False
    refund_fate: RefundFate = "succeeded"
    risk_level: str = "normal"
    risk_score: int = 20
    cvc_check: str = "pass"
    address_check: str | None = None
    three_d_secure_supported: bool = True


def _declined(decline_code: str, message: str = "Your card was declined.") -> Decline:
    return Decline(
        code="card_declined", decline_code=decline_code, message=message, reason=decline_code
    )


GENERIC = _declined("generic_decline")
INSUFFICIENT_FUNDS = _declined("insufficient_funds", "Your card has insufficient funds.")
LOST = _declined("lost_card")
STOLEN = _declined("stolen_card")
VELOCITY = _declined(
    "card_velocity_exceeded",
    "Your card was declined for making repeated attempts too frequently or exceeding its "
    "amount limit.",
)
FRAUDULENT = Decline(
    code="card_declined",
    decline_code="fraudulent",
    message="Your card was declined.",
    reason="highest_risk_level",
    blocked=True,
)
EXPIRED = Decline(
    code="expired_card", decline_code=None, message="Your card has expired.", reason="expired_card"
)
INCORRECT_CVC = Decline(
    code="incorrect_cvc",
    decline_code=None,
    message="Your card's security code is incorrect.",
    reason="incorrect_cvc",
)
PROCESSING_ERROR = Decline(
    code="processing_error",
    decline_code=None,
    message="An error occurred while processing your card. Try again in a little bit.",
    reason="processing_error",
)

_VISA = Card(brand="visa", last4="4242")
_MASTERCARD = Card(brand="mastercard", last4="4444")

CARDS: dict[str, Card] = {
    "pm_card_visa": _VISA,
    "pm_card_visa_debit": Card(brand="visa", last4="5556", funding="debit"),
    "pm_card_mastercard": _MASTERCARD,
    "pm_card_mastercard_debit": Card(brand="mastercard", last4="8210", funding="debit"),
    "pm_card_mastercard_prepaid": Card(brand="mastercard", last4="5100", funding="prepaid"),
    "pm_card_amex": Card(brand="amex", last4="8431", three_d_secure_supported=False),
    "pm_card_discover": Card(brand="discover", last4="1117"),
    "pm_card_diners": Card(brand="diners", last4="0004"),
    "pm_card_jcb": Card(brand="jcb", last4="0505"),
    "pm_card_unionpay": Card(brand="unionpay", last4="0005"),
    # declines
    "pm_card_chargeDeclined": replace(_VISA, last4="0002", decline=GENERIC),
    "pm_card_visa_chargeDeclined": replace(_VISA, last4="0002", decline=GENERIC),
    "pm_card_chargeDeclinedInsufficientFunds": replace(
        _VISA, last4="9995", decline=INSUFFICIENT_FUNDS
    ),
    "pm_card_visa_chargeDeclinedInsufficientFunds": replace(
        _VISA, last4="9995", decline=INSUFFICIENT_FUNDS
    ),
    "pm_card_visa_chargeDeclinedLostCard": replace(_VISA, last4="9987", decline=LOST),
    "pm_card_visa_chargeDeclinedStolenCard": replace(_VISA, last4="9979", decline=STOLEN),
    "pm_card_visa_chargeDeclinedVelocityLimitExceeded": replace(
        _VISA, last4="6975", decline=VELOCITY
    ),
    "pm_card_chargeDeclinedExpiredCard": replace(_VISA, last4="0069", decline=EXPIRED),
    "pm_card_chargeDeclinedIncorrectCvc": replace(
        _VISA, last4="0127", decline=INCORRECT_CVC, cvc_check="fail"
    ),
    "pm_card_chargeDeclinedProcessingError": replace(_VISA, last4="0119", decline=PROCESSING_ERROR),
    "pm_card_chargeDeclinedFraudulent": replace(_VISA, last4="0019", decline=FRAUDULENT),
    "pm_card_radarBlock": replace(
        _VISA, last4="0019", decline=FRAUDULENT, risk_level="highest", risk_score=99
    ),
    "pm_card_chargeCustomerFail": replace(_VISA, last4="0341", decline=GENERIC),
    # risk and checks
    "pm_card_riskLevelHighest": replace(
        _VISA, last4="4954", decline=FRAUDULENT, risk_level="highest", risk_score=99
    ),
    "pm_card_riskLevelElevated": replace(_VISA, last4="9235", risk_level="elevated", risk_score=65),
    "pm_card_cvcCheckFail": replace(_VISA, last4="0101", cvc_check="fail"),
    "pm_card_avsZipFail": replace(_VISA, last4="0036", address_check="fail"),
    # 3-D Secure
    "pm_card_threeDSecureRequired": replace(_VISA, last4="3063", authenticate=True),
    "pm_card_threeDSecure2Required": replace(_VISA, last4="3220", authenticate=True),
    "pm_card_threeDSecureRequiredChargeDeclined": replace(
        _VISA, last4="1629", authenticate=True, decline=GENERIC
    ),
    "pm_card_threeDSecureRequiredProcessingError": replace(
        _VISA, last4="1280", authenticate=True, authentication_error=True
    ),
    "pm_card_threeDSecureOptional": replace(_VISA, last4="3055"),
    "pm_card_threeDSecureOptionalProcessingError": replace(_VISA, last4="3097"),
    "pm_card_amex_threeDSecureNotSupported": Card(
        brand="amex", last4="0005", three_d_secure_supported=False
    ),
    "pm_card_authenticationRequired": replace(_VISA, last4="3184", authenticate=True),
    "pm_card_authenticationRequiredOnSetup": replace(_VISA, last4="3155", authenticate=True),
    "pm_card_authenticationRequiredSetupForOffSession": replace(
        _VISA, last4="0446", authenticate=True
    ),
    "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds": replace(
        _VISA, last4="3178", authenticate=True, decline=INSUFFICIENT_FUNDS
    ),
    # refunds and balance
    "pm_card_pendingRefund": replace(_VISA, last4="7726", refund_fate="pending"),
    "pm_card_refundFail": replace(_VISA, last4="5126", refund_fate="failed"),
    "pm_card_bypassPending": replace(_VISA, last4="0077"),
    "pm_card_createDispute": replace(_VISA, last4="0259"),
} | {
    # by country of the issuer
    f"pm_card_{country}": replace(_VISA, country=country.upper(), last4=last4)
    for country, last4 in {
        "us": "4242",
        "ar": "0021",
        "br": "0002",
        "ca": "0000",
        "mx": "8001",
        "at": "0008",
        "be": "0004",
        "dk": "0001",
        "fi": "0001",
        "fr": "0003",
        "de": "0008",
        "ie": "0005",
        "it": "0008",
        "lu": "0006",
        "nl": "0002",
        "no": "0000",
        "pl": "0000",
        "pt": "0001",
        "es": "0007",
        "se": "0008",
        "ch": "0009",
        "gb": "0000",
        "au": "0006",
        "cn": "0002",
        "hk": "0004",
        "in": "0008",
        "jp": "0003",
        "nz": "0008",
        "sg": "0003",
    }.items()
}
