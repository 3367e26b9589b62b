"""With which cards an order can be paid: Stripe's form, or in the sandbox a list of choices.

The choices are Stripe's documented test tokens, https://docs.stripe.com/testing. The digits are the
last four of the cards that the tokens stand for; no number is ever typed here, so the checkout
works without scripts.
"""

from dataclasses import dataclass

from django.conf import settings


@dataclass(frozen=True, slots=True)
class TestCard:
    """A token, its label, and what a payment with it does."""

    token: str
    label: str
    outcome: str
    digits: str


CARDS = (
    TestCard("pm_card_visa", "Visa", "Goes through.", "…4242"),
    TestCard("pm_card_mastercard", "Mastercard", "Goes through, too.", "…4444"),
    TestCard(
        "pm_card_threeDSecure2Required",
        "Visa with 3-D Secure",
        "Your bank asks first; you approve or refuse.",
        "…3220",
    ),
    TestCard("pm_card_visa_chargeDeclined", "Visa, declined", "The bank says no.", "…0002"),
    TestCard(
        "pm_card_visa_chargeDeclinedInsufficientFunds",
        "Visa, no funds",
        "The bank says: not this month.",
        "…9995",
    ),
)


def stripe_key() -> str:
    """Stripe's public key; empty where the sandbox stands in for Stripe."""
    return "" if settings.USES_SANDBOX else settings.STRIPE_PUBLIC_KEY
