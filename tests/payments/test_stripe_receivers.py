"""dj-stripe's signals: receivers are registered as it documents, and run once an event."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import stripe
from djstripe.event_handlers import djstripe_receiver
from djstripe.models import Charge, Event, PaymentIntent
from djstripe.signals import WEBHOOK_SIGNALS

from apps.payments.inbox import apply_due
from apps.payments.mirror import backlog, mirror_due
from apps.payments.models import WebhookInbox
from tests.orders.purchases import Shop, an_event

Receiver = Callable[..., None]
Connect = Callable[[str, Receiver], None]


@pytest.fixture(autouse=True)
def library_host(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """dj-stripe reads STRIPE_API_HOST once, when it is imported."""
    monkeypatch.setattr(stripe, "api_base", shop.sandbox.url)


@pytest.fixture
def connect() -> Iterator[Connect]:
    """`djstripe_receiver`, undone after the test."""
    connected: list[tuple[str, Receiver]] = []

    def to(event_type: str, receiver: Receiver) -> None:
        djstripe_receiver(event_type)(receiver)
        connected.append((event_type, receiver))

    yield to
    for event_type, receiver in connected:
        WEBHOOK_SIGNALS[event_type].disconnect(receiver, sender=Event)


def test_receiver_runs_once_an_event_and_finds_its_objects(shop: Shop, connect: Connect) -> None:
    received: list[tuple[str, str, bool]] = []

    def note(sender: Any, event: Event, **_: Any) -> None:
        intent = PaymentIntent.objects.get(id=event.data["object"]["id"])
        paid = Charge.objects.get(payment_intent=intent).balance_transaction is not None
        received.append((event.id, intent.stripe_data["status"], paid))

    connect("payment_intent.succeeded", note)
    shop.place_confirmed()
    shop.hear()
    mirror_due(at_most=30)
    WebhookInbox.objects.update(mirrored_at=None, due_at="2020-01-01T00:00Z")
    mirror_due(at_most=30)

    (event,) = shop.events("payment_intent.succeeded")
    assert received == [(event["id"], "succeeded", True)]
    assert backlog() == 0


def test_receiver_that_raises_is_called_again_and_stops_no_other_event(
    shop: Shop, connect: Connect
) -> None:
    calls: list[str] = []

    def fail_once(sender: Any, event: Event, **_: Any) -> None:
        calls.append(event.id)
        if len(calls) == 1:
            raise ValueError("the accounting is away")

    connect("payment_intent.succeeded", fail_once)
    shop.place_confirmed()
    shop.hear()
    waiting = WebhookInbox.objects.count()

    assert mirror_due(at_most=30) == waiting - 1
    assert not Event.objects.filter(type="payment_intent.succeeded").exists()
    row = WebhookInbox.objects.get(mirrored_at=None)
    assert row.mirror_error == "ValueError: the accounting is away"

    WebhookInbox.objects.update(due_at="2020-01-01T00:00Z")
    assert mirror_due(at_most=30) == 1
    assert calls == [row.event_id] * 2


def test_receivers_of_other_events_run_as_well(shop: Shop, connect: Connect) -> None:
    received: list[str] = []
    kind = "radar.early_fraud_warning.created"

    def note(sender: Any, event: Event, **_: Any) -> None:
        received.append(event.id)

    connect(kind, note)
    event = an_event(kind, {"id": "issfr_1", "object": "radar.early_fraud_warning"})
    shop.post_webhook(event)
    apply_due()

    assert mirror_due(at_most=30) == 1
    assert received == [event["id"]]
