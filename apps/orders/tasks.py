"""The Celery tasks of orders. Each says that there may be work; the work is found in PostgreSQL.

A task that is lost, late or run twice does no harm.
"""

import time

from celery import shared_task

from apps.core import dispatch
from apps.orders.saga import engine, hold_expiry, resume

ROUNDS_FOR = 2.0  # seconds; then the task ends and enqueues itself: webhooks and a deploy wait


@shared_task(name="orders.advance_sagas")
def advance_sagas() -> int:
    """Carry due sagas on until none is due; how many claims that took."""
    moved, ends = 0, time.monotonic() + ROUNDS_FOR
    while claimed := engine.advance():
        if not moved and claimed >= engine.BATCH:
            # More than one worker process can carry: a second one helps.
            dispatch.enqueue_on_commit("orders.advance_sagas")
        moved += claimed
        if time.monotonic() > ends:
            dispatch.enqueue_on_commit("orders.advance_sagas")
            break
    return moved


@shared_task(name="orders.sweep")
def sweep() -> None:
    """Enqueue again the tasks whose messages may have been lost, for whatever is due."""
    resume.resume_for_trial()
    resume.resume_turned_away()
    resume.resume_kept_back()
    if hold_expiry.anything_due():
        dispatch.enqueue_on_commit("orders.advance_sagas")
    dispatch.enqueue_on_commit("payments.apply_webhooks")
    dispatch.enqueue_on_commit("payments.send_refunds")


@shared_task(name="orders.expire_holds")
def expire_holds() -> int:
    """Make the sagas of expired holds due; how many."""
    return hold_expiry.make_due_expired()
