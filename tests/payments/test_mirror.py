"""dj-stripe's tables: filled from the inbox in batches, and no failure of theirs is the shop's."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import stripe
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from djstripe.models import (
    BalanceTransaction,
    Charge,
    Event,
    PaymentIntent,
    Refund,
    WebhookEventTrigger,
)

from apps.core import metrics
from apps.orders.fulfilment.cancellation import request_cancellation
from apps.payments import mirror, stripe_account
from apps.payments.inbox import apply_due
from apps.payments.mirror import backlog, claiming, event_rows, mirror_due, tables
from apps.payments.models import MIRROR_ATTEMPTS_MAX, WebhookInbox
from apps.payments.stripe_gateway import StripeGateway
from apps.payments.stripe_http import CurlClient
from tests.factories import a_mug
from tests.orders.purchases import TOTAL, Killed, Shop, an_event, at_once


@pytest.fixture(autouse=True)
def library_host(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """dj-stripe reads STRIPE_API_HOST once, when it is imported."""
    monkeypatch.setattr(stripe, "api_base", shop.sandbox.url)


def waits_end() -> None:
    WebhookInbox.objects.update(due_at="2020-01-01T00:00Z")


OUTAGE = {"fault": "outage"}


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
    charge, refund = Charge.objects.get(), Refund.objects.get()
    assert charge.stripe_data["amount_refunded"] == TOTAL
    assert (charge.payment_intent, charge.payment_method) == (copied, copied.payment_method)
    assert charge.payment_method.stripe_data["card"]["last4"] == "4242"
    assert (refund.charge, refund.stripe_data["amount"]) == (charge, TOTAL)
    paid, back = charge.balance_transaction, refund.balance_transaction
    assert (paid.amount, paid.net, paid.fee) == (TOTAL, TOTAL - paid.fee, 104)  # 2.9 % and 30
    assert (back.amount, back.net) == (-TOTAL, -TOTAL)
    assert BalanceTransaction.objects.count() == 2
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
    def stumble(*_: Any, **__: Any) -> None:
        raise ValueError("a column that is not known")

    monkeypatch.setattr(tables, "write", stumble)
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


def test_short_outage_uses_up_one_attempt_and_is_made_up_for(shop: Shop) -> None:
    shop.place_confirmed()
    shop.hear()
    shop.sandbox.faults(OUTAGE)
    assert mirror_due(at_most=1) == 0
    shop.sandbox.faults()
    assert set(WebhookInbox.objects.values_list("mirror_attempts", flat=True)) == {1}
    assert mirror_due(at_most=1) == 0, "not at once"
    waits_end()

    assert mirror_due(at_most=30) == WebhookInbox.objects.count()
    assert backlog() == 0


def test_event_that_cannot_be_copied_is_given_up_and_delays_no_other(
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

    for _ in range(MIRROR_ATTEMPTS_MAX + 2):
        mirror_due(at_most=30)
        waits_end()

    assert len(tried) == MIRROR_ATTEMPTS_MAX
    assert Event.objects.count() == WebhookInbox.objects.count() - 1
    assert backlog() == 0


def test_mirror_that_is_killed_goes_on_where_it_was(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.place_confirmed()
    shop.hear()
    monkeypatch.setattr(claiming, "BATCH", 1)
    really = event_rows.record
    with monkeypatch.context() as patch:

        def die_at_the_second(ids: Any, **given: Any) -> Any:
            if Event.objects.exists():
                raise Killed
            return really(ids, **given)

        patch.setattr(event_rows, "record", die_at_the_second)
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
    monkeypatch.setattr(claiming, "BATCH", 3)
    really = event_rows.record
    tried: list[str] = []

    def noted(ids: Any, **given: Any) -> Any:
        tried.extend(ids)
        return really(ids, **given)

    monkeypatch.setattr(event_rows, "record", noted)

    counts = at_once(2, lambda _: mirror_due(at_most=30))

    assert sum(counts) == len(tried) == len(set(tried)) == WebhookInbox.objects.count()
    assert WebhookEventTrigger.objects.count() == Event.objects.count() == len(tried)


def test_library_calls_are_bound_by_the_shops_timeouts(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dj-stripe's own calls would wait 80 s for a gateway that hangs, and every event with them."""
    monkeypatch.setattr(stripe, "default_http_client", None)

    mirror_due(at_most=1)

    assert isinstance(stripe.default_http_client, CurlClient)


# --- Many at a time -----------------------------------------------------------------------------


