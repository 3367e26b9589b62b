"""How a call of the payment gateway can fail, and what its caller does about it.

    PaymentDeclined        the issuer declined. Final for this attempt; nothing was charged.
    GatewayRefused         the request is wrong in this state. Repeating it cannot help; look at
                           `intent`, which often shows that the wanted state is reached already.
    GatewayTransient       repeat later with the *same* key. Its kinds:
      GatewayUnreachable     certainly not sent
        GatewayCircuitOpen     not tried either: the circuit breaker is open (breaker.py)
          GatewayReadOnly        this shop may not move money now (database_identity.py)
      GatewayBusy            answered, certainly not executed (429, 409)
        GatewayThrottled       not sent: we keep to the gateway's limits (request_budget.py)
      GatewayMisconfigured   our credentials are refused: not executed, staff must act
      GatewayOutcomeUnknown  may have executed. See below.

How to resolve `GatewayOutcomeUnknown`, in this order, never by a new charge:

    1. repeat with the same key (the gateway answers what it answered then);
    2. if that says `replayed=True`, the key is bound to a stored 500 and will repeat it for ever:
       `retrieve` the payment, or `find` it by our payment id if its id was never received;
    3. None from `find` means "no such payment" only when the first call can no longer be running
       at the gateway: ask again after the read time-out has passed before you rely on it.
"""

from __future__ import annotations

from apps.payments.gateway_answers import Intent

NO_SUCH_OBJECT = "resource_missing"  # the code of a GatewayRefused


class GatewayError(Exception):
    """Any failure of a gateway call. `request_id` identifies the call to the gateway's support."""

    def __init__(self, message: str, *, request_id: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.request_id = request_id


class PaymentDeclined(GatewayError):
    """The issuer declined. `code` is the kind, `decline_code` the issuer's reason if it gave one.

    `message` is written by the gateway for the card holder. The payment `intent_id` stays at the
    gateway without a charge; it may be cancelled but need not be.
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

    `intent` is the payment as it is now, when the gateway included it in the refusal. `param` names
    the parameter that is wrong, if the gateway did.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        intent_id: str | None = None,
        intent: Intent | None = None,
        param: str = "",
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, request_id=request_id)
        self.code = code
        self.intent_id = intent_id
        self.intent = intent
        self.param = param


class GatewayTransient(GatewayError):
    """May pass by itself: repeat later, with the same key."""


class GatewayUnreachable(GatewayTransient):
    """No connection was made: the request was certainly not sent."""


class GatewayCircuitOpen(GatewayUnreachable):
    """Not sent: the circuit breaker is open, because the gateway has not been answering."""


class GatewayReadOnly(GatewayCircuitOpen):
    """Not sent: towards the gateway this shop only reads now."""


class GatewayBusy(GatewayTransient):
    """Rejected before executing: rate limit, lock timeout, or this key is in flight.

    `retry_after` is in seconds when the gateway named a time.
    """

    def __init__(
        self, message: str, *, retry_after: float | None = None, request_id: str | None = None
    ) -> None:
        super().__init__(message, request_id=request_id)
        self.retry_after = retry_after


class GatewayThrottled(GatewayBusy):
    """Not sent: it would be more requests a second than the gateway takes."""


class GatewayMisconfigured(GatewayTransient):
    """Our credentials or permissions were refused (401, 403). Nothing was executed.

    Transient on purpose: a wrong key is the shop's fault, and orders must wait until staff
    correct it rather than be cancelled one after the other.
    """


class GatewayOutcomeUnknown(GatewayTransient):
    """Sent, and no usable answer: it may or may not have executed.

    `replayed`: the gateway repeated a stored failure for this key. The key will never give
    another answer then; only `retrieve` or `find` can tell what happened.
    """

    def __init__(
        self, message: str, *, replayed: bool = False, request_id: str | None = None
    ) -> None:
        super().__init__(message, request_id=request_id)
        self.replayed = replayed
