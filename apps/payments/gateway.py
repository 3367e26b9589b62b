"""The payment gateway as the shop sees it: its verbs, their answers, and how they can fail.

Everything in the shop talks to the card processor through the `Gateway` protocol; only
`stripe_gateway.py` knows that it is Stripe. Amounts are integer minor units, currencies are
three upper-case letters, times are aware UTC datetimes.

Every mutating verb takes a `key` from a row of ours, written before the call. Calling again with
the same key and the same arguments never moves money twice, for at least 24 hours.

How a call can fail, and what the caller does about it:

    PaymentDeclined        the issuer said no. Final for this attempt; nothing was charged.
    GatewayRefused         the request is wrong in this state. Repeating it cannot help; look at
                           `intent`, it often shows that the wanted state is already reached.
    GatewayTransient       repeat later with the *same* key. Its kinds:
      GatewayUnreachable     certainly never sent
        GatewayCircuitOpen     nor tried: the circuit breaker keeps calls back (breaker.py)
      GatewayBusy            answered, certainly not executed (429, 409)
      GatewayMisconfigured   our credentials are refused: not executed, a person must act
      GatewayOutcomeUnknown  may have executed. See below.

Resolving `GatewayOutcomeUnknown`, in this order, never by a new charge:

    1. repeat with the same key (the gateway answers what it answered then);
    2. when that says `replayed=True` the key is bound to a stored 500 and will repeat it for
       ever: `retrieve` the intent, or `find` it by our payment id when its id was never heard;
    3. `find` answering None is a "no" only once the first call can no longer be running at the
       gateway, so ask again after the read timeout has passed before you believe it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

PAGE = 100  # payments or changes that the gateway lists at a time
NO_SUCH_OBJECT = "resource_missing"  # the code of a GatewayRefused


class IntentStatus(StrEnum):
    """Where a payment stands at the gateway (Stripe's PaymentIntent statuses, all of them)."""

    REQUIRES_PAYMENT_METHOD = "requires_payment_method"
    REQUIRES_CONFIRMATION = "requires_confirmation"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    REQUIRES_CAPTURE = "requires_capture"
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One payment at the gateway.

    `amount_refunded` and `disputed` are only current from `retrieve`, `find`, `search` and
    `list_intents`; the answers of mutating verbs may be replays of what was true when they first
    ran. `decline_code` and `message` tell why the last attempt failed, if one did. `shop` is the
    mark of the shop that made it; None when it carries none.
    """

    id: str
    status: IntentStatus
    amount: int
    amount_capturable: int
    amount_received: int
    amount_refunded: int
    currency: str
    payment_id: str | None
    order_id: str | None
    shop: str | None
    next_action_url: str | None
    decline_code: str | None
    message: str | None
    disputed: bool
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayRefund:
    """Money on its way back. `status`: pending, requires_action, succeeded, failed, canceled."""

    id: str
    intent_id: str | None
    amount: int
    status: str
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something out of the ordinary that happened to a payment: given back, called off, disputed.

    `closes` is True when it ends a payment (a cancellation, a refund), as most of ours do.
    """

    id: str
    intent_id: str
    closes: bool


class GatewayError(Exception):
    """Any failure of a gateway call. `request_id` is what the gateway's support asks for."""

    def __init__(self, message: str, *, request_id: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.request_id = request_id


class PaymentDeclined(GatewayError):
    """The issuer said no. `code` is the kind, `decline_code` the issuer's reason if given.

    `message` is written by the gateway for the card holder. `intent_id` stays behind at the
    gateway without a charge; cancelling it is tidy, not necessary.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        decline_code: str | None,
        intent_id: str | None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, request_id=request_id)
        self.code = code
        self.decline_code = decline_code
        self.intent_id = intent_id


class GatewayRefused(GatewayError):
    """The request is invalid, or wrong in the payment's present state. Permanent.

    `intent` is the payment as the gateway showed it with the refusal, when it did.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        intent_id: str | None = None,
        intent: Intent | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, request_id=request_id)
        self.code = code
        self.intent_id = intent_id
        self.intent = intent


class GatewayTransient(GatewayError):
    """May heal by itself: repeat later, with the same key."""


class GatewayUnreachable(GatewayTransient):
    """No connection was made: the request certainly never left."""


class GatewayCircuitOpen(GatewayUnreachable):
    """Turned away, not even tried: the gateway has not been answering, and is left alone."""


class GatewayBusy(GatewayTransient):
    """Turned away before executing: rate limit, lock timeout, or this key is in flight.

    `retry_after` is in seconds when the gateway named a time.
    """

    def __init__(
        self, message: str, *, retry_after: float | None = None, request_id: str | None = None
    ) -> None:
        super().__init__(message, request_id=request_id)
        self.retry_after = retry_after


class GatewayMisconfigured(GatewayTransient):
    """Our credentials or permissions were refused (401, 403). Nothing was executed.

    Transient on purpose: a wrong key is the shop's fault, and orders must wait for the person
    who mends it rather than be cancelled one after the other.
    """


class GatewayOutcomeUnknown(GatewayTransient):
    """Sent, and no usable answer: it may or may not have executed.

    `replayed` is True when the gateway repeated a stored failure for this key: then the key
    cannot tell any more, and only `retrieve` or `find` can.
    """

    def __init__(
        self, message: str, *, replayed: bool = False, request_id: str | None = None
    ) -> None:
        super().__init__(message, request_id=request_id)
        self.replayed = replayed


class Gateway(Protocol):
    """What the shop asks of a card processor. Safe to share between threads."""

    def let_through(self) -> Gateway:
        """This gateway for one question, which may take several calls: none is turned away.

        Raises GatewayCircuitOpen, before anything was written down or sent for the question.
        """

    def authorize(
        self,
        *,
        key: str,
        amount: int,
        currency: str,
        payment_method: str,
        metadata: Mapping[str, str],
        return_url: str,
    ) -> Intent:
        """Reserve money on a card; `capture` takes it later.

        `metadata` carries `payment_id` and `order_id`, by which `find` knows the payment again, and
        the mark of this `shop`: others may use the same account.
        Answers REQUIRES_CAPTURE, REQUIRES_ACTION (send the shopper to `next_action_url`; the
        gateway sends them back to `return_url`) or PROCESSING.
        """

    def capture(self, intent_id: str, *, key: str, amount: int) -> Intent:
        """Take authorized money. Less than authorized releases the rest for good."""

    def void(self, intent_id: str, *, key: str) -> Intent:
        """Give up a payment that was not captured and release what was reserved."""

    def refund(
        self, intent_id: str, *, key: str, amount: int, metadata: Mapping[str, str]
    ) -> GatewayRefund:
        """Send captured money back. Refuses more than what is left of the capture."""

    def retrieve(self, intent_id: str) -> Intent:
        """The payment as it stands now."""

    def search(self, *, payment_id: str) -> Intent | None:
        """The payment that carries our `payment_id`, quickly: only a "yes" is certain."""

    def find(
        self, *, payment_id: str, created_after: datetime, created_before: datetime | None = None
    ) -> Intent | None:
        """The payment that carries our `payment_id`, or None when the gateway has none.

        `created_after` is when we first tried. `created_before`, when the attempts are known
        to have ended, keeps the search short.
        """

    def list_intents(
        self,
        *,
        created_after: datetime,
        created_before: datetime | None = None,
        behind: str | None = None,
    ) -> Iterator[Intent]:
        """Every payment created in the span, newest first, bounds included to the second.

        Asked for in pages of `PAGE`, as they are needed. `behind` is the id of a payment of an
        earlier answer: the list goes on with the one that follows it.
        """

    def list_changes(self, *, since: datetime, behind: str | None = None) -> Iterator[Change]:
        """What happened out of the ordinary, newest first; kept by the gateway for 30 days.

        `behind` is the id of a change of an earlier answer.
        """

    def retrieve_refunds(self, intent_id: str) -> list[GatewayRefund]:
        """Every refund of a payment, newest first."""

    def read_intent(self, shown: Mapping[str, Any]) -> Intent:
        """A payment as a webhook carries it. Asks nobody; raises KeyError or ValueError."""

    def read_refund(self, shown: Mapping[str, Any]) -> GatewayRefund:
        """A refund as a webhook carries it. Asks nobody; raises KeyError or ValueError."""


_lock = threading.Lock()
_gateway: Gateway | None = None


def get_gateway() -> Gateway:
    """The gateway of this process behind its circuit breaker, made at the first call.

    Made late on purpose: a worker forks after importing us, and two processes writing on one
    inherited connection would read each other's answers.
    """
    global _gateway
    if _gateway is None:
        with _lock:
            if _gateway is None:
                # Imported here because the client library takes a large part of a second to
                # load, and most web processes never call the gateway.
                from apps.payments.breaker import BreakerGateway
                from apps.payments.stripe_gateway import stripe_gateway_from_settings

                _gateway = BreakerGateway(stripe_gateway_from_settings())
    return _gateway


def _forget_after_fork() -> None:
    global _gateway, _lock
    _gateway = None
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forget_after_fork)
