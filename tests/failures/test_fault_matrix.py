"""Faults that one process can show whole: late money, early and doubled webhooks, wrong clocks,
a full Redis."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from uuid import UUID

import pytest
import redis
from django.db import connection
from django.utils import timezone

from apps.inventory.models import Hold
from apps.notifications import delivery
from apps.orders import tasks
from apps.orders.models import Order, OrderEvent
from apps.orders.saga import hold_expiry
from apps.payments import inbox, refunds
from apps.payments.models import Payment, Refund, WebhookInbox
from tests.api.conftest import problem
from tests.factories import PASSWORD, make_alice
from tests.failures.shoppers import CHALLENGE, Shopper, sold_out
from tests.orders.checkouts import until
from tests.orders.purchases import TOTAL, Shop, signed
from tests.payments.sandbox_process import Received, WebhookListener
from tests.redis_settings import changed, full
from tests.web.conftest import Visitor
from tools import embedded

# --- Success arrives after the hold expired -------------------------------------------------------


@pytest.mark.parametrize("captured", [False, True])
def test_success_that_arrives_while_an_expired_order_is_undone_goes_back(
    shop: Shop, alice: Shopper, bob: Shopper, captured: bool
) -> None:
    """The gateway is away for us at the deadline, and not for the shopper's bank."""
    order_id = alice.buys((shop.mug, 10), payment_method=CHALLENGE)
    total = shop.order(order_id).total_amount
    shop.run()
    shop.sandbox.faults({"fault": "outage", "operations": ["payment_intents.cancel"]})
    shop.pass_deadline(order_id)
    shop.run()
    assert (alice.sees(order_id), shop.saga(order_id).state) == ("PAYMENT_FAILED", "undoing")

    shop.answer_challenge(order_id, "approve")
    if captured:
        intent_id = shop.payment(order_id).intent_id
        shop.sandbox.client().raw_request("post", f"/v1/payment_intents/{intent_id}/capture")
    shop.hear()
    shop.run()

    assert shop.payment(order_id).status == ("captured" if captured else "authorized")
    assert sold_out(bob.orders(bob.body())) == {shop.mug.sku: 0}, "still held: it may yet be kept"
    shop.sandbox.faults()
    shop.run_hurried(order_id)
    back = ("succeeded", total, total) if captured else ("canceled", 0, 0)
    assert shop.at_gateway(order_id) == [back]
    assert shop.statuses(order_id) == ["PENDING", "REQUIRES_ACTION", "PAYMENT_FAILED", "CANCELLED"]
    assert shop.stock() == (10, 0)
    shop.assert_cancelled(order_id)


# --- Webhooks early, fifty at once, in reverse ----------------------------------------------------


@pytest.fixture
def delivered(shop: Shop) -> Iterator[list[tuple[int, bool]]]:
    """The sandbox's own deliveries reach the shop, signed by it.

    For each: what the shop answered, and whether it knew the payment's id at the gateway by then.
    """
    answers: list[tuple[int, bool]] = []
    listener = WebhookListener()
    made = (
        shop.sandbox.client()
        .raw_request("post", "/v1/webhook_endpoints", url=listener.url, enabled_events=["*"])
        .data
    )
    address = shop.endpoint(secret=made["secret"])

    def hand_on(received: Received) -> int:
        try:
            known = Payment.objects.filter(intent_id__isnull=False).exists()
            status = shop.post_webhook(received.body, signature=received.signature, to=address)
        finally:
            connection.close()
        answers.append((status, known))
        return status

    listener.answer = hand_on
    listener.start()
    yield answers
    listener.stop()


