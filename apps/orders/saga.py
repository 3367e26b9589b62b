"""The engine that carries orders through the steps of checkout.py. Knows no step by name.

One round, `advance()`:

    1. claim    due sagas, many at a time: SKIP LOCKED, a lease, a higher epoch, attempts + 1
    2. ask      the outside world, everyone at once, no transaction open; the lease is renewed
                while answers are awaited
    3. write    per step, one transaction: lock the sagas that are still ours (same epoch), run
                the step's `do` or `undo`, move each saga by its outcome
    4. go on    with the steps that ask nobody, under the same lease

Dying anywhere leaves the row due again when the lease ends. A zombie that wakes up after its lease
finds a higher epoch and writes nothing. Attempts are counted at the claim, in the database, so
that an order which kills its worker is counted too. Suspects (two claims in a row that ended
without a word) are claimed one at a time, one a round; after MAX_ATTEMPTS a person looks.
"""

import logging
import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction

from apps.orders import endings, moves
from apps.orders.checkout import (
    BY_NAME,
    CHECKOUT,
    Outcomes,
    Step,
    Work,
    asks,
    ids,
    step_after,
    undo_after,
    undo_from,
)
from apps.orders.models import Order, Saga
from apps.orders.moves import Move
from apps.orders.outcomes import Done, Outcome, Refused, Retry, Wait
from apps.payments import charging
from apps.payments.charging import Answer, Question
from storefront import failpoints, prepared

logger = logging.getLogger(__name__)

BATCH = 128
LEASE = timedelta(seconds=20)  # renewed every 5 s while a batch waits for the gateway
MAX_ATTEMPTS = 12
PATIENCE = timedelta(hours=6)  # past the deadline; then an outage is a person's matter, too
BACKOFF_FIRST = 1.0  # seconds
BACKOFF_CAP = 60.0
OUTAGE_COUNTS = 7  # attempts an outage alone adds up to: as many as backing off to the cap takes
SUSPECT_AFTER = 2  # claims in a row that ended without a word

