"""The webhook inbox: every event once, applied once in effect, in whatever order they come.

    store       the view's one statement; the primary key is the gateway's event id
    apply_due   1. claim a batch (SKIP LOCKED; tries counted, `due_at` past a lease)
                2. settle the payments of which they tell something new: forward only (ledger.py),
                   own commit
                3. tell whoever waits, and mark the rows: a second commit

Dying between 2 and 3 leaves the rows due; settling again changes nothing and the word is given
again. It is two commits because the saga's worker locks its saga before the payment: telling it
under the payment's lock could deadlock.

An event that contradicts our books (another amount, another currency, a payment with another
intent) is quarantined: no effect, and a person looks.
"""

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
from django.db import DataError, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from apps.desk import log
from apps.payments import refunds
from apps.payments.gateway import GatewayRefund, Intent, get_gateway
from apps.payments.ledger import Contradiction, Learnt, is_news, learnt_from, settle
from apps.payments.models import Payment, Refund, WebhookInbox
from apps.payments.signals import payments_settled
from storefront import bells, failpoints, prepared

logger = logging.getLogger(__name__)

BATCH = 200
LEASE = timedelta(seconds=30)
MAX_ATTEMPTS = 8
ALONE_AFTER = 2  # tries that ended without a word
KIND = "webhook"  # as the desk knows it
State = WebhookInbox.State
OPEN = (State.DEAD, State.QUARANTINED)  # for a person
# Of a payment: what a fact is made of and compared with.
READ_BY_FACTS = ("order_id", "status", "amount", "currency", "intent_id", "captured_amount")
failpoints.declare("inbox.store", "before_commit", "after_commit")
failpoints.declare("inbox.settle", "before_commit", "after_commit")
failpoints.declare("inbox.mark", "before_commit", "after_commit")

STORE = """
    INSERT INTO payments_webhookinbox
        (event_id, type, payload, state, attempts, error, mirror_attempts, resolution, resolved_by)
    VALUES (%s, %s, %s::jsonb, %s, 0, %s, 0, '', '')
    ON CONFLICT (event_id) DO NOTHING
"""
# A subquery in the WHERE may be run once for each row, and then claims more than the limit.
CLAIM = """
    WITH due AS MATERIALIZED (
        SELECT event_id FROM payments_webhookinbox
        WHERE state = 'received' AND due_at <= now() AND (attempts >= %s) = %s
        ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED
    )
    UPDATE payments_webhookinbox w SET attempts = w.attempts + 1, due_at = now() + %s
    FROM due WHERE w.event_id = due.event_id
    RETURNING w.event_id, w.type, w.payload, w.attempts
"""
MARK = """
    UPDATE payments_webhookinbox w
    SET state = n.state, error = n.error, processed_at = now(), due_at = now(),
        -- What was decided about it before is over: it is an open case again.
        resolution = CASE WHEN n.open THEN '' ELSE w.resolution END,
        resolved_by = CASE WHEN n.open THEN '' ELSE w.resolved_by END,
        resolved_at = CASE WHEN n.open THEN NULL ELSE w.resolved_at END
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::bool[]) AS n(id, state, error, open)
    WHERE w.event_id = n.id AND w.state = 'received'
"""


class Garbled(Exception):
    """Signed, but not something that can be kept."""