@pytest.mark.parametrize("order", ["webhook_before_answer", "webhook_reorder"])
def test_webhooks_fifty_at_once_before_the_answer_or_in_reverse_are_one_purchase(
    shop: Shop, alice: Shopper, delivered: list[tuple[int, bool]], order: str
) -> None:
    shop.sandbox.faults({"fault": order}, {"fault": "webhook_duplicate", "number": 50})
    order_id = alice.buys()
    for _ in range(4):
        shop.run()
        while inbox.apply_due():
            pass
        shop.hurry()
    shop.run()

    kinds = {event["type"] for event in shop.events()}
    until(lambda: WebhookInbox.objects.count() >= len(kinds), "every event has come")
    while inbox.apply_due():
        pass
    assert {status for status, _ in delivered} == {200}
    if order == "webhook_before_answer":
        assert not delivered[0][1], "it came before the answer to our own question"
    assert len(delivered) > WebhookInbox.objects.count(), "and most of them more than once"
    assert shop.statuses(order_id) == ["PENDING", "PAYMENT_AUTHORIZED", "CONFIRMED"]
    assert shop.at_gateway(order_id) == [("succeeded", TOTAL, 0)]
    assert len(shop.intents()) == 1
    assert shop.stock() == (9, 0)
    assert shop.run() == 0
    shop.assert_confirmed(order_id)


def test_failed_webhook_after_succeeded_takes_nothing_back(shop: Shop, alice: Shopper) -> None:
    """Refused once at the bank, approved the second time; the webhooks come in reverse order."""
    order_id = alice.buys(payment_method=CHALLENGE)
    shop.run()
    shop.answer_challenge(order_id, "approve")
    shop.hear("payment_intent.amount_capturable_updated")
    shop.run()
    approved = shop.events("payment_intent.amount_capturable_updated")[0]
    intent = approved["data"]["object"] | {"status": "requires_payment_method"}
    failed = approved | {
        "id": "evt_late",
        "type": "payment_intent.payment_failed",
        "data": {"object": intent},
    }

    assert shop.post_webhook(failed) == 200
    assert inbox.apply_due() == 1
    assert shop.run() == 0

    assert WebhookInbox.objects.get(pk="evt_late").state == "applied"
    assert shop.payment(order_id).status == "captured"
    shop.assert_confirmed(order_id)


# --- The worker's clock is ten minutes off --------------------------------------------------------


@pytest.fixture(params=[600, -600], ids=["fast", "slow"])
def skewed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> float:
    """This process believes it is ten minutes later, or earlier, than the database says."""
    really, skew = time.time, float(request.param)
    monkeypatch.setattr(time, "time", lambda: really() + skew)
    monkeypatch.setattr(timezone, "now", lambda: datetime.fromtimestamp(really() + skew, UTC))
    return skew


def test_clock_ten_minutes_off_expires_nothing_early_and_finishes_every_purchase(
    shop: Shop, alice: Shopper, skewed: float
) -> None:
    waiting = alice.buys(payment_method=CHALLENGE)
    bought = alice.buys()
    shop.run()
    refunds.request_refund(bought, amount=500, purpose="admin:1", reason="a chip", actor="clerk")
    assert refunds.send_due() == 1
    tasks.expire_holds()
    shop.run()

    hold = Hold.objects.get(order_id=waiting)
    assert (hold.expires_at - hold.created_at).total_seconds() == pytest.approx(
        300, abs=2
    )  # ACTION_TIME
    assert (alice.sees(waiting), alice.sees(bought)) == ("REQUIRES_ACTION", "CONFIRMED")
    assert hold_expiry.make_due_expired() == 0
    assert Refund.objects.get().status == "succeeded"
    assert delivery.deliver_due() == 2
    assert OrderEvent.objects.filter(status="CANCELLED").count() == 0
    shop.assert_audit_clean()