CLAIM = """
    WITH due AS (
        SELECT order_id FROM orders_saga
        WHERE state IN ('forward', 'undoing') AND due_at <= now()
          AND (silent_claims >= %(suspect)s) = %(suspects)s
        ORDER BY due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    )
    UPDATE orders_saga s
    SET epoch = s.epoch + 1, attempts = s.attempts + 1,
        silent_claims = s.silent_claims + 1, updated_at = now(),
        lease_until = now() + %(lease)s, due_at = now() + %(lease)s
    FROM due WHERE s.order_id = due.order_id
    RETURNING s.order_id, s.epoch, s.attempts, s.step, s.state,
        s.deadline_at <= now() AS past_deadline,
        s.deadline_at + %(patience)s <= now() AS long_overdue,
        s.cancel_requested_at IS NOT NULL AS cancel_requested, s.cancel_reason
"""
# First come, first finished: what can go on is due since the order was placed, so that a burst is
# carried through order by order and not step by step.
RENEW = """
    UPDATE orders_saga s SET lease_until = now() + %s, due_at = now() + %s
    FROM unnest(%s::uuid[], %s::int[]) AS n(id, epoch)
    WHERE s.order_id = n.id AND s.epoch = n.epoch AND s.lease_until IS NOT NULL
"""
# The fence. Locks in ascending id; whoever holds an older epoch gets no row, and so writes nothing.
# Nor does one whose step is behind: it was written, and only the COMMIT's answer was lost.
STILL_OURS = """
    SELECT s.order_id, s.cancel_requested_at IS NOT NULL, s.cancel_reason
    FROM orders_saga s
    JOIN json_to_recordset(%s::json) AS n(id uuid, epoch int, step text, state text)
      ON s.order_id = n.id AND s.epoch = n.epoch
      AND s.step = n.step AND s.state = n.state
    WHERE s.lease_until IS NOT NULL AND s.state IN ('forward', 'undoing')
    ORDER BY s.order_id FOR UPDATE OF s
"""
ADVANCE = """
    UPDATE orders_saga s
    SET state = n.state, step = n.step, attempts = n.attempts, silent_claims = 0,
        lease_until = CASE WHEN n.goes_on THEN clock_timestamp() + %(lease)s END,
        due_at = CASE WHEN n.goes_on THEN clock_timestamp() + %(lease)s
                      WHEN n.at_deadline THEN s.deadline_at
                      WHEN n.wait < 0 THEN NULL
                      WHEN n.wait = 0 THEN o.placed_at
                      ELSE clock_timestamp() + make_interval(secs => n.wait) END,
        deadline_at = CASE WHEN n.extend
            THEN greatest(s.deadline_at, least(now() + %(hold)s, o.placed_at + %(cap)s))
            ELSE s.deadline_at END,
        waiting_for = n.waiting_for, cancel_reason = n.cancel_reason,
        -- Whoever looks at an order in review wants to know what went wrong last.
        last_error = CASE WHEN n.review <> '' THEN s.last_error ELSE n.error END,
        review_reason = n.review, reviewed_from = n.reviewed_from, updated_at = now()
    FROM json_to_recordset(%(turns)s::json) AS n(
        id uuid, epoch int, state text, step text, attempts int, wait float8, at_deadline bool,
        extend bool, goes_on bool, waiting_for text, error text, cancel_reason text, review text,
        reviewed_from text)
    JOIN orders_order o ON o.id = n.id
    WHERE s.order_id = n.id AND s.epoch = n.epoch
"""
# UNIQUE (saga, step, direction) where done: a step that would complete twice fails right here,
# and takes its second effect back with it.
LOG = """
    INSERT INTO orders_sagastep (saga_id, step, direction, outcome, attempt, epoch, detail)
    SELECT * FROM json_to_recordset(%s::json) AS n(
        saga_id uuid, step text, direction text, outcome text, attempt int, epoch int, detail text)
"""


@dataclass(slots=True)
class Turn:
    """Where a saga goes after a step. `wait` is seconds from now; negative: nobody need look.

    One that is not `logged` was claimed for nothing, as once a minute in an outage: its row says
    why it waits, and the log of its steps tells of what was done.
    """

    work: Work
    state: str
    step: str
    outcome: str
    attempts: int = 0
    wait: float = 0.0
    at_deadline: bool = False
    extend: bool = False
    waiting_for: str = ""
    error: str = ""
    cancel_reason: str = ""
    review: str = ""
    detail: str = ""
    logged: bool = True

    @property
    def epoch(self) -> int:
        return self.work.epoch

    @property
    def goes_on(self) -> bool:
        """Whether the next step can follow at once: it moves forward (or back) and asks nobody."""
        live = self.state in (Saga.State.FORWARD, Saga.State.UNDOING)
        moved = (self.state, self.step) != (self.work.state, self.work.step)
        return live and moved and not asks(self.step, self.state)

    def next_work(self) -> Work:
        """The same claim, one step on."""
        return replace(
            self.work,
            state=self.state,
            step=self.step,
            attempts=1,
            cancel_reason=self.cancel_reason,
        )


def _declare_failpoints() -> None:
    """Where a worker may be killed: from the table, so that a new step is covered at once."""
    failpoints.declare("saga.claim", "after_commit")
    for step in CHECKOUT:
        for way, write, ask in (("do", step.do, step.ask), ("undo", step.undo, step.undo_ask)):
            around_the_call = ("before_ask", "after_ask") if ask is not None else ()
            if write is not None:
                points = (*around_the_call, "before_commit", "after_commit")
                failpoints.declare(f"saga.{step.name}.{way}", *points)


_declare_failpoints()


