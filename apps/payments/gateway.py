"""The payment gateway as the rest of the shop imports it, and `get_gateway()`.

    gateway_protocol.py   the calls
    gateway_answers.py    what they return
    gateway_errors.py     how they fail, and what to do about it

Everything in the shop talks to the card processor through the `Gateway` protocol; only
`stripe_gateway.py` and its parts know that it is Stripe.
"""

import os
import threading

from apps.payments.breaker import BreakerGateway
from apps.payments.gateway_answers import PAGE, Change, GatewayRefund, Intent, IntentStatus
from apps.payments.gateway_errors import (
    NO_SUCH_OBJECT,
    GatewayBusy,
    GatewayCircuitOpen,
    GatewayError,
    GatewayMisconfigured,
    GatewayOutcomeUnknown,
    GatewayReadOnly,
    GatewayRefused,
    GatewayThrottled,
    GatewayTransient,
    GatewayUnreachable,
    PaymentDeclined,
)
from apps.payments.gateway_protocol import Gateway
from apps.payments.stripe_gateway import stripe_gateway_from_settings

__all__ = [
    "NO_SUCH_OBJECT",
    "PAGE",
    "Change",
    "Gateway",
    "GatewayBusy",
    "GatewayCircuitOpen",
    "GatewayError",
    "GatewayMisconfigured",
    "GatewayOutcomeUnknown",
    "GatewayReadOnly",
    "GatewayRefund",
    "GatewayRefused",
    "GatewayThrottled",
    "GatewayTransient",
    "GatewayUnreachable",
    "Intent",
    "IntentStatus",
    "PaymentDeclined",
    "get_gateway",
]

_lock = threading.Lock()
_gateway: Gateway | None = None


def get_gateway() -> Gateway:
    """The gateway of this process behind its circuit breaker, made at the first call.

    Made late on purpose: a worker forks after importing this module, and two processes that write
    on one inherited connection would read each other's answers. And to make the client loads most
    of Stripe's library, which takes a large part of a second; most web processes never need it.
    """
    global _gateway
    if _gateway is None:
        with _lock:
            if _gateway is None:
                _gateway = BreakerGateway(stripe_gateway_from_settings())
    return _gateway


def _forget_after_fork() -> None:
    global _gateway, _lock
    _gateway = None
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forget_after_fork)
