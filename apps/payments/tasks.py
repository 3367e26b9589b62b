"""Bells of the payments: webhooks to apply, events to mirror, refunds to send, and a
gateway that is back."""

import time

from celery import shared_task

from apps.payments import inbox, mirror, refunds
from apps.payments.signals import gateway_recovered
from storefront import bells

ROUNDS_FOR = 10.0  # seconds


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