def advance(*, limit: int = BATCH) -> int:
    """One round over the sagas that are due; how many were claimed.

    Trusted ones in a batch, then one suspect alone: also under a load that never lets up, for
    among the suspects are innocent ones whose worker was killed.
    """
    claimed = 0
    for most, suspects in ((limit, False), (1, True)):
        works = claim(limit=most, suspects=suspects)
        if works:
            run(works)
        claimed += len(works)
    return claimed


def claim(*, limit: int = BATCH, suspects: bool = False) -> list[Work]:
    """Claim due sagas: those who are trusted, or suspects."""
    rows = prepared.fetch(
        CLAIM,
        {
            "suspect": SUSPECT_AFTER,
            "suspects": suspects,
            "limit": limit,
            "lease": LEASE,
            "patience": PATIENCE,
        },
    )
    works = [Work(*row) for row in rows]  # CLAIM returns a Work's fields in their order
    if works:
        failpoints.reach("saga", "claim", "after_commit")
    return works


def run(works: list[Work]) -> None:
    """Carry claimed sagas on, each to the next step that asks the outside world, or past it."""
    asking = [work for work in works if asks(work.step, work.state)]
    _carry_on([work for work in works if not asks(work.step, work.state)])
    groups = _by_step(asking)
    questions: list[Question] = []
    asked: dict[tuple[str, str], set[UUID]] = {}
    for (state, name), group in groups.items():
        failpoints.reach("saga", name, direction(state), "before_ask")
        group_questions = _questions(BY_NAME[name], state, group)
        asked[state, name] = {question.payment.pk for question in group_questions}
        questions += group_questions
    answers = charging.ask(questions, heartbeat=lambda: _renew(asking))
    for state, name in groups:
        failpoints.reach("saga", name, direction(state), "after_ask")
    for (state, name), group in groups.items():
        ours = [answer for answer in answers if answer.payment_id in asked[state, name]]
        _carry_on(_write_group(BY_NAME[name], state, group, ours))


def _carry_on(works: list[Work]) -> None:
    """Steps that ask nobody follow at once under the same lease, each in its own transaction."""
    while works:
        works = [
            going_on
            for (state, name), group in _by_step(works).items()
            for going_on in _write_group(BY_NAME[name], state, group, [])
        ]


def direction(state: str) -> str:
    """A saga's state as the log and the failpoints name it."""
    return "undo" if state == Saga.State.UNDOING else "do"


def _by_step(works: list[Work]) -> dict[tuple[str, str], list[Work]]:
    groups: dict[tuple[str, str], list[Work]] = defaultdict(list)
    for work in works:
        groups[work.state, work.step].append(work)
    return groups


def _renew(works: list[Work]) -> None:
    prepared.run(RENEW, [LEASE, LEASE, ids(works), [work.epoch for work in works]])


def _questions(step: Step, state: str, group: list[Work]) -> list[Question]:
    ask = step.ask if state == Saga.State.FORWARD else step.undo_ask
    # Who is called off goes to the undo without asking for more first.
    going_on = [
        work
        for work in group
        if work.attempts <= MAX_ATTEMPTS
        and (state == Saga.State.UNDOING or not work.cancel_requested)
    ]
    return ask(going_on) if ask is not None and going_on else []


def _write_group(step: Step, state: str, group: list[Work], answers: list[Answer]) -> list[Work]:
    """Write a batch; when it does not go together, each by itself, the failing one as a retry.

    Returns those that go on at once.
    """
    try:
        return _write(step, state, group, answers)
    except Exception as error:
        # Also after a COMMIT whose answer was lost: what was written is not written again (the
        # fence names step and state), and a database that stays away ends the round.
        logger.warning("step %s failed for a batch of %d: %r", step.name, len(group), error)
        return _write_singly(step, state, group, answers)


def _write_singly(step: Step, state: str, group: list[Work], answers: list[Answer]) -> list[Work]:
    going_on = []
    for work in group:
        own = [answer for answer in answers if answer.order_id == work.order_id]
        try:
            going_on += _write(step, state, [work], own)
        except Exception as error:
            logger.exception("step %s failed for order %s", step.name, work.order_id)
            _write_failure(step, work, error)
    return going_on


