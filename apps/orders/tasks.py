"""Bells: each task says that there may be work; the work is found in PostgreSQL."""

import time

from celery import shared_task

from apps.orders import expiry, saga, wake
from storefront import bells

ROUNDS_FOR = 2.0  # seconds; then another bell: webhooks and a deploy must not wait for a burst


@shared_task(name="orders.advance_sagas")
def advance_sagas() -> int:
    """Carry due sagas on until none is due."""
    moved, ends = 0, time.monotonic() + ROUNDS_FOR
    while claimed := saga.advance():
        if not moved and claimed >= saga.BATCH:
            bells.ring("orders.advance_sagas")  # more than one can carry: wake a colleague
        moved += claimed
        if time.monotonic() > ends:
            bells.ring("orders.advance_sagas")
            break
    return moved


@shared_task(name="orders.sweep")
def sweep() -> None:
    """Whatever bell was lost: ring again for what is due."""
    wake.wake_for_trial()
    wake.wake_late_hearers()
    if expiry.anything_due():
        bells.ring("orders.advance_sagas")
    bells.ring("payments.apply_webhooks")
    bells.ring("payments.send_refunds")


@shared_task(name="orders.expire_holds")
def expire_holds() -> int:
    """Wake the sagas of holds that have expired."""
    return expiry.wake_expired()
