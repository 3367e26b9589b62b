"""Bells of the payments: webhooks to apply, events to mirror, refunds to send, a gateway
that is back, and two sets of books to compare."""

import logging
import time
from datetime import timedelta

from celery import shared_task

from apps.payments import inbox, mirror, refunds
from apps.payments.gateway import GatewayTransient
from apps.payments.models import Reconciliation
from apps.payments.reconciler import runs
from apps.payments.signals import gateway_recovered
from storefront import bells

logger = logging.getLogger(__name__)

ROUNDS_FOR = 10.0  # seconds
# Mail and mirroring wait in the same queue. Everything may take its time: a part of it each minute,
# so that comparing it takes a small share of the one process.
COMPARE_FOR = {
    Reconciliation.Scope.OPEN: 8.0,
    Reconciliation.Scope.RECENT: 8.0,
    Reconciliation.Scope.ALL: 5.0,
}
EVERY = {Reconciliation.Scope.ALL: timedelta(days=1)}


@shared_task(name="payments.apply_webhooks")
def apply_webhooks() -> int:
    """Apply what is in the inbox until it is empty."""
    applied, ends = 0, time.monotonic() + ROUNDS_FOR
    while count := inbox.apply_due():
        applied += count
        if time.monotonic() > ends:
            bells.ring("payments.apply_webhooks")
            break
    return applied


@shared_task(name="payments.mirror_events")
def mirror_events() -> int:
    """Copy applied events into dj-stripe's tables."""
    return mirror.mirror_due(at_most=ROUNDS_FOR)


@shared_task(name="payments.send_refunds")
def send_refunds() -> int:
    """Send refunds that are written down and not sent."""
    return refunds.send_due()


@shared_task(name="payments.gateway_recovered")
def tell_of_recovery() -> None:
    """The circuit has closed: whoever waits for the gateway need not wait any longer."""
    gateway_recovered.send(sender=None)


@shared_task(name="payments.reconcile")
def reconcile() -> None:
    """Compare with the gateway for some seconds: what is open, the recent past, and once a day
    everything. What is left over goes on where it stopped."""
    for scope, seconds in COMPARE_FOR.items():
        try:
            run = runs.run(scope, at_most=seconds, every=EVERY.get(scope))
        except runs.Busy:
            return
        except GatewayTransient as trouble:
            logger.warning("not compared with the gateway: %s", trouble)
            return  # its row says so; in a minute once more
        if run.is_under_way and scope not in EVERY:
            bells.ring("payments.reconcile")