def _write_failure(step: Step, work: Work, error: Exception) -> None:
    with transaction.atomic():
        # As the row is now: a cancellation may have come since the claim.
        for ours in _still_ours([work]):
            _advance([_turn(step, ours, Retry(f"{type(error).__name__}: {error}"))])


def _write(step: Step, state: str, group: list[Work], answers: list[Answer]) -> list[Work]:
    """One step of a batch, in one transaction; those that go on at once."""
    with transaction.atomic():
        ours = _still_ours(group)
        if not ours:
            return []
        forward = state == Saga.State.FORWARD
        # A cancellation that came after asking must still see the answer written down.
        asked = {answer.order_id for answer in answers}
        over, off, active = [], [], []
        for work in ours:
            if work.attempts > MAX_ATTEMPTS:
                over.append(work)
            elif forward and work.cancel_requested and work.order_id not in asked:
                off.append(work)
            else:
                active.append(work)
        write = step.do if forward else step.undo
        outcomes: Outcomes = {}
        if active:
            outcomes = write(active, answers) if write else {w.order_id: Done() for w in active}
        turns = [_turn(step, work, outcomes[work.order_id]) for work in active]
        turns += [_turn_back(step, work, work.cancel_reason or "cancelled") for work in off]
        turns += [_to_review(step, work) for work in over]
        _advance(turns)
        failpoints.reach("saga", step.name, direction(state), "before_commit")
    failpoints.reach("saga", step.name, direction(state), "after_commit")
    return [turn.next_work() for turn in turns if turn.goes_on]


def _still_ours(group: list[Work]) -> list[Work]:
    """Those of `group` whose epoch is still ours, locked; with the cancellation wish as of now."""
    rows = prepared.fetch(
        STILL_OURS,
        [
            prepared.document(
                {
                    "id": work.order_id,
                    "epoch": work.epoch,
                    "step": work.step,
                    "state": str(work.state),
                }
                for work in group
            )
        ],
    )
    found = {order_id: (wish, reason) for order_id, wish, reason in rows}
    return [
        replace(
            work,
            cancel_requested=found[work.order_id][0],
            cancel_reason=found[work.order_id][1],
        )
        for work in group
        if work.order_id in found
    ]


# --- From an outcome to the saga's next place ---------------------------------------------------


def _turn(step: Step, work: Work, outcome: Outcome) -> Turn:
    if work.state == Saga.State.UNDOING:
        return _turn_undoing(step, work, outcome)
    match outcome:
        case Refused(reason=reason):
            return _turn_back(step, work, reason, outcome="refused", detail=outcome.message)
        case _ if work.cancel_requested:
            done = isinstance(outcome, Done)
            name = "done" if done else "stopped"
            return _turn_back(step, work, work.cancel_reason or "cancelled", outcome=name)
        case Done(detail=detail):
            following = step_after(step.name)
            if following is None:
                return Turn(work, Saga.State.DONE, step.name, "done", wait=-1, detail=detail)
            return Turn(work, Saga.State.FORWARD, following, "done", detail=detail)
        case Wait(waiting_for=waiting_for):
            return Turn(
                work,
                Saga.State.FORWARD,
                step.name,
                "wait",
                at_deadline=True,
                waiting_for=waiting_for,
                detail=waiting_for,
            )
        case Retry():
            return _again(step, work, outcome)


def _turn_undoing(step: Step, work: Work, outcome: Outcome) -> Turn:
    match outcome:
        case Done(detail=detail):
            following = undo_after(step.name)
            if following is None:
                return Turn(
                    work,
                    Saga.State.UNDONE,
                    step.name,
                    "done",
                    wait=-1,
                    detail=detail,
                    cancel_reason=work.cancel_reason,
                )
            return Turn(
                work,
                Saga.State.UNDOING,
                following,
                "done",
                detail=detail,
                cancel_reason=work.cancel_reason,
            )
        case Retry():
            return _again(step, work, outcome)
        case _:
            # An undo must not be refused; whatever this means, a person should see it in time.
            return _again(step, work, Retry(f"undo answered {outcome}"))


