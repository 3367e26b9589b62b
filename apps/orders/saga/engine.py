"""The engine that carries orders through the steps of steps/. It knows no step by name.

One round, `advance()`:

    1. claim    due sagas, many at a time: SKIP LOCKED, a lease, a higher epoch, attempts + 1
    2. ask      the gateway, for all of them at once, no transaction open; the lease is renewed
                while results are awaited
    3. write    per step, one transaction: lock the sagas that are still ours (same epoch), run
                the step's `do` or `undo`, move each saga by its outcome
    4. go on    with the steps that ask nothing, under the same lease

Wherever a worker dies, the row is due again when the lease ends. A worker that goes on after its
lease has ended finds a higher epoch and writes nothing. Attempts are counted at the claim, in the
database, so that an order which kills its worker is counted too. Sagas with crashed claims are
claimed one at a time, one in each round (apps/core/leases.py); after MAX_ATTEMPTS a person looks.
"""

import logging
import time
from collections import Counter, defaultdict
from uuid import UUID

from django.db import transaction

from apps.core import failpoints, leases
from apps.orders.models import Saga
from apps.orders.saga import placement, updates
from apps.orders.saga.claims import BATCH, MAX_ATTEMPTS, claim, renew, still_ours
from apps.orders.saga.outcomes import Done, Retry
from apps.orders.saga.placement import SagaUpdate
from apps.orders.saga.step import Claimed, ClaimedStep, Step
from apps.orders.saga.steps import BY_NAME, CHECKOUT
from apps.payments import charging
from apps.payments.charging import GatewayRequest, GatewayResult


def _declare_failpoints() -> None:
    """Where a worker may be killed: from the table, so that a new step is covered at once."""
    for step in CHECKOUT:
        for direction, state in (("do", Saga.State.FORWARD), ("undo", Saga.State.UNDOING)):
            around_the_call = ("before_ask", "after_ask") if step.asks(state) is not None else ()
            if step.writes(state) is not None:
                points = (*around_the_call, "before_commit", "after_commit")
                failpoints.declare(f"saga.{step.name}.{direction}", *points)


_declare_failpoints()


def advance(*, limit: int = BATCH) -> int:
    """One round over the sagas that are due; how many were claimed."""
    count = 0
    for most, crashed in leases.one_round(limit):
        claimed = claim(limit=most, crashed=crashed)
        if claimed:
            run(claimed)
        count += len(claimed)
    return count


def run(claimed: Claimed) -> None:
    """Carry claimed sagas on, each to the next step that asks the gateway, or past it."""
    asking = [c for c in claimed if BY_NAME[c.step].asks(c.state) is not None]
    _go_on([c for c in claimed if BY_NAME[c.step].asks(c.state) is None])
    groups = _by_step(asking)
    requests: list[GatewayRequest] = []
    asked: dict[tuple[str, str], set[UUID]] = {}
    for place, group in groups.items():
        _reach(group, "before_ask")
        group_requests = _requests(group)
        asked[place] = {request.payment.order_id for request in group_requests}
        requests += group_requests
    results = charging.ask(requests, heartbeat=lambda: renew(asking))
    for group in groups.values():
        _reach(group, "after_ask")
    for place, group in groups.items():
        ours = [result for result in results if result.order_id in asked[place]]
        _go_on(_write_group(group, ours))


def _go_on(claimed: Claimed) -> None:
    """Steps that ask nothing follow at once under the same lease, each in its own transaction."""
    while claimed:
        claimed = [
            going_on for group in _by_step(claimed).values() for going_on in _write_group(group, [])
        ]


def _by_step(claimed: Claimed) -> dict[tuple[str, str], Claimed]:
    """Groups of one step and one direction each; all functions below take such a group."""
    groups: dict[tuple[str, str], Claimed] = defaultdict(list)
    for step in claimed:
        groups[step.state, step.step].append(step)
    return groups


