"""Writes a batch of saga updates: the sagas' rows, the log of steps, the orders' statuses.

Runs in the transaction of the step, after the step's own writes.
"""

from collections.abc import Sequence

from django.conf import settings

from apps.core import sql
from apps.orders import transitions
from apps.orders.models import Saga
from apps.orders.saga.claims import LEASE
from apps.orders.saga.placement import SagaUpdate
from apps.orders.saga.undone import complete
from apps.orders.transitions import Transition

MOVE_SAGAS = """
    UPDATE orders_saga s
    SET state = n.state, step = n.step, attempts = n.attempts, crashed_claims = 0,
        lease_until = CASE WHEN n.goes_on THEN clock_timestamp() + %(lease)s END,
        due_at = CASE WHEN n.goes_on THEN clock_timestamp() + %(lease)s
                      WHEN n.at_deadline THEN coalesce(n.until, s.deadline_at)
                      WHEN n.wait < 0 THEN NULL
                      WHEN n.wait = 0 THEN o.placed_at
                      ELSE clock_timestamp() + make_interval(secs => n.wait) END,
        deadline_at = CASE WHEN n.extend
            THEN greatest(s.deadline_at, least(now() + %(hold)s, o.placed_at + %(cap)s))
            ELSE coalesce(n.until, s.deadline_at) END,
        waiting_for = n.waiting_for, cancel_reason = n.cancel_reason,
        -- For an order in review, staff want to see what went wrong last.
        last_error = CASE WHEN n.review <> '' THEN s.last_error ELSE n.error END,
        review_reason = n.review, reviewed_from = n.reviewed_from, updated_at = now()
    FROM json_to_recordset(%(updates)s::json) AS n(
        id uuid, epoch int, state text, step text, attempts int, wait float8, at_deadline bool,
        until timestamptz, extend bool, goes_on bool, waiting_for text, error text,
        cancel_reason text, review text, reviewed_from text)
    JOIN orders_order o ON o.id = n.id
    WHERE s.order_id = n.id AND s.epoch = n.epoch
"""
# UNIQUE (saga, step, direction) where done: a step that would complete a second time fails here,
# and its effects are rolled back with it.
LOG_STEPS = """
    INSERT INTO orders_sagastep (saga_id, step, direction, outcome, attempt, epoch, detail)
    SELECT * FROM json_to_recordset(%s::json) AS n(
        saga_id uuid, step text, direction text, outcome text, attempt int, epoch int, detail text)
"""


def write(updates: Sequence[SagaUpdate]) -> None:
    """Move the sagas, log their steps, and move the orders whose saga turned back or ended."""
    if not updates:
        return
    _move_sagas(updates)
    _log_steps([update for update in updates if update.logged])
    # A move that the order's status does not allow is left out: payment had not begun, say.
    transitions.make(
        Transition(update.claimed.order_id, update.moves_to, message=update.error)
        for update in updates
        if update.moves_to
    )
    undone = {u.claimed.order_id: u.cancel_reason for u in updates if u.state == Saga.State.UNDONE}
    if undone:
        complete(undone)


def _move_sagas(updates: Sequence[SagaUpdate]) -> None:
    document = sql.document(
        {
            "id": update.claimed.order_id,
            "epoch": update.epoch,
            "state": str(update.state),
            "step": update.step,
            "attempts": 1 if update.goes_on else update.attempts,
            "wait": update.wait,
            "at_deadline": update.at_deadline,
            "until": update.until,
            "extend": update.extend,
            "goes_on": update.goes_on,
            "waiting_for": update.waiting_for,
            "error": update.error,
            "cancel_reason": update.cancel_reason,
            "review": update.review,
            "reviewed_from": update.claimed.state if update.review else "",
        }
        for update in updates
    )
    parameters = {"lease": LEASE, "hold": settings.HOLD_TIME, "cap": settings.HOLD_TIME_CAP}
    sql.run(MOVE_SAGAS, {"updates": document} | parameters)


def _log_steps(updates: Sequence[SagaUpdate]) -> None:
    document = sql.document(
        {
            "saga_id": update.claimed.order_id,
            "step": update.claimed.step,
            "direction": update.claimed.direction,
            "outcome": update.outcome,
            "attempt": update.claimed.attempts,
            "epoch": update.epoch,
            "detail": update.detail[:255],
        }
        for update in updates
    )
    sql.run(LOG_STEPS, [document])