def cost(shop: Shop) -> tuple[int, int, int]:
    """Events mirrored, and what that took: statements, and requests of the gateway."""
    requests = shop.sandbox.control("state")["requests"]
    with CaptureQueriesContext(connection) as asked:
        mirrored = mirror_due(at_most=30)
    return mirrored, len(asked), shop.sandbox.control("state")["requests"] - requests


def test_twice_the_orders_take_the_same_statements_and_calls(shop: Shop) -> None:
    plenty = a_mug(sku="MUG-PLENTY", stock=100)
    shop.place_confirmed()
    shop.hear()
    mirror_due(at_most=30)  # makes the account known
    for _ in range(6):
        shop.place((plenty, 1))
    shop.run()
    shop.hear("payment_intent.amount_capturable_updated")
    few = cost(shop)
    for _ in range(12):
        shop.place((plenty, 1))
    shop.run()
    shop.hear("payment_intent.amount_capturable_updated")

    many = cost(shop)

    assert (few[0], many[0]) == (6, 12)
    assert few[1:] == many[1:]


def test_nothing_that_opens_a_payment_is_copied(shop: Shop) -> None:
    shop.place_confirmed()
    shop.hear()
    assert "_secret_" in str(list(WebhookInbox.objects.values_list("payload"))), "control"

    mirror_due(at_most=30)

    copied = [
        *PaymentIntent.objects.values_list("stripe_data"),
        *Event.objects.values_list("data", "stripe_data"),
        *WebhookEventTrigger.objects.values_list("body", "headers"),
    ]
    assert copied
    assert "_secret" not in str(copied)


def test_what_was_read_earlier_does_not_overwrite_what_was_read_later(shop: Shop) -> None:
    """Two mirrors at work on events of one payment: the slower one knows less."""
    shop.place_confirmed()
    shop.hear()
    mirror_due(at_most=30)
    known = PaymentIntent.objects.get()
    before = known.stripe_data | {"status": "requires_capture"}

    for later, written in ((-1, 0), (1, 1)):
        read_at = known.djstripe_updated + timedelta(seconds=later)
        account = known.djstripe_owner_account.id
        assert tables.upsert(PaymentIntent, [before], account=account, read_at=read_at) == written

    assert PaymentIntent.objects.get().stripe_data["status"] == "requires_capture"