def _step_of(group: Claimed) -> Step:
    return BY_NAME[group[0].step]


def _reach(group: Claimed, point: str) -> None:
    failpoints.reach("saga", group[0].step, group[0].direction, point)


def _requests(group: Claimed) -> list[GatewayRequest]:
    ask = _step_of(group).asks(group[0].state)
    # A cancelled order goes to the undo; nothing more is asked for it first.
    going_on = [
        claimed
        for claimed in group
        if claimed.attempts <= MAX_ATTEMPTS
        and (claimed.state == Saga.State.UNDOING or not claimed.cancel_requested)
    ]
    return ask(going_on) if ask is not None and going_on else []


def _write_group(group: Claimed, results: list[GatewayResult]) -> Claimed:
    """Write a group. When that fails, write each order alone, the failing one as a retry.

    Returns those that go on at once.
    """
    try:
        return _write(group, results)
    except Exception as error:
        # Also after a COMMIT whose answer was lost: what was written is not written again (the
        # fence names step and state), and a database that stays away ends the round.
        _step_of(group).logger.warning("failed for a batch of %d: %r", len(group), error)
        return _write_singly(group, results)


def _write_singly(group: Claimed, results: list[GatewayResult]) -> Claimed:
    going_on = []
    for claimed in group:
        own = [result for result in results if result.order_id == claimed.order_id]
        try:
            going_on += _write([claimed], own)
        except Exception as error:
            BY_NAME[claimed.step].logger.exception("failed for order %s", claimed.order_id)
            _write_failure(claimed, error)
    return going_on


def _write_failure(claimed: ClaimedStep, error: Exception) -> None:
    with transaction.atomic():
        # As the row is now: a cancellation may have been requested since the claim.
        for ours in still_ours([claimed]):
            retry = Retry(f"{type(error).__name__}: {error}")
            updates.write([placement.after(ours, retry)])


def _write(group: Claimed, results: list[GatewayResult]) -> Claimed:
    """One step of a batch, in one transaction; those that go on at once."""
    began = time.perf_counter()
    with transaction.atomic():
        ours = still_ours(group)
        if not ours:
            return []
        moved = _run_step(ours, results)
        updates.write(moved)
        _reach(group, "before_commit")
    _reach(group, "after_commit")
    _log(moved, time.perf_counter() - began)
    return [update.next_step() for update in moved if update.goes_on]


def _log(moved: list[SagaUpdate], seconds: float) -> None:
    """One line for each step of a batch, in the step's own logger, where DEBUG is on for it."""
    first = moved[0].claimed
    logger = BY_NAME[first.step].logger
    if logger.isEnabledFor(logging.DEBUG):
        outcomes = Counter(update.outcome for update in moved)
        logger.debug("%s in %.1f ms: %s", first.direction, seconds * 1000, dict(outcomes))


def _run_step(group: Claimed, results: list[GatewayResult]) -> list[SagaUpdate]:
    """Run the step's `do` or `undo` for those of a group that neither gave up nor are cancelled."""
    # A cancellation that came after asking must still see the result written down.
    asked = {result.order_id for result in results}
    exhausted, cancelled, active = [], [], []
    for claimed in group:
        forward = claimed.state == Saga.State.FORWARD
        if claimed.attempts > MAX_ATTEMPTS:
            exhausted.append(claimed)
        elif forward and claimed.cancel_requested and claimed.order_id not in asked:
            cancelled.append(claimed)
        else:
            active.append(claimed)
    write = _step_of(group).writes(group[0].state)
    if write is None or not active:
        moved = [placement.after(claimed, Done()) for claimed in active]
    else:
        outcomes = write(active, results)
        moved = [placement.after(claimed, outcomes[claimed.order_id]) for claimed in active]
    moved += [placement.cancelled(claimed) for claimed in cancelled]
    moved += [placement.to_review(claimed) for claimed in exhausted]
    return moved
