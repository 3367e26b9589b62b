"""Stripe's objects, field by field, as the pinned API version shows them.

Pure functions from facts to dicts. A field that the sandbox does not simulate has the value that
Stripe shows for an account that does not use it.
"""

from tools.stripe_sandbox.objects.accounts import ACCOUNT_ID, account, balance
from tools.stripe_sandbox.objects.charges import charge
from tools.stripe_sandbox.objects.events import API_VERSION, event, in_version, webhook_endpoint
from tools.stripe_sandbox.objects.ids import new_id, new_secret
from tools.stripe_sandbox.objects.packing import packing_dictionary
from tools.stripe_sandbox.objects.payment_intents import payment_intent
from tools.stripe_sandbox.objects.payment_methods import TOKENS, payment_method, payment_method_id
from tools.stripe_sandbox.objects.refunds import refund

__all__ = [
    "ACCOUNT_ID",
    "API_VERSION",
    "TOKENS",
    "account",
    "balance",
    "charge",
    "event",
    "in_version",
    "new_id",
    "new_secret",
    "packing_dictionary",
    "payment_intent",
    "payment_method",
    "payment_method_id",
    "refund",
    "webhook_endpoint",
]
