"""Calls of the gateway, many payments at a time, and what they change in our books.

    requests = charging.authorizations(order_ids)      reads our rows; writes ahead what is asked
    results = charging.ask(requests)                   no transaction is open, no row is locked
    payments = charging.record(results, order_ids=…)   inside the saga's transaction

A process may die between any two of these lines without harm: the idempotency key of each request
comes from our own row, so that the same request gets the same answer, and what was not asked is
not recorded.

    requests.py        which calls are to be made, for each of the three purposes
    authorization.py   a PaymentIntent with manual capture: create it, find it, look at it
    capture.py         take the authorized money
    void_or_refund.py  bring a payment to a net of zero
    asking.py          send many requests at once; turn each failure into a GatewayResult
    recording.py       write results to our books, replace spent keys, log the calls
    messages.py        GatewayRequest and GatewayResult

Whether a request may be sent is decided when it is made, not when it is sent (circuit.py): one that
the circuit breaker turns away is neither written ahead nor logged, because the gateway was not
asked.

An unknown outcome is resolved by the same key, then by a look at the gateway's payments, never by a
new charge. A key that repeats a stored failure for ever, and under which the gateway has nothing,
is replaced by a new one (`recording.exchange_spent_keys`), so that the order can go on.
"""

from apps.payments.charging.asking import ask
from apps.payments.charging.authorization import our_mark
from apps.payments.charging.messages import GatewayKeySpent, GatewayRequest, GatewayResult
from apps.payments.charging.recording import record, unsettled
from apps.payments.charging.requests import authorizations, captures, voids_and_refunds

__all__ = [
    "GatewayKeySpent",
    "GatewayRequest",
    "GatewayResult",
    "ask",
    "authorizations",
    "captures",
    "our_mark",
    "record",
    "unsettled",
    "voids_and_refunds",
]