@dataclass(frozen=True, slots=True)
class Event:
    """A claimed row."""

    event_id: str
    type: str
    payload: Mapping[str, Any]
    attempts: int

    @property
    def object(self) -> Mapping[str, Any]:
        return self.payload["data"]["object"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a row, and whose saga should hear of it."""

    state: str
    error: str = ""
    order_id: UUID | None = None


def store(event: Mapping[str, Any], *, body: bytes, quarantine: str = "") -> bool:
    """Keep a verified event; False when it is known. Rings the worker. Raises Garbled."""
    state = State.QUARANTINED if quarantine else State.RECEIVED
    failpoints.reach("inbox", "store", "before_commit")
    try:
        new = prepared.run(
            STORE, [event["id"][:120], event["type"][:80], body.decode(), state.value, quarantine]
        )
    except (DataError, UnicodeError) as error:  # also a lone surrogate in the id
        raise Garbled(str(error)) from error
    failpoints.reach("inbox", "store", "after_commit")
    if new and not quarantine:
        bells.ring("payments.apply_webhooks")
    return bool(new)


def apply_due(*, limit: int = BATCH) -> int:
    """Apply what is due: a batch, then one suspect by itself; how many rows were claimed."""
    claimed = 0
    for most, suspects in ((limit, False), (1, True)):
        events = _claim(most, suspects=suspects)
        if events:
            _apply_claimed(events)
        claimed += len(events)
    return claimed


def _claim(limit: int, *, suspects: bool) -> list[Event]:
    return [
        Event(event_id, kind, _parsed(payload), attempts)
        for event_id, kind, payload, attempts in prepared.fetch(
            CLAIM, [ALONE_AFTER, suspects, limit, LEASE]
        )
    ]


def _apply_claimed(events: list[Event]) -> None:
    # Tries are counted at the claim: an event that kills its worker runs out of them, too.
    verdicts = {
        event.event_id: Verdict(State.DEAD, f"not applied in {MAX_ATTEMPTS} tries")
        for event in events
        if event.attempts > MAX_ATTEMPTS
    }
    events = [event for event in events if event.event_id not in verdicts]
    try:
        verdicts |= _apply(events)
    except Exception:
        logger.exception("a batch of %d events did not go together", len(events))
        for event in events:
            verdicts |= _apply_alone(event)
    with transaction.atomic():
        order_ids = {v.order_id for v in verdicts.values() if v.order_id is not None}
        payments_settled.send(sender=WebhookInbox, order_ids=order_ids)
        _mark(verdicts)
        failpoints.reach("inbox", "mark", "before_commit")
    failpoints.reach("inbox", "mark", "after_commit")


def _apply_alone(event: Event) -> dict[str, Verdict]:
    try:
        return _apply([event])
    except Exception as error:
        logger.exception("event %s could not be applied", event.event_id)
        if event.attempts >= MAX_ATTEMPTS:
            return {event.event_id: Verdict(State.DEAD, f"{type(error).__name__}: {error}"[:255])}
        return {}  # stays due, after its lease


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
            if event.type.startswith("refund.")
        }
        payments = _payments_of(intents.values())
        ours = _refunds_of(sent.values())
        facts: list[Learnt] = []
        for event in events:
            if event.event_id in intents:
                verdicts[event.event_id] = _apply_intent(intents[event.event_id], payments, facts)
            elif event.event_id not in sent:
                verdicts[event.event_id] = Verdict(State.IGNORED, "not acted on")
        # Locks all payments of the batch at once, in ascending id; the refunds lock no others.
        settle(facts, also={refund.payment_id for refund in ours.values()})
        for event_id, refund in sent.items():
            verdicts[event_id] = _apply_refund(refund, ours.get(_refund_id(refund)))
        failpoints.reach("inbox", "settle", "before_commit")
    failpoints.reach("inbox", "settle", "after_commit")
    return verdicts


def _apply_intent(intent: Intent, payments: Mapping[str, Payment], facts: list[Learnt]) -> Verdict:
    payment = payments.get(intent.payment_id or "") or payments.get(intent.id)
    if payment is None:
        return Verdict(State.IGNORED, "no payment of ours")
    try:
        fact = learnt_from(payment, intent)
    except Contradiction as contradiction:
        return Verdict(State.QUARANTINED, str(contradiction)[:255])
    # Most webhooks tell what the call's own answer told before: no lock for those.
    if is_news(payment, fact):
        facts.append(fact)
    return Verdict(State.APPLIED, order_id=payment.order_id)


def _apply_refund(sent: GatewayRefund, ours: Refund | None) -> Verdict:
    if ours is None:
        return Verdict(State.IGNORED, "no refund of ours")
    if ours.amount != sent.amount or ours.payment.intent_id != sent.intent_id:
        return Verdict(State.QUARANTINED, f"{sent.id} does not fit our refund {ours.pk}")
    if sent.status in ("succeeded", "failed", "canceled"):
        new = refunds.settle(ours.pk, sent)
        if not new and sent.status != "succeeded" and _has_succeeded(ours):
            # Our books say that she has her money. A person pays it in another way.
            return Verdict(State.QUARANTINED, f"{sent.id} {sent.status} after it had succeeded")
    return Verdict(State.APPLIED, order_id=ours.payment.order_id)


def _has_succeeded(refund: Refund) -> bool:
    return Refund.objects.filter(pk=refund.pk, status=Refund.Status.SUCCEEDED).exists()


def _refunds_of(sent: Iterable[GatewayRefund]) -> dict[UUID | None, Refund]:
    wanted = [refund_id for refund_id in map(_refund_id, sent) if refund_id]
    return {r.pk: r for r in Refund.objects.filter(pk__in=wanted).select_related("payment")}


def _refund_id(sent: GatewayRefund) -> UUID | None:
    return _uuid(sent.metadata.get("refund_id"))


def _payments_of(intents: Iterable[Intent]) -> dict[str, Payment]:
    """Payments by our own id and by the gateway's."""
    intents = list(intents)
    ours = {payment_id for intent in intents if (payment_id := _uuid(intent.payment_id))}
    told = Q(pk__in=ours) | Q(intent_id__in={intent.id for intent in intents})
    found = list(Payment.objects.filter(told).only(*READ_BY_FACTS))
    by_id = {str(payment.pk): payment for payment in found}
    return by_id | {str(payment.intent_id): payment for payment in found if payment.intent_id}


def _mark(verdicts: Mapping[str, Verdict]) -> None:
    if not verdicts:
        return
    prepared.run(
        MARK,
        [
            list(verdicts),
            [str(verdict.state) for verdict in verdicts.values()],
            [verdict.error for verdict in verdicts.values()],
            [verdict.state in OPEN for verdict in verdicts.values()],
        ],
    )


def _uuid(value: str | None) -> UUID | None:
    try:
        return UUID(value) if value else None
    except ValueError:
        return None


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return json.loads(value)  # PostgreSQL keeps numbers of any length


def undecided() -> QuerySet[WebhookInbox]:
    """Dead and quarantined events that nobody has decided about."""
    return WebhookInbox.objects.filter(state__in=OPEN, resolved_at__isnull=True)


def resolve(event_id: str, *, actor: str, reason: str, again: bool) -> bool:
    """A person's word on a dead or quarantined event: apply it again, or leave it be.

    False when it is not open (any more). Raises ReasonMissing.
    """
    actor, reason = log.checked(actor, reason)
    changes: dict[str, Any] = {"state": State.RECEIVED, "attempts": 0, "due_at": Now()}
    with transaction.atomic():
        written = (
            undecided()
            .filter(event_id=event_id)
            .update(
                resolution=reason,
                resolved_by=actor,
                resolved_at=Now(),
                **(changes if again else {}),
            )
        )
        if written:
            decision = log.RETRY if again else log.RESOLVE
            log.record(KIND, event_id, decision, actor=actor, reason=reason)
        if written and again:
            transaction.on_commit(lambda: bells.ring("payments.apply_webhooks"))
    return bool(written)
