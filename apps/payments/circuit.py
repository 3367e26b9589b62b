"""The circuit breaker: while the gateway does not answer, no process calls it.

    closed      calls are sent; FAILURES_TO_OPEN failures in a row open the circuit
    open        calls fail at once with GatewayCircuitOpen, for OPEN_FOR
    half-open   TRIALS calls are sent, by all processes together; the others still fail at once.
                The first answer closes the circuit, the first failure opens it again

It protects the shop from itself: without it each batch of the saga waits for the time-outs again
and again, and all of them call at once when the gateway comes back. It promises nothing about
money: a call that it refuses was certainly not sent, and is made later under the same key. A caller
that stores in a row what it is going to send asks for admission first (`admit`).

A failure is silence: no connection, a time-out, a 5xx. Everything else is an answer, also a
decline, a refusal, a rate limit, a 401, a stored 500 that is replayed (ADR 0018).
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from apps.payments.circuit_state import CLOSED, HALF_OPEN, OPEN, SharedState
from apps.payments.gateway_errors import (
    GatewayCircuitOpen,
    GatewayError,
    GatewayOutcomeUnknown,
    GatewayReadOnly,
    GatewayThrottled,
    GatewayUnreachable,
)

# A gateway that loses one call in ten for a while must not stop the shop: ten in a row then come
# about once in ten thousand million calls. In an outage under load ten come at once.
FAILURES_TO_OPEN = 10


class Circuit:
    """Admits calls and counts their outcomes. Safe between threads.

    No lock is held during a call: with one, 128 calls of 50 ms took 6.4 s (ADR 0018).
    """

    def __init__(self) -> None:
        self._shared = SharedState()
        # Held while an outcome is counted and while Redis is told of a change, so that the others
        # learn of the changes in the order in which they happened.
        self._lock = threading.Lock()
        self._failures = 0
        self._counted_in = 0  # the era

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Around one call of the gateway. Raises GatewayCircuitOpen instead of sending it."""
        with self._counting_outcome(self._admit()):
            yield

    def admit(self) -> "AdmittedRequest":
        """Admission for one request of ours. Raises GatewayCircuitOpen."""
        return AdmittedRequest(self, self._admit())

    @contextmanager
    def _counting_outcome(self, era: int) -> Iterator[None]:
        try:
            yield
        except (GatewayThrottled, GatewayReadOnly):
            raise  # kept back by ourselves: says nothing about the gateway
        except (GatewayUnreachable, GatewayOutcomeUnknown) as error:
            replayed = isinstance(error, GatewayOutcomeUnknown) and error.replayed
            self._count(era, answered=replayed)
            raise
        except GatewayError:
            self._count(era, answered=True)
            raise
        # Any other exception is a fault of ours and says nothing about the gateway.
        self._count(era, answered=True)

    def _admit(self) -> int:
        """The era in which the call is sent."""
        shared = self._shared
        shared.look()
        if shared.state != CLOSED:
            if shared.rests() or not shared.take_trial():
                raise GatewayCircuitOpen("The gateway has not been answering; asked again soon.")
            with self._lock:
                if shared.state == OPEN:
                    shared.change(HALF_OPEN, in_era=shared.era)
        return shared.era

    def _count(self, era: int, *, answered: bool) -> None:
        """Count the outcome of a call that was sent in `era`."""
        shared = self._shared
        if shared.state != CLOSED:
            shared.look(now=True)
        elif answered and not self._failures:
            return  # the usual case: nothing to change, no lock
        with self._lock:
            # Open and resting: what is answered now was sent before, or follows from that.
            if era != shared.era or shared.rests():
                return
            if era != self._counted_in:
                self._counted_in, self._failures = era, 0
            self._failures = 0 if answered else self._failures + 1
            if shared.state != CLOSED:
                shared.change(CLOSED if answered else OPEN, in_era=era)
            elif self._failures >= FAILURES_TO_OPEN:
                shared.change(OPEN, in_era=era)


class AdmittedRequest:
    """An admitted request: its first call, and those that follow from it. One thread only.

    Admission that is never used may have been one of the trials; it is not given back.
    """

    def __init__(self, circuit: Circuit, era: int) -> None:
        self._circuit = circuit
        self._era: int | None = era

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Around one call of the request. Never raises GatewayCircuitOpen."""
        # The first call may be sent in a later era than it was admitted in, and is not counted
        # there. A call that follows is: the one before it was answered.
        era, self._era = self._era, None
        with self._circuit._counting_outcome(self._circuit._shared.era if era is None else era):
            yield

    def admit(self) -> "AdmittedRequest":
        """Itself: what follows from an admitted request is admitted."""
        return self
