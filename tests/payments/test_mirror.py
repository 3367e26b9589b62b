"""dj-stripe's tables: filled from the inbox at leisure, and no trouble of theirs is the shop's."""

from __future__ import annotations

from typing import Any

import pytest
import stripe
from djstripe.models import Charge, Event, PaymentIntent, Refund

from apps.orders.cancel import request_cancellation
from apps.payments import mirror
from apps.payments.inbox import apply_due
from apps.payments.mirror import backlog, mirror_due
from apps.payments.models import WebhookInbox
from apps.payments.stripe_http import CurlClient
from tests.orders.purchases import TOTAL, Killed, Shop, an_event, at_once


@pytest.fixture(autouse=True)
def library_host(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """dj-stripe reads STRIPE_API_HOST once, when it is imported."""
    monkeypatch.setattr(stripe, "api_base", shop.sandbox.url)


def waits_end() -> None:
    WebhookInbox.objects.update(due_at="2020-01-01T00:00Z")


def test_whole_purchase_is_copied(shop: Shop) -> None:
    order_id = shop.place_confirmed()
    request_cancellation(order_id)
    shop.run()
    shop.hear()
    waiting = WebhookInbox.objects.count()
    assert backlog() == waiting > 3

    assert mirror_due(at_most=30) == waiting

    assert backlog() == 0
    assert Event.objects.count() == waiting
    payment = shop.payment(order_id)
    copied = PaymentIntent.objects.get(id=payment.intent_id)
    assert copied.stripe_data["amount"] == TOTAL
    assert copied.stripe_data["status"] == "succeeded"
    assert Charge.objects.get().stripe_data["amount_refunded"] == TOTAL
    assert Refund.objects.get().stripe_data["amount"] == TOTAL
    assert WebhookInbox.objects.filter(mirrored_at__isnull=True).count() == 0
    assert mirror_due(at_most=1) == 0


def test_events_that_wait_or_are_put_aside_are_not_copied(shop: Shop) -> None:
    shop.post_webhook(an_event("payment_intent.succeeded", {}))
    shop.post_webhook(an_event("x", {}) | {"livemode": True})
    assert (mirror_due(at_most=1), backlog()) == (0, 0)
    assert Event.objects.count() == 0


def test_library_that_fails_disturbs_neither_inbox_nor_order(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(**_: Any) -> None:
        raise stripe.APIConnectionError("away")

    monkeypatch.setattr(Event, "process", stumble)
    order_id = shop.place(card="pm_card_threeDSecure2Required")
    shop.run()
    shop.answer_challenge(order_id, "approve")
    shop.hear()
    rows = WebhookInbox.objects.order_by("event_id")
    before = list(rows.values_list("state", "error", "attempts", "processed_at"))

    assert mirror_due(at_most=1) == 0

    after = list(rows.values_list("state", "error", "attempts", "processed_at"))
    assert after == before
    assert backlog() == len(before)
    assert apply_due() == 0
    shop.run()
    shop.assert_confirmed(order_id)


def test_short_outage_uses_up_one_attempt_and_is_made_up_for(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.place_confirmed()
    shop.hear()
    with monkeypatch.context() as patch:

        def stumble(**_: Any) -> None:
            raise stripe.APIConnectionError("away")

        patch.setattr(Event, "process", stumble)
        mirror_due(at_most=1)
    assert set(WebhookInbox.objects.values_list("mirror_attempts", flat=True)) == {1}
    assert mirror_due(at_most=1) == 0, "not at once"
    waits_end()

    assert mirror_due(at_most=30) == WebhookInbox.objects.count()
    assert backlog() == 0


def test_event_that_cannot_be_copied_is_given_up_and_holds_up_nobody(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.post_webhook(an_event("charge.updated", {"id": "ch_odd", "object": "mystery"}))
    apply_due()
    shop.place_confirmed()
    shop.hear()
    really = Event.process
    tried = []

    def pick(data: Any) -> Any:
        if data["data"]["object"].get("object") == "mystery":
            tried.append(data["id"])
            raise ValueError("a mystery")
        return really(data=data)

    monkeypatch.setattr(Event, "process", pick)

    for _ in range(mirror.MAX_ATTEMPTS + 2):
        mirror_due(at_most=30)
        waits_end()

    assert len(tried) == mirror.MAX_ATTEMPTS
    assert Event.objects.count() == WebhookInbox.objects.count() - 1
    assert backlog() == 0


def test_mirror_that_is_killed_goes_on_where_it_was(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.place_confirmed()
    shop.hear()
    really = Event.process
    with monkeypatch.context() as patch:

        def die_at_the_second(data: Any) -> Any:
            if Event.objects.exists():
                raise Killed
            return really(data=data)

        patch.setattr(Event, "process", die_at_the_second)
        with pytest.raises(Killed):
            mirror_due(at_most=30)
    assert Event.objects.count() == 1
    waits_end()
    mirror_due(at_most=30)
    assert Event.objects.count() == WebhookInbox.objects.count()


@pytest.mark.race
def test_two_mirrors_copy_each_event_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(6):
        shop.place()
    shop.run()
    shop.hear()
    monkeypatch.setattr(mirror, "BATCH", 3)
    tried: list[str] = []
    monkeypatch.setattr(Event, "process", lambda data: tried.append(data["id"]))

    counts = at_once(2, lambda _: mirror_due(at_most=30))

    assert sum(counts) == len(tried) == len(set(tried)) == WebhookInbox.objects.count()


def test_library_calls_are_bound_by_the_shops_timeouts(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dj-stripe's own calls would wait 80 s for a gateway that hangs, and every event with them."""
    monkeypatch.setattr(stripe, "default_http_client", None)

    mirror_due(at_most=1)

    assert isinstance(stripe.default_http_client, CurlClient)