def _turn_back(
    step: Step, work: Work, reason: str, *, outcome: str = "stopped", detail: str = ""
) -> Turn:
    return Turn(
        work,
        Saga.State.UNDOING,
        undo_from(step.name),
        outcome,
        cancel_reason=reason[:40],
        error=detail[:255],
        detail=detail or reason,
    )


def _again(step: Step, work: Work, retry: Retry) -> Turn:
    """Backoff with full jitter: doubling from one second, at most a minute."""
    # An outage alone never brings an order to the review queue, and a worker or two killed in it
    # do not either: the count stays well below the limit.
    blameless = retry.blameless and not work.long_overdue
    attempts = min(work.attempts, OUTAGE_COUNTS) if blameless else work.attempts
    ceiling = min(BACKOFF_CAP, BACKOFF_FIRST * 2 ** (work.attempts - 1))
    return Turn(
        work,
        work.state,
        step.name,
        "retry",
        attempts=attempts,
        wait=random.uniform(ceiling / 2, ceiling),
        extend=blameless,
        error=retry.error[:255],
        detail=retry.error,
        cancel_reason=work.cancel_reason,
        logged=not retry.untried,
    )


def _to_review(step: Step, work: Work) -> Turn:
    return Turn(
        work,
        Saga.State.REVIEW,
        step.name,
        "review",
        wait=-1,
        review=f"{work.state} {step.name} did not succeed in {MAX_ATTEMPTS} attempts",
        detail="handed to a person",
        cancel_reason=work.cancel_reason,
    )


def _advance(turns: list[Turn]) -> None:
    """Move the sagas, write the log, and move the orders where a saga turned or ended."""
    if not turns:
        return
    prepared.run(
        ADVANCE,
        {
            "turns": prepared.document(
                {
                    "id": turn.work.order_id,
                    "epoch": turn.epoch,
                    "state": str(turn.state),
                    "step": turn.step,
                    "attempts": 1 if turn.goes_on else turn.attempts,
                    "wait": turn.wait,
                    "at_deadline": turn.at_deadline,
                    "extend": turn.extend,
                    "goes_on": turn.goes_on,
                    "waiting_for": turn.waiting_for,
                    "error": turn.error,
                    "cancel_reason": turn.cancel_reason,
                    "review": turn.review,
                    "reviewed_from": turn.work.state if turn.review else "",
                }
                for turn in turns
            ),
            "lease": LEASE,
            "hold": settings.HOLD_TIME,
            "cap": settings.HOLD_TIME_CAP,
        },
    )
    logged = [turn for turn in turns if turn.logged]
    prepared.run(
        LOG,
        [
            prepared.document(
                {
                    "saga_id": turn.work.order_id,
                    "step": turn.work.step,
                    "direction": direction(turn.work.state),
                    "outcome": turn.outcome,
                    "attempt": turn.work.attempts,
                    "epoch": turn.epoch,
                    "detail": turn.detail[:255],
                }
                for turn in logged
            )
        ],
    )
    moves.make(_payment_failures(turns))
    undone = {t.work.order_id: t.cancel_reason for t in turns if t.state == Saga.State.UNDONE}
    if undone:
        endings.finish_undone(undone)


def _payment_failures(turns: Iterable[Turn]) -> list[Move]:
    """Orders that turned back before they were paid; refused where payment had not come yet."""
    return [
        Move(turn.work.order_id, Order.Status.PAYMENT_FAILED, message=turn.error)
        for turn in turns
        if turn.work.state == Saga.State.FORWARD
        and turn.state == Saga.State.UNDOING
        and turn.cancel_reason in ("declined", "expired", "payment_refused")
    ]
