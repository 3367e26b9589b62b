"""What a step is: its functions, who runs them, and what they take and return.

A step is written once for a batch of orders, never for a single one:

    ask(claimed) -> requests               what to ask the gateway; sent with no transaction open
    do(claimed, results) -> outcomes       what to write, in one transaction with the saga's row
    undo_ask, undo                         the same on the way back; each is safe to run again

`do` of a step that the intake runs takes checkouts that are not orders yet, and returns for each
the reason for which it is refused, or None.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from logging import Logger, getLogger
from typing import TYPE_CHECKING, cast
from uuid import UUID

from apps.orders.models import Saga
from apps.orders.saga.outcomes import CancelReason, Done, Outcome, Retry
from apps.payments.charging import GatewayRequest, GatewayResult

if TYPE_CHECKING:
    from apps.orders.intake.pending import Pending


@dataclass(frozen=True, slots=True)
class ClaimedStep:
    """One order at one step, as a worker has claimed it.

    The fields are those that a claim returns, in this order (claims.py).

    epoch: fences the claim: a write that names an older epoch changes no row.
    attempts: claims of this step, this one included.
    state: Saga.State.FORWARD or UNDOING.
    past_deadline: the hold's time is over.
    long_overdue: the deadline passed so long ago that an outage counts as attempts as well.
    cancel_reason: code of a CancelReason, or empty.
    """

    order_id: UUID
    epoch: int
    attempts: int
    step: str
    state: str
    past_deadline: bool
    long_overdue: bool
    cancel_requested: bool
    cancel_reason: str

    @property
    def direction(self) -> str:
        """`do` or `undo`, as the log of steps and the failpoints name it."""
        return "undo" if self.state == Saga.State.UNDOING else "do"


Claimed = list[ClaimedStep]
Outcomes = Mapping[UUID, Outcome]
Ask = Callable[[Claimed], list[GatewayRequest]]
Write = Callable[[Claimed, list[GatewayResult]], Outcomes]
IntakeWrite = Callable[[Sequence["Pending"]], Sequence[Exception | None]]


class Runner(StrEnum):
    """Who runs a step's `do`. Every `undo` is run by the worker."""

    INTAKE = "intake"  # in the transaction that accepts a batch of checkouts (accept_batch.py)
    WORKER = "worker"  # in the Celery worker (engine.py)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One row of the table in steps/.

    refuses_for: the reasons for which `do` may turn the saga back.
    undo: None after the point of no return.
    """

    name: str
    do: Write | IntakeWrite
    undo: Write | None
    ask: Ask | None = None
    undo_ask: Ask | None = None
    run_by: Runner = Runner.WORKER
    refuses_for: Sequence[CancelReason] = ()

    @property
    def logger(self) -> Logger:
        """The step's own logger, `apps.orders.saga.steps.<name>`."""
        return getLogger(f"apps.orders.saga.steps.{self.name}")

    def asks(self, state: str) -> Ask | None:
        """What asks the gateway on the way that `state` names; None: nothing is asked."""
        return self.undo_ask if state == Saga.State.UNDOING else self.ask

    def writes(self, state: str) -> Write | None:
        """What the worker runs on the way that `state` names; None: there is nothing to do."""
        if state == Saga.State.UNDOING:
            return self.undo
        return cast("Write", self.do) if self.run_by == Runner.WORKER else None


def ids(claimed: Iterable[ClaimedStep]) -> list[UUID]:
    """The order ids of a batch."""
    return [step.order_id for step in claimed]


def all_done(claimed: Claimed, detail: str = "") -> Outcomes:
    """Done for every order of a batch."""
    return {step.order_id: Done(detail) for step in claimed}


def retry_after(result: GatewayResult | None, otherwise: str) -> Retry:
    """Retry because of what the gateway answered; `otherwise` is the error where it said nothing.

    An outage does not count as an attempt of the order.
    """
    if result is None:
        return Retry(otherwise)
    return Retry(
        result.transient or result.broken or result.refused or otherwise,
        counts_as_attempt=not result.transient,
        not_sent=result.turned_away,
    )
