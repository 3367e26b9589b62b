"""Celery tasks of the payments: apply webhooks, mirror events, send refunds, tell that the gateway
answers again, compare the gateway's books with ours, register where webhooks go."""

import logging
import time
from datetime import timedelta

from celery import shared_task

from apps.core import dispatch
from apps.payments import endpoints, inbox, mirror, refunds, webhook_log
from apps.payments.gateway import GatewayError, GatewayTransient
from apps.payments.models import Reconciliation
from apps.payments.reconciler import schedule
from apps.payments.signals import gateway_recovered

logger = logging.getLogger(__name__)

ROUNDS_FOR = 10.0  # seconds
# Mail and the mirror share the worker process with it. The comparison of everything does a part
# each minute, so that it takes a small share of that process.
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
            dispatch.enqueue_on_commit("payments.apply_webhooks")
            break
    return applied


@shared_task(name="payments.mirror_events")
def mirror_events() -> int:
    """Copy applied events into dj-stripe's tables, and keep its log of refused webhooks short."""
    webhook_log.forget_old_refusals()
    return mirror.mirror_due(at_most=ROUNDS_FOR)


@shared_task(name="payments.send_refunds")
def send_refunds() -> int:
    """Send refunds that are recorded and not sent."""
    return refunds.send_due()


@shared_task(name="payments.gateway_recovered")
def tell_of_recovery() -> None:
    """The circuit breaker has closed: orders that wait for the gateway go on at once."""
    gateway_recovered.send(sender=None)


@shared_task(name="payments.reconcile")
def reconcile() -> None:
    """Compare with the gateway for some seconds each: what is open, the recent past, and once a day
    everything. The next run goes on where this one stops."""
    for scope, seconds in COMPARE_FOR.items():
        try:
            run = schedule.run(scope, at_most=seconds, every=EVERY.get(scope))
        except schedule.Busy:
            return
        except GatewayTransient as trouble:
            logger.warning("not compared with the gateway: %s", trouble)
            return  # its row says so; in a minute once more
        if run.is_under_way and scope not in EVERY:
            dispatch.enqueue_on_commit("payments.reconcile")


@shared_task(name="payments.keep_webhook_endpoint")
def keep_webhook_endpoint() -> bool:
    """Register the webhook endpoint where the start could not, because Stripe did not answer."""
    if endpoints.current() is not None:
        return True
    try:
        endpoints.ensure_webhook_endpoint(wait=timedelta(0))
    except GatewayError as error:
        logger.warning("no webhook endpoint is registered: %s", error)
        return False
    return True