def test_charge_whose_balance_transaction_comes_later_is_looked_at_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stripe makes it after the capture, and no event that is subscribed to says when."""
    shop.place_confirmed()
    shop.hear("payment_intent.succeeded")
    really = StripeGateway.read

    def too_early(self: StripeGateway, path: str, **params: Any) -> dict[str, Any]:
        shown = really(self, path, **params)
        if "latest_charge" in shown:  # not the account
            shown["latest_charge"]["balance_transaction"] = None
        return shown

    with monkeypatch.context() as patch:
        patch.setattr(StripeGateway, "read", too_early)
        assert mirror_due(at_most=30) == 0
    assert Charge.objects.get().balance_transaction is None
    assert backlog() == 1

    waits_end()
    assert mirror_due(at_most=30) == 1
    assert Charge.objects.get().balance_transaction.amount == TOTAL
    assert WebhookEventTrigger.objects.count() == Event.objects.count() == 1


# --- The log of webhooks ------------------------------------------------------------------------


def test_every_mirrored_event_stands_in_the_log_of_webhooks(shop: Shop) -> None:
    shop.place_confirmed()
    (event,) = shop.events("payment_intent.succeeded")
    shop.post_webhook(event, REMOTE_ADDR="203.0.113.7")
    shop.post_webhook(event)
    apply_due()
    mirror_due(at_most=30)

    logged = WebhookEventTrigger.objects.get()

    assert (logged.valid, logged.processed, logged.exception) == (True, True, "")
    assert logged.event.id == event["id"]
    assert logged.remote_ip == "203.0.113.7"
    assert str(logged.webhook_endpoint.djstripe_uuid) in shop.endpoint()
    assert logged.created == WebhookInbox.objects.get().received_at
    assert logged.json_body["data"]["object"]["amount"] == TOTAL
    assert logged.stripe_trigger_account == logged.event.djstripe_owner_account
    assert event_rows.finish([event["id"]], account=None) == 0, "by a mirror that was slower"
    assert WebhookEventTrigger.objects.count() == 1


def test_event_out_of_tries_stands_there_as_not_processed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.place_confirmed()
    shop.hear("payment_intent.succeeded")
    with monkeypatch.context() as patch:

        def stumble(*_: Any, **__: Any) -> None:
            raise ValueError("a column that is not known")

        patch.setattr(tables, "write", stumble)
        for _ in range(MIRROR_ATTEMPTS_MAX):
            assert not WebhookEventTrigger.objects.exists()
            mirror_due(at_most=30)
            waits_end()

    logged = WebhookEventTrigger.objects.get()
    assert (logged.valid, logged.processed, logged.event) == (True, False, None)
    assert logged.exception == "ValueError: a column that is not known"
    event_id = WebhookInbox.objects.get().event_id
    assert mirror.retry(event_id, actor="clerk", reason="the column is there")
    assert mirror_due(at_most=30) == 1
    assert list(WebhookEventTrigger.objects.order_by("id").values_list("processed", flat=True)) == [
        False,
        True,
    ]


# --- How far it lags ----------------------------------------------------------------------------


def reading(name: str) -> float:
    (sql,) = (each.sql for each in metrics.database_readings() if each.name == name)
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return float(cursor.fetchone()[0] or 0)


def test_lag_does_not_count_events_that_wait_for_a_decision(shop: Shop) -> None:
    shop.post_webhook(an_event("x", {}) | {"livemode": True})
    shop.place_confirmed()
    shop.hear("payment_intent.succeeded")
    WebhookInbox.objects.update(received_at=timezone.now() - timedelta(hours=1))

    assert reading("webhooks_unmirrored") == 1
    assert 3600 <= reading("webhooks_unmirrored_seconds") < 3700

    mirror_due(at_most=30)
    assert WebhookInbox.objects.get(mirrored_at=None).state == "quarantined"
    assert (reading("webhooks_unmirrored"), reading("webhooks_unmirrored_seconds")) == (0, 0)


def test_event_that_kills_its_worker_is_tried_alone(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        shop.place()
    shop.run()
    shop.hear("payment_intent.succeeded")
    worst = WebhookInbox.objects.latest("received_at").pk
    really = event_rows.record

    def die(ids: Any, **given: Any) -> Any:
        if worst in ids:
            raise Killed
        return really(ids, **given)

    monkeypatch.setattr(event_rows, "record", die)
    for mirrored in (0, 0, 2):  # twice in a batch with the others, then each alone
        with pytest.raises(Killed):
            mirror_due(at_most=30)
        assert Event.objects.count() == mirrored
        waits_end()
    assert WebhookInbox.objects.get(mirrored_at=None).pk == worst


RESTRICTED = "rk_test_" + "r" * 32


@pytest.fixture
def restricted(shop: Shop, settings: Any) -> str:
    """The shop's key may do everything but read its account."""
    settings.STRIPE_SECRET_KEY = settings.STRIPE_TEST_SECRET_KEY = RESTRICTED
    stripe_account._refused.clear()
    return RESTRICTED


@pytest.mark.usefixtures("restricted")
def test_restricted_key_cannot_read_its_account_and_the_mirror_goes_on(shop: Shop) -> None:
    shop.place_confirmed()
    shop.hear("payment_intent.succeeded")

    assert mirror_due(at_most=30) == 1
    assert PaymentIntent.objects.get().djstripe_owner_account is None


@pytest.mark.usefixtures("restricted")
def test_restricted_key_is_asked_for_its_account_once(shop: Shop) -> None:
    assert [stripe_account.owner_account() for _ in range(3)] == [None] * 3
    before = shop.sandbox.control("state")["requests"]
    assert stripe_account.owner_account() is None
    assert shop.sandbox.control("state")["requests"] == before


@pytest.mark.usefixtures("restricted")
def test_restricted_key_that_may_read_its_account_has_an_owner(shop: Shop) -> None:
    shop.sandbox.control("keys", {RESTRICTED: {"accounts": "read", "payment_intents": "write"}})
    account = stripe_account.owner_account()
    assert account is not None
    before = shop.sandbox.control("state")["requests"]
    assert stripe_account.owner_account() == account
    assert shop.sandbox.control("state")["requests"] == before, "kept in dj-stripe's tables"


@pytest.mark.usefixtures("restricted")
def test_event_about_no_payment_is_mirrored_with_a_restricted_key(shop: Shop) -> None:
    """dj-stripe's own way asks for the account at each object that it writes."""
    event = an_event("payout.paid", {"id": "po_1", "object": "payout", "livemode": False})
    assert shop.post_webhook(event) == 200
    while apply_due():
        pass
    mirror_due(at_most=30)
    kept = WebhookInbox.objects.get(pk=event["id"])
    assert "Permission" not in kept.mirror_error
