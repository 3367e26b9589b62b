"""How a step of the saga ends. A step returns one outcome per order and raises for bugs only."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class CancelReason:
    """Why an order is cancelled, and what follows from that reason.

    Each step declares the reasons for which it refuses an order (steps/). The reasons of people
    are in undone.py.

    code: stays in the saga's `cancel_reason` until everything is undone; at most 40 characters.
    message: what the shopper reads in the order's last event and in the mail `order_cancelled`.
    moves_to: the status to which the order moves at once, before anything is undone; empty: none.
    always_mailed: the mail is sent even where no payment was begun in earnest (emails.py).
    """

    code: str
    message: str
    moves_to: str = ""
    always_mailed: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """The step has happened. The saga goes to the next one."""

    detail: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do until a webhook or the deadline. `until` is a new deadline; None: the old."""

    waiting_for: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A refusal for a business reason: the saga turns back and undoes what was done.

    `message` is for the shopper, about this attempt: what the bank said, for example.
    """

    reason: CancelReason
    message: str = ""


@dataclass(frozen=True, slots=True)
class Retry:
    """A transient failure: the step runs again after a backoff.

    counts_as_attempt: False where the cause is an outage and not this order. It then does not
        bring the order closer to the review queue before its deadline.
    not_sent: the circuit breaker or the gateway's limit let no request through. Nothing happened,
        so the log of steps gets no row.
    """

    error: str
    counts_as_attempt: bool = True
    not_sent: bool = False


@dataclass(frozen=True, slots=True)
class Review:
    """Neither on nor back without a decision of staff: the saga goes to the review queue at once.

    `why` is for staff, and says what they can do.
    """

    why: str


Outcome = Done | Wait | Refused | Retry | Review