def test_clock_ten_minutes_off_may_refuse_a_webhook_and_loses_no_payment(
    shop: Shop, alice: Shopper, skewed: float
) -> None:
    """The reader's clock decides how old a signature is: for a fast clock each is too old."""
    order_id = alice.buys(payment_method=CHALLENGE)
    shop.run()
    shop.answer_challenge(order_id, "approve")
    (approved,) = shop.events("payment_intent.amount_capturable_updated")
    body = json.dumps(approved).encode()
    by_the_gateways_clock = signed(body, at=time.time() - skewed)

    answer = shop.post_webhook(body, signature=by_the_gateways_clock)

    assert answer == (400 if skewed > 0 else 200)
    assert WebhookInbox.objects.count() == (0 if skewed > 0 else 1)
    inbox.apply_due()
    shop.run()
    if skewed > 0:
        assert alice.sees(order_id) == "REQUIRES_ACTION"
        shop.pass_deadline(order_id)
        shop.run()
    shop.assert_confirmed(order_id)


# --- Redis is full --------------------------------------------------------------------------------


@pytest.fixture
def full_redis(redis_servers: "dict[str, redis.Redis]") -> Iterator[None]:
    """No Redis takes more writes, and none evicts anything."""
    with ExitStack() as stack:
        for server in redis_servers.values():
            stack.enter_context(full(server))
        yield


def test_full_carts_stay_readable_can_be_emptied_and_stop_nothing_else(
    shop: Shop, alice: Shopper, redis_servers: "dict[str, redis.Redis]"
) -> None:
    made = alice.post("/carts/").json()
    line = f"/carts/{made['id']}/lines/{shop.mug.sku}/"
    token = {"X_Cart_Token": made["token"]}
    assert alice.put(line, {"quantity": 2}, **token).status_code == 200

    with full(redis_servers[embedded.REDIS_CARTS]):
        problem(alice.post("/carts/"), 503, "overloaded")
        refused = alice.put(line, {"quantity": 3}, **token)
        problem(refused, 503, "overloaded")
        assert int(refused["Retry-After"]) >= 1
        found = alice.get(f"/carts/{made['id']}/", **token).json()
        assert [(each["sku"], each["quantity"]) for each in found["lines"]] == [(shop.mug.sku, 2)]
        assert alice.buys() is not None
        assert redis_servers[embedded.REDIS_LIMITS].set("a", "b")
        assert redis_servers[embedded.REDIS].set("a", "b")
        assert alice.put(line, {"quantity": 0}, **token).status_code == 200


@pytest.mark.parametrize("name", [embedded.REDIS_CACHE, embedded.REDIS_LIMITS])
def test_full_cache_and_full_limits_forget_and_refuse_nothing(
    redis_servers: "dict[str, redis.Redis]", name: str
) -> None:
    """Four times what fits is written; carts and broker are other servers."""
    server = redis_servers[name]
    with changed(server, maxmemory="3mb"):
        for number in range(120):
            server.set(f"page {number}", "x" * 100_000, ex=3600)

        assert server.info("stats")["evicted_keys"] > 0
        assert server.get("page 119")


def test_full_redis_stops_guests_carts_and_no_order(
    shop: Shop, alice: Shopper, full_redis: None
) -> None:
    problem(alice.post("/carts/"), 503, "overloaded")

    order_id = alice.buys()
    again = alice.orders(alice.body(), key="k-2")
    shop.run()

    assert again.status_code == 202
    assert alice.sees(order_id) == "CONFIRMED"
    assert delivery.deliver_due() == 2
    assert Order.objects.count() == 2
    shop.assert_confirmed(order_id)
    shop.assert_confirmed(UUID(again.json()["order"]["id"]))


def test_full_redis_lets_a_customer_sign_in_fill_a_cart_and_buy(
    shop: Shop, full_redis: None
) -> None:
    user = make_alice()
    browser = Visitor(raise_request_exception=False)
    signed_in = browser.post("/account/login/", {"email": user.email, "password": PASSWORD})
    assert signed_in.status_code == 302

    answer = browser.buy(shop.mug, 2)
    shop.run()

    order = Order.objects.get()
    assert f"/orders/{order.pk}/" in answer["Location"]
    assert order.user_id == user.pk
    assert browser.get(answer["Location"]).status_code == 200
    assert shop.stock() == (8, 0)
    shop.assert_confirmed(order.pk)
