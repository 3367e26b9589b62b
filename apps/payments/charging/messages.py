"""What goes to the gateway and what comes back, for one payment."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from apps.payments.facts import PaymentFact, fact_from
from apps.payments.gateway import (
    Gateway,
    GatewayError,
    GatewayOutcomeUnknown,
    GatewayRefund,
    Intent,
)
from apps.payments.models import Payment

AUTHORIZE = "authorize"
LOOK = "look"
CAPTURE = "capture"
VOID_OR_REFUND = "void or refund"
REFUND = "refund"
ENDED = (Payment.Status.VOIDED, Payment.Status.REFUNDED)  # nothing is reserved or kept


class GatewayKeySpent(GatewayOutcomeUnknown):
    """This key repeats its failure for ever, and the gateway shows nothing made under it."""

    def __init__(self, failure: GatewayError, *, key: str) -> None:
        super().__init__(failure.message, replayed=True, request_id=failure.request_id)
        self.key = key


@dataclass(frozen=True, slots=True)
class GatewayResult:
    """The outcome of one request.

    `facts` go to our books. `refund` is the id of one of our refunds and how it ended.
    `transient` is a reason to try again; `refused` is the gateway's final refusal; `broken` is an
    error of ours; `contradiction` says, in words for staff, why what the gateway has cannot be this
    payment's; each is empty when it does not apply. `spent`: no payment, capture or refund will
    ever be made under `key`. `turned_away`: the gateway was not asked, because the circuit is open
    or its limit of requests is used up; such a result is transient too. `duration_ms` is the time
    of the call in milliseconds.
    """

    payment_id: UUID
    order_id: UUID
    purpose: str
    facts: tuple[PaymentFact, ...] = ()
    refund: tuple[UUID, GatewayRefund] | None = None
    transient: str = ""
    refused: str = ""
    broken: str = ""
    contradiction: str = ""
    key: str = ""
    spent: bool = False
    refund_id: UUID | None = None
    turned_away: bool = False
    duration_ms: int = 0


Call = Callable[[Gateway, Payment], GatewayResult]
"""One call of the gateway. It touches no database; it raises what the gateway raises."""


@dataclass(frozen=True, slots=True)
class GatewayRequest:
    """One payment and the call to make for it.

    `gateway` has admitted the request. It is None when the circuit breaker turned the request away
    (then `turned_away` says why) and when the result is known without asking.

    `first`: requests about earlier attempts of the same order. This one is sent only after each of
    them has brought its payment to nothing; else it fails as the first of them did.
    """

    payment: Payment
    purpose: str
    call: Call
    gateway: Gateway | None = None
    turned_away: str = ""
    first: tuple["GatewayRequest", ...] = ()


def result_of_intent(
    payment: Payment, purpose: str, intent: Intent, *, key: str = ""
) -> GatewayResult:
    """What `intent` tells about `payment`. Raises Contradiction when the two do not fit."""
    return result_of_facts(payment, purpose, fact_from(payment, intent), key=key)


def result_of_facts(
    payment: Payment, purpose: str, *facts: PaymentFact, key: str = ""
) -> GatewayResult:
    """A result that carries only `facts`."""
    return GatewayResult(payment.pk, payment.order_id, purpose, facts=facts, key=key)


def named(error: Exception) -> str:
    """The error as one line for the log of calls: its class and its message."""
    return f"{type(error).__name__}: {error}"
