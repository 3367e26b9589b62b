"""Applies the events of the inbox, many at a time.

    1. claim a batch under a lease (claiming.py)
    2. settle the payments about which they are news: forward only (ledger.py), in a commit of its
       own
    3. send `payments_settled` and mark the rows: a second commit

A process that dies between 2 and 3 leaves the rows due; settling again changes nothing, and the
signal is sent again. It is two commits because the saga's worker locks its saga before the payment:
a receiver under the payment's lock could deadlock with it.
"""

import logging

from django.db import transaction

from apps.core import failpoints, leases
from apps.payments import refund_matching
from apps.payments.facts import PaymentFact
from apps.payments.gateway import get_gateway
from apps.payments.inbox.claiming import MAX_ATTEMPTS, Event, claim, mark
from apps.payments.inbox.verdicts import (
    State,
    Verdict,
    about_intent,
    about_refund,
    payments_of,
)
from apps.payments.ledger import settle
from apps.payments.models import WebhookInbox
from apps.payments.signals import payments_settled

logger = logging.getLogger(__name__)

BATCH = 200
OF_REFUNDS = ("refund.", "charge.refund.")  # the types of events about a Refund
failpoints.declare("inbox.settle", "before_commit", "after_commit")
failpoints.declare("inbox.mark", "before_commit", "after_commit")


def apply_due(*, limit: int = BATCH) -> int:
    """Apply what is due, one round; how many rows were claimed."""
    claimed = 0
    for most, crashed in leases.one_round(limit):
        events = claim(most, crashed=crashed)
        if events:
            _apply_claimed(events)
        claimed += len(events)
    return claimed


def _apply_claimed(events: list[Event]) -> None:
    verdicts = {
        event.event_id: Verdict(State.DEAD, f"not applied in {MAX_ATTEMPTS} tries")
        for event in events
        if event.attempts > MAX_ATTEMPTS
    }
    events = [event for event in events if event.event_id not in verdicts]
    try:
        verdicts |= _apply(events)
    except Exception:
        logger.exception(
            "a batch of %d events failed; its events are applied one by one", len(events)
        )
        for event in events:
            verdicts |= _apply_alone(event)
    with transaction.atomic():
        order_ids = {v.order_id for v in verdicts.values() if v.order_id is not None}
        payments_settled.send(sender=WebhookInbox, order_ids=order_ids)
        mark(verdicts)
        failpoints.reach("inbox", "mark", "before_commit")
    failpoints.reach("inbox", "mark", "after_commit")


def _apply_alone(event: Event) -> dict[str, Verdict]:
    try:
        return _apply([event])
    except Exception as error:
        logger.exception("event %s could not be applied", event.event_id)
        if event.attempts >= MAX_ATTEMPTS:
            return {event.event_id: Verdict(State.DEAD, f"{type(error).__name__}: {error}"[:255])}
        # Due again after its lease. It counts as crashed: it is claimed alone and fails no batch.
        return {}


def _apply(events: list[Event]) -> dict[str, Verdict]:
    verdicts: dict[str, Verdict] = {}
    with transaction.atomic():
        intents = {
            event.event_id: get_gateway().read_intent(event.object)
            for event in events
            if event.type.startswith("payment_intent.")
        }
        sent = {
            event.event_id: get_gateway().read_refund(event.object)
            for event in events
            if event.type.startswith(OF_REFUNDS)
        }
        payments = payments_of(intents.values())
        ours = refund_matching.by_gateway_id(sent.values())
        facts: list[PaymentFact] = []
        for event in events:
            if event.event_id in intents:
                verdicts[event.event_id] = about_intent(intents[event.event_id], payments, facts)
            elif event.event_id not in sent:
                verdicts[event.event_id] = Verdict(State.IGNORED, "not acted on")
        # Locks all payments of the batch at once, in ascending id; the refunds lock no others.
        settle(facts, also={refund.payment_id for refund in ours.values()})
        for event_id, refund in sent.items():
            verdicts[event_id] = about_refund(refund, ours.get(refund.id))
        failpoints.reach("inbox", "settle", "before_commit")
    failpoints.reach("inbox", "settle", "after_commit")
    return verdicts
