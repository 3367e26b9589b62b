"""Webhooks as they arrive at a listener: signed, subscribed, repeated, and badly on purpose."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import count, pairwise

import pytest
import stripe

from tests.payments.sandbox_process import Received, SandboxProcess, WebhookListener
from tests.tools.stripe_sandbox.test_payments import authorized
from tests.waiting import until

Subscribe = Callable[..., stripe.WebhookEndpoint]


@pytest.fixture
def subscribe(client: stripe.StripeClient, listener: WebhookListener) -> Subscribe:
    def subscribe(*events: str) -> stripe.WebhookEndpoint:
        return client.v1.webhook_endpoints.create(
            {"url": listener.url, "enabled_events": list(events)}  # type: ignore[typeddict-item]
        )

    return subscribe


def test_webhook_is_signed_over_its_raw_bytes(
    client: stripe.StripeClient, listener: WebhookListener, subscribe: Subscribe
) -> None:
    endpoint = subscribe("payment_intent.amount_capturable_updated")
    intent = authorized(client, metadata={"order_id": "o1"})
    (got,) = listener.take(1)
    event = stripe.Webhook.construct_event(got.body, got.signature, endpoint.secret)
    assert event.type == "payment_intent.amount_capturable_updated"
    assert event.data.object["id"] == intent.id
    assert event.data.object["metadata"]["order_id"] == "o1"
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(got.body + b" ", got.signature, endpoint.secret)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(got.body, got.signature, "whsec_other")


def test_secret_is_shown_once(client: stripe.StripeClient, subscribe: Subscribe) -> None:
    endpoint = subscribe("*")
    assert str(endpoint.secret).startswith("whsec_")
    again = client.v1.webhook_endpoints.retrieve(endpoint.id)
    assert "secret" not in again.to_dict()
    assert [one.id for one in client.v1.webhook_endpoints.list().data] == [endpoint.id]


def test_only_subscribed_events_are_sent(
    client: stripe.StripeClient, listener: WebhookListener, subscribe: Subscribe
) -> None:
    subscribe("payment_intent.succeeded", "charge.refunded")
    intent = authorized(client)
    client.v1.payment_intents.capture(intent.id)
    client.v1.refunds.create({"payment_intent": intent.id})
    assert [got.type for got in listener.take(2)] == ["payment_intent.succeeded", "charge.refunded"]
    assert listener.nothing_comes()


def test_every_event_of_a_life_in_order(
    client: stripe.StripeClient, listener: WebhookListener, subscribe: Subscribe
) -> None:
    subscribe("*")
    intent = authorized(client)
    client.v1.payment_intents.capture(intent.id)
    client.v1.refunds.create({"payment_intent": intent.id})
    with pytest.raises(stripe.CardError):
        authorized(client, payment_method="pm_card_visa_chargeDeclined")
    client.v1.payment_intents.cancel(authorized(client).id)
    types = [got.type for got in listener.take(15)]
    assert types[:7] == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.amount_capturable_updated",
        "charge.captured",
        "payment_intent.succeeded",
        "refund.created",
        "charge.refunded",
    ]
    assert {"charge.failed", "payment_intent.payment_failed", "payment_intent.canceled"} <= set(
        types[7:]
    )


def test_event_keeps_the_object_as_it_was(
    client: stripe.StripeClient, listener: WebhookListener, subscribe: Subscribe
) -> None:
    subscribe("payment_intent.amount_capturable_updated")
    intent = authorized(client)
    client.v1.payment_intents.capture(intent.id)
    (got,) = listener.take(1)
    kept = client.v1.events.retrieve(got.event["id"])
    assert kept.data.object["status"] == got.event["data"]["object"]["status"] == "requires_capture"
    assert kept.to_dict()["request"]["id"].startswith("req_")
    listed = client.v1.events.list({"types": ["payment_intent.succeeded"]})
    assert len(listed.data) == 1


def test_refused_webhook_is_repeated_with_growing_pauses(
    client: stripe.StripeClient, listener: WebhookListener, subscribe: Subscribe
) -> None:
    tries = count(1)
    listener.answer = lambda _: 500 if next(tries) < 4 else 200
    subscribe("payment_intent.created")
    authorized(client)
    got = listener.take(4)
    assert len({one.event["id"] for one in got}) == 1
    pauses = [later.at - earlier.at for earlier, later in pairwise(got)]
    # 50, 100, 200 ms; a busy machine writes a moment down late, so that a pause seems shorter.
    assert pauses[1] > 0.07 and pauses[2] > 0.14
    assert listener.nothing_comes()


def test_webhook_waits_until_it_is_taken(listener: WebhookListener) -> None:
    """Also while it is being posted, and in the pause before it is repeated."""
    sandbox = SandboxProcess()
    posted, may_answer = threading.Event(), threading.Event()
    tries = count(1)

    def answer(_: Received) -> int:
        if next(tries) < 3:
            return 500
        posted.set()
        may_answer.wait(60)
        return 200

    def waiting() -> int:
        return int(sandbox.control("state")["webhooks"]["waiting"])

    listener.answer = answer
    try:
        sandbox.start()
        client = sandbox.client()
        client.v1.webhook_endpoints.create(
            {"url": listener.url, "enabled_events": ["payment_intent.created"]}
        )
        authorized(client)
        listener.take(2)
        # Counted twice for a moment: as what is repeated, before it ends as what has failed.
        assert waiting() >= 1, "in the pause before the third try"
        assert posted.wait(60)
        assert waiting() >= 1, "while it is being posted"
        may_answer.set()
        until(lambda: waiting() == 0, "it is taken")
    finally:
        sandbox.remove()


def test_unreachable_listener_is_tried_until_it_is_there(
    client: stripe.StripeClient, listener: WebhookListener, subscribe: Subscribe
) -> None:
    listener.stop()
    subscribe("payment_intent.created")
    authorized(client)
    listener.start()
    assert listener.take(1)[0].type == "payment_intent.created"


def test_undelivered_webhooks_survive_a_killed_sandbox(listener: WebhookListener) -> None:
    sandbox = SandboxProcess(webhook_retry_ms=2000)
    listener.answer = lambda _: 503
    try:
        sandbox.start()
        client = sandbox.client()
        client.v1.webhook_endpoints.create(
            {"url": listener.url, "enabled_events": ["payment_intent.created"]}
        )
        authorized(client)
        (refused,) = listener.take(1)
        sandbox.stop(kill=True)
        listener.answer = lambda _: 200
        sandbox.start()
        (taken,) = listener.take(1)
        assert taken.event["id"] == refused.event["id"]
    finally:
        sandbox.remove()


def test_webhook_before_the_answer(
    sandbox: SandboxProcess,
    client: stripe.StripeClient,
    listener: WebhookListener,
    subscribe: Subscribe,
) -> None:
    subscribe("payment_intent.amount_capturable_updated")
    authorized(client, metadata={"sandbox_fault": "webhook_before_answer"})
    assert listener.received.qsize() == 1, "the webhook was taken before the call returned"


def test_duplicates_come_at_once_with_one_id(
    client: stripe.StripeClient, listener: WebhookListener, subscribe: Subscribe
) -> None:
    subscribe("payment_intent.created")
    authorized(client, metadata={"sandbox_fault": "webhook_duplicate:50"})
    got = listener.take(50)
    assert len({one.event["id"] for one in got}) == 1
    assert listener.nothing_comes()


def test_dropped_webhooks_never_come_but_the_events_exist(
    client: stripe.StripeClient, listener: WebhookListener, subscribe: Subscribe
) -> None:
    subscribe("payment_intent.created")
    authorized(client, metadata={"sandbox_fault": "webhook_drop"})
    assert listener.nothing_comes()
    assert len(client.v1.events.list({"type": "payment_intent.created"}).data) == 1


def test_reordered_webhooks_tell_of_the_capture_first(
    client: stripe.StripeClient, listener: WebhookListener, subscribe: Subscribe
) -> None:
    subscribe("payment_intent.amount_capturable_updated", "payment_intent.succeeded")
    intent = authorized(client, metadata={"sandbox_fault": "webhook_reorder"})
    client.v1.payment_intents.capture(intent.id)
    assert [got.type for got in listener.take(2)] == [
        "payment_intent.succeeded",
        "payment_intent.amount_capturable_updated",
    ]


def test_delayed_webhooks_come_later(
    client: stripe.StripeClient, listener: WebhookListener, subscribe: Subscribe
) -> None:
    subscribe("payment_intent.created")
    authorized(client, metadata={"sandbox_fault": "webhook_delay:1500"})
    assert listener.nothing_comes(within_s=0.3)
    assert len(listener.take(1)) == 1


def test_disabled_and_deleted_endpoints_get_nothing(
    client: stripe.StripeClient, listener: WebhookListener, subscribe: Subscribe
) -> None:
    endpoint = subscribe("payment_intent.created")
    client.v1.webhook_endpoints.update(endpoint.id, {"disabled": True})
    authorized(client)
    assert listener.nothing_comes(within_s=0.3)
    assert client.v1.webhook_endpoints.delete(endpoint.id).deleted
    assert client.v1.webhook_endpoints.list().data == []


def test_slow_listener_does_not_hold_up_the_shop(
    client: stripe.StripeClient, listener: WebhookListener, subscribe: Subscribe
) -> None:
    def slow(_: Received) -> int:
        time.sleep(1.0)
        return 200

    listener.answer = slow
    subscribe("*")
    began = time.monotonic()
    for _ in range(10):
        authorized(client)
    assert time.monotonic() - began < 8.0, "ten times three webhooks would take thirty seconds"
