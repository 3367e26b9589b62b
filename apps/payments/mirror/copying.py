"""Copies a batch of applied events into dj-stripe's tables.

    1. claim     a lease and an attempt for each event (claiming.py)
    2. read      the payments as they are now, with charge, balance transaction, payment method and
                 refunds (reading.py); outside any transaction
    3. write     the objects, the Event rows, the log of webhooks, and "mirrored" in the inbox
                 (tables.py, event_rows.py)
    4. send      dj-stripe's signals, for events to which a receiver is connected: each
                 in a transaction with its Event row, so that one that raises is tried again

The batch that fails is done once more event by event, so that one bad event stops no other. Events
about anything else than payments are given to `Event.process`, dj-stripe's own way, one by one.
"""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from django.db import transaction
from djstripe.models import Event

from apps.core.redaction import redact
from apps.payments.gateway import GatewayThrottled, GatewayTransient
from apps.payments.mirror import event_rows, reading, tables
from apps.payments.mirror.claiming import Claimed, batches
from apps.payments.mirror.touched import Touched
from apps.payments.models import WebhookInbox
from apps.payments.stripe_account import owner_account
from apps.payments.stripe_gateway import bound_library_calls, stripe_gateway_from_settings

logger = logging.getLogger(__name__)

UNSETTLED = "its balance transaction is not there yet"
Read = Callable[[list[Touched]], reading.Shown]


def mirror_due(*, at_most: float) -> int:
    """Mirror events for up to `at_most` seconds; how many.

    Stops at once when the gateway does not answer: what was claimed is tried again later.
    """
    bound_library_calls()
    mirrored = 0
    with ThreadPoolExecutor(reading.READERS) as readers:  # starts a thread when one is used
        gateway = stripe_gateway_from_settings().that_can_wait()
        read = partial(reading.read, read=gateway.read, readers=readers)
        for claimed in batches(until=time.monotonic() + at_most):
            try:
                mirrored += _mirror(claimed, read)
            except GatewayThrottled:
                # Payments come first. However long a sale lasts, it costs the events no attempt.
                event_rows.give_back([event.event_id for event in claimed])
                break
            except GatewayTransient as away:
                _failed([event.event_id for event in claimed], away)
                break
    return mirrored


def _mirror(claimed: Sequence[Claimed], read: Read) -> int:
    """Mirror a batch; how many of it. Raises GatewayTransient."""
    of_payments = [event for event in claimed if event.touched]
    try:
        mirrored = _copy(of_payments, read)
    except GatewayTransient:
        raise
    except Exception as error:
        logger.warning("a batch of %d events: %s", len(of_payments), type(error).__name__)
        mirrored = sum(_copy_alone(event, read) for event in of_payments)
    return mirrored + sum(_process(event) for event in claimed if not event.touched)


def _copy_alone(event: Claimed, read: Read) -> int:
    try:
        return _copy([event], read)
    except GatewayTransient:
        raise
    except Exception as error:  # whatever it stumbles over must not stop the rest
        _failed([event.event_id], error)
        return 0


def _copy(events: Sequence[Claimed], read: Read) -> int:
    """Copy what these events are about, and the events; how many of them are mirrored."""
    if not events:
        return 0
    account = owner_account()
    shown = read([event.touched for event in events if event.touched])
    unsettled = [e for e in events if e.touched and e.touched.intent_id in shown.unsettled]
    with_receivers = [e for e in events if event_rows.has_receivers(e.type)]
    quiet = [e.event_id for e in events if e not in with_receivers]
    with transaction.atomic():
        tables.write(shown, account=account, read_at=events[0].claimed_at)
        event_rows.record(quiet, account=account)
        mirrored = event_rows.finish(
            [id for id in quiet if id not in {e.event_id for e in unsettled}], account=account
        )
        if unsettled:
            event_rows.note_failure([e.event_id for e in unsettled], UNSETTLED, account=account)
    for event in with_receivers:
        mirrored += _send(event, account=account, settled=event not in unsettled)
    return mirrored


def _send(event: Claimed, *, account: str | None, settled: bool) -> int:
    """Record the event and call its receivers, once in effect; 1 when it is mirrored."""
    try:
        with transaction.atomic():
            if event_rows.record([event.event_id], account=account):
                event_rows.send(event.event_id)
            return event_rows.finish([event.event_id], account=account) if settled else 0
    except Exception as error:
        _failed([event.event_id], error)
        return 0


def _process(event: Claimed) -> int:
    """dj-stripe's own way, for what is not about a payment; 1 when it is mirrored."""
    row = WebhookInbox.objects.filter(pk=event.event_id)
    try:
        Event.process(data=row.values_list("payload", flat=True).get())
    except Exception as error:  # whatever the library stumbles over must not stop the rest
        _failed([event.event_id], error)
        return 0
    return event_rows.finish([event.event_id], account=None)


def _failed(event_ids: list[str], error: Exception) -> None:
    what = type(error).__name__
    logger.warning("not mirrored: %s, %d in all: %s", event_ids[0], len(event_ids), what)
    event_rows.note_failure(event_ids, redact(f"{what}: {error}"))
