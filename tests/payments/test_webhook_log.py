"""The log of refused webhooks: what staff need to see, and no more than a stranger may fill."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection
from djstripe.models import WebhookEventTrigger

from apps.core import rate_limits
from apps.payments import webhook_log
from apps.payments.models import WebhookInbox
from apps.payments.webhook_log import BODY_KEPT, REFUSED_OF_ADDRESS, forget_old_refusals
from tests.orders.purchases import Shop, an_event, signed


@pytest.fixture(autouse=True)
def limits(settings: Any) -> None:
    settings.RATE_LIMITS = True
    rate_limits.begin_anew()


def forged(shop: Shop, **given: Any) -> int:
    return shop.post_webhook(
        an_event("payment_intent.succeeded", {"id": "pi_1"}),
        signature="t=1790000000,v1=" + "ab" * 32,
        **given,
    )


def test_forged_webhook_is_in_the_log_without_its_signature(shop: Shop) -> None:
    given = {"HTTP_USER_AGENT": "curl/8", "HTTP_AUTHORIZATION": "Bearer secret", "HTTP_COOKIE": "c"}
    assert forged(shop, REMOTE_ADDR="203.0.113.7", **given) == 400

    refused = WebhookEventTrigger.objects.get()
    assert (refused.valid, refused.processed, refused.event) == (False, False, None)
    assert refused.exception == "BadSignature: no matching signature"
    assert refused.remote_ip == "203.0.113.7"
    assert str(refused.webhook_endpoint.djstripe_uuid) in shop.endpoint()
    assert json.loads(refused.body)["type"] == "payment_intent.succeeded"
    assert set(refused.headers) == {
        "Content-Type", "Content-Length", "User-Agent", "Stripe-Signature",
    }  # fmt: skip
    assert refused.headers["Stripe-Signature"] == "t=1790000000,[withheld]"


def test_unsigned_and_garbled_webhooks_are_in_the_log(shop: Shop) -> None:
    assert shop.post_webhook(an_event("x", {}), HTTP_STRIPE_SIGNATURE="") == 400
    assert shop.post_webhook(b"not json\x00") == 400

    why = WebhookEventTrigger.objects.order_by("id").values_list("exception", "body")
    assert why[0][0] == "unsigned"
    assert why[1][0].startswith("JSONDecodeError")
    assert why[1][1] == "not json"


def test_webhook_to_an_unknown_endpoint_is_not_in_the_log(shop: Shop) -> None:
    event = an_event("x", {})
    assert shop.post_webhook(event, to=f"/stripe/webhook/{uuid4()}/") == 404
    assert (
        shop.post_webhook(event, to=f"/stripe/webhook/{uuid4()}/", HTTP_STRIPE_SIGNATURE="") == 400
    )
    assert not WebhookEventTrigger.objects.exists()


def test_long_bodies_are_cut_and_card_numbers_taken_out(shop: Shop) -> None:
    body = b'{"card": "4242 4242 4242 4242", "x": "' + b"y" * 100_000 + b'"}'
    assert shop.post_webhook(body, signature=signed(body, secret="whsec_guessed")) == 400

    kept = WebhookEventTrigger.objects.get().body
    assert len(kept) == BODY_KEPT
    assert "4242" not in kept


def test_stranger_fills_no_table(shop: Shop) -> None:
    for _ in range(REFUSED_OF_ADDRESS.amount + 5):
        assert forged(shop, REMOTE_ADDR="203.0.113.7") == 400
    assert WebhookEventTrigger.objects.count() == REFUSED_OF_ADDRESS.amount

    assert forged(shop, REMOTE_ADDR="203.0.113.8") == 400
    assert WebhookEventTrigger.objects.count() == REFUSED_OF_ADDRESS.amount + 1


def test_only_the_newest_refusals_are_kept(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_log, "REFUSED_KEPT", 3)
    WebhookEventTrigger.objects.bulk_create(
        WebhookEventTrigger(remote_ip="0.0.0.0", headers={}, body=str(n), valid=n % 2 == 0)
        for n in range(12)
    )

    assert forget_old_refusals() == 3
    assert forget_old_refusals() == 0

    kept = WebhookEventTrigger.objects.order_by("id").values_list("body", "valid")
    assert [body for body, valid in kept if not valid] == ["7", "9", "11"]
    assert [body for body, valid in kept if valid] == ["0", "2", "4", "6", "8", "10"]


@pytest.mark.django_db
def test_old_refusals_are_found_by_an_index() -> None:
    """dj-stripe's table has none for it, and grows by a row for each event: see migration 0010."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN " + webhook_log.FORGET, [10])
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert plan.count("payments_refused_webhooks") == 2, plan


def test_log_that_cannot_be_written_is_no_error(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(**_: Any) -> None:
        raise DatabaseError("server closed the connection unexpectedly")

    shop.endpoint()
    monkeypatch.setattr(WebhookEventTrigger.objects, "create", away)
    assert forged(shop) == 400


@pytest.mark.parametrize("forwarded", ["garbage", "999.999.999.999", "2001:db8::1", "\x00"])
def test_sender_whose_address_is_garbled_is_kept_all_the_same(
    shop: Shop, settings: Any, forwarded: str
) -> None:
    settings.TRUSTED_PROXIES = 1
    given = {"HTTP_X_FORWARDED_FOR": forwarded}
    assert forged(shop, **given) == 400
    assert shop.post_webhook(an_event("x", {}), **given) == 200

    sender = WebhookEventTrigger.objects.get().remote_ip
    assert sender == WebhookInbox.objects.get().remote_ip
    assert sender == ("2001:db8::" if ":" in forwarded else "127.0.0.1")
