"""How a step of the saga can end: never with a bare exception."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Done:
    """The step has happened; on to the next."""

    detail: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do until a webhook or the deadline."""

    waiting_for: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A business no: turn back. `message` is for the shopper."""

    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Retry:
    """Transient; again after a backoff. `blameless`: the trouble is not this order's (an outage),
    so it does not bring the order closer to the review queue before its deadline. `untried`: not
    even that, the circuit let nobody ask; nothing happened that the log of steps should tell."""

    error: str
    blameless: bool = False
    untried: bool = False


Outcome = Done | Wait | Refused | Retry
