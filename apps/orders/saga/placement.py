"""From the outcome of a step to the saga's next place. Pure functions: no query, no clock.

forward, Done        the next step; after the last one: done
forward, Wait        the same step, due at its deadline; a webhook makes it due earlier
forward, Refused     turn back: undoing, from this step or the last that can be undone
forward, cancelled   turn back, whatever the outcome; Done and Wait count as they are
undoing, Done        the step before; after the first one: undone
either, Retry        the same step after a backoff
either, Review       review, at once: a person decides
too many attempts    review as well
"""

import random
from dataclasses import dataclass, replace
from datetime import datetime

from apps.orders.models import Saga
from apps.orders.saga.claims import MAX_ATTEMPTS
from apps.orders.saga.outcomes import CancelReason, Done, Outcome, Refused, Retry, Review, Wait
from apps.orders.saga.step import ClaimedStep
from apps.orders.saga.steps import BY_NAME, step_after, undo_after, undo_from

BACKOFF_FIRST = 1.0  # seconds
BACKOFF_CAP = 60.0
OUTAGE_COUNTS = 7  # attempts an outage alone adds up to: as many as backing off to the cap takes


@dataclass(slots=True)
class SagaUpdate:
    """Where a saga goes after a step: one row of the statements in updates.py.

    outcome: as the log of steps names it.
    wait: seconds from now until the saga is due; negative: no worker needs to look.
    at_deadline: due at the deadline instead. `until`: a new deadline, if it has one.
    extend: the deadline moves with the hold, which is extended while the gateway is slow.
    moves_to: the order's status that follows at once (CancelReason.moves_to); empty: none.
    logged: False for a claim that could do nothing, as once a minute in an outage. The saga's row
        says why it waits; the log of steps holds what was done.
    """

    claimed: ClaimedStep
    state: str
    step: str
    outcome: str
    attempts: int = 0
    wait: float = 0.0
    at_deadline: bool = False
    until: datetime | None = None
    extend: bool = False
    waiting_for: str = ""
    error: str = ""
    cancel_reason: str = ""
    moves_to: str = ""
    review: str = ""
    detail: str = ""
    logged: bool = True

    @property
    def epoch(self) -> int:
        return self.claimed.epoch

    @property
    def goes_on(self) -> bool:
        """Whether the next step can run at once: the saga has moved and nothing is to be asked."""
        live = self.state in (Saga.State.FORWARD, Saga.State.UNDOING)
        moved = (self.state, self.step) != (self.claimed.state, self.claimed.step)
        return live and moved and BY_NAME[self.step].asks(self.state) is None

    def next_step(self) -> ClaimedStep:
        """The same claim, one step on."""
        return replace(
            self.claimed,
            state=self.state,
            step=self.step,
            attempts=1,
            cancel_reason=self.cancel_reason,
        )


def after(claimed: ClaimedStep, outcome: Outcome) -> SagaUpdate:
    """The saga's next place, from how its step ended."""
    if claimed.state == Saga.State.UNDOING:
        return _after_undo(claimed, outcome)
    match outcome:
        case Refused(reason=reason):
            return _refused(claimed, reason, outcome.message)
        case _ if claimed.cancel_requested:
            return cancelled(claimed, outcome="done" if isinstance(outcome, Done) else "stopped")
        case Done(detail=detail):
            following = step_after(claimed.step)
            if following is None:
                return _end(claimed, Saga.State.DONE, detail)
            return SagaUpdate(claimed, Saga.State.FORWARD, following, "done", detail=detail)
        case Wait(waiting_for=waiting_for, until=until):
            return SagaUpdate(
                claimed,
                Saga.State.FORWARD,
                claimed.step,
                "wait",
                at_deadline=True,
                until=until,
                waiting_for=waiting_for,
                detail=waiting_for,
            )
        case Review(why=why):
            return to_review(claimed, why)
        case Retry():
            return _again(claimed, outcome)


def _after_undo(claimed: ClaimedStep, outcome: Outcome) -> SagaUpdate:
    match outcome:
        case Done(detail=detail):
            following = undo_after(claimed.step)
            if following is None:
                return _end(claimed, Saga.State.UNDONE, detail)
            return SagaUpdate(
                claimed,
                Saga.State.UNDOING,
                following,
                "done",
                detail=detail,
                cancel_reason=claimed.cancel_reason,
            )
        case Review(why=why):
            return to_review(claimed, why)
        case Retry():
            return _again(claimed, outcome)
        case _:
            # An undo must not be refused. Retrying takes such a bug to the review queue.
            return _again(claimed, Retry(f"undo answered {outcome}"))


def _end(claimed: ClaimedStep, state: str, detail: str) -> SagaUpdate:
    return SagaUpdate(
        claimed,
        state,
        claimed.step,
        "done",
        wait=-1,
        detail=detail,
        cancel_reason=claimed.cancel_reason if state == Saga.State.UNDONE else "",
    )


def cancelled(claimed: ClaimedStep, *, outcome: str = "stopped") -> SagaUpdate:
    """Turn back because the shopper or staff cancelled the order; `outcome` is that of the step."""
    reason = claimed.cancel_reason or "cancelled"
    return _turn_back(claimed, outcome, reason, detail=reason)


def _refused(claimed: ClaimedStep, reason: CancelReason, message: str) -> SagaUpdate:
    update = _turn_back(claimed, "refused", reason.code, detail=message or reason.code)
    update.error = message[:255]
    update.moves_to = reason.moves_to
    return update


def _turn_back(claimed: ClaimedStep, outcome: str, reason: str, *, detail: str) -> SagaUpdate:
    return SagaUpdate(
        claimed,
        Saga.State.UNDOING,
        undo_from(claimed.step),
        outcome,
        cancel_reason=reason[:40],
        detail=detail,
    )


def _again(claimed: ClaimedStep, retry: Retry) -> SagaUpdate:
    """Backoff with jitter: the ceiling doubles from one second to a minute."""
    # An outage alone never brings an order to the review queue, and neither does an outage in
    # which a worker or two are killed: the count stays well below the limit.
    counts = retry.counts_as_attempt or claimed.long_overdue
    attempts = claimed.attempts if counts else min(claimed.attempts, OUTAGE_COUNTS)
    ceiling = min(BACKOFF_CAP, BACKOFF_FIRST * 2 ** (claimed.attempts - 1))
    return SagaUpdate(
        claimed,
        claimed.state,
        claimed.step,
        "retry",
        attempts=attempts,
        wait=random.uniform(ceiling / 2, ceiling),
        extend=not counts,
        error=retry.error[:255],
        detail=retry.error,
        cancel_reason=claimed.cancel_reason,
        logged=not retry.not_sent,
    )


def to_review(claimed: ClaimedStep, why: str = "") -> SagaUpdate:
    """A person decides (review.py): because of `why`, or after too many attempts."""
    why = why or f"{claimed.state} {claimed.step} did not succeed in {MAX_ATTEMPTS} attempts"
    return SagaUpdate(
        claimed,
        Saga.State.REVIEW,
        claimed.step,
        "review",
        wait=-1,
        review=why[:255],
        detail="handed to a person",
        cancel_reason=claimed.cancel_reason,
    )
