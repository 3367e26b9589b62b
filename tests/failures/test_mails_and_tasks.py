"""Mails and tasks: sent too early, sent twice, or an order undone because its mail failed."""

import smtplib
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from django.core import mail
from django.db import transaction

from apps.core import dispatch
from apps.inventory import holds
from apps.notifications import delivery, outbox
from apps.notifications.models import Notification
from apps.orders import emails, tasks
from apps.orders.models import Order
from apps.orders.saga import claims, engine, review
from apps.orders.saga.steps import BY_NAME
from apps.payments import inbox, refunds
from apps.payments.charging import GatewayRequest, GatewayResult, asking
from apps.payments.models import GatewayCall, Refund
from tests.failures.shoppers import CHALLENGE, DECLINED, Shopper, changed, meet
from tests.orders.checkouts import everything, until
from tests.orders.purchases import TOTAL, Killed, Shop, at_once


def subjects() -> list[str]:
    """The last words of the subjects that were sent, in order."""
    return [message.subject.split()[-1] for message in mail.outbox]


def mail_again() -> None:
    """End every backoff of the outbox."""
    Notification.objects.filter(state="due").update(due_at="2020-01-01T00:00Z")


# --- "Order placed" sent, then undone -------------------------------------------------------------


@pytest.mark.usefixtures("declines_are_final")
@pytest.mark.parametrize("failure", ["declined", "lost hold", "capture refused", "no shipment"])
def test_confirmation_is_never_sent_for_an_order_that_is_undone(
    shop: Shop, alice: Shopper, monkeypatch: pytest.MonkeyPatch, failure: str
) -> None:
    order_id = alice.buys(payment_method=DECLINED if failure == "declined" else "pm_card_visa")
    if failure == "lost hold":
        holds.release([order_id])
    elif failure == "no shipment":
        monkeypatch.setattr("apps.shipping.parcels.create_labels", lambda requests: {})
    elif failure == "capture refused":
        shop.run_until_step(order_id, "capture_payment")
        (intent,) = shop.intents()
        shop.sandbox.client().raw_request("post", f"/v1/payment_intents/{intent['id']}/cancel")
    assert delivery.deliver_due() == 0, "accepted is no reason to write"

    while engine.advance():
        delivery.deliver_due()  # a mail that is sent too early would show

    assert shop.mails(order_id) == ["order_cancelled"]
    # After a card that never paid nothing is sent: no one knows whose mailbox that is.
    assert [message.to for message in mail.outbox] == [[alice.email]] * (failure != "declined")
    assert alice.sees(order_id) == "CANCELLED"
    shop.assert_cancelled(order_id)


def test_confirmation_of_a_worker_that_dies_before_its_commit_is_not_sent(
    shop: Shop, alice: Shopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = alice.buys()
    notify = BY_NAME["notify"]

    def killed(claimed: Any, results: Any) -> Any:
        notify.do(claimed, results)
        monkeypatch.setitem(BY_NAME, "notify", notify)
        raise Killed

    monkeypatch.setitem(BY_NAME, "notify", replace(notify, do=killed))
    with pytest.raises(Killed):
        shop.run()

    assert (shop.mails(order_id), delivery.deliver_due(), mail.outbox) == ([], 0, [])
    shop.end_leases()
    shop.run()
    assert [delivery.deliver_due(), delivery.deliver_due()] == [1, 0]
    assert len(mail.outbox) == 1
    shop.assert_confirmed(order_id)


# --- Mail failure after the order breaks the retry ------------------------------------------------


@pytest.fixture
def mail_server_away(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """No mail server until the answer is called."""
    patch = pytest.MonkeyPatch()

    def refuse(self: Any) -> None:
        raise ConnectionRefusedError("no mail server")

    patch.setattr("django.core.mail.backends.locmem.EmailBackend.open", refuse)
    yield patch.undo
    patch.undo()


def test_mail_failure_changes_neither_the_order_nor_its_retry(
    shop: Shop, alice: Shopper, mail_server_away: Callable[[], None]
) -> None:
    first = alice.orders(alice.body(), key="k-1")
    order_id = UUID(first.json()["order"]["id"])
    shop.run()
    for _ in range(3):
        assert delivery.deliver_due() == 0
        mail_again()
    before = everything()

    again = alice.orders(alice.body(), key="k-1")

    assert (again.status_code, again.json()) == (202, first.json())
    assert shop.run() == 0, "nothing of the order is done again"
    assert everything() == before
    assert alice.sees(order_id) == "CONFIRMED"
    assert shop.at_gateway(order_id) == [("succeeded", TOTAL, 0)]
    assert mail.outbox == []

    mail_server_away()
    mail_again()
    assert [delivery.deliver_due(), delivery.deliver_due()] == [1, 0]
    assert [message.to for message in mail.outbox] == [[alice.email]]
    shop.assert_confirmed(order_id)


def test_mail_that_is_refused_for_good_is_dead_and_the_order_stands(
    shop: Shop, alice: Shopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = alice.buys()
    shop.run()

    def refuse(self: Any, messages: Any) -> None:
        raise smtplib.SMTPRecipientsRefused({alice.email: (550, b"no such mailbox")})

    with monkeypatch.context() as patch:
        patch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", refuse)
        assert delivery.deliver_due() == 0

    notification = Notification.objects.get(order_id=order_id)
    assert (notification.state, notification.attempts) == ("dead", 1)
    assert alice.sees(order_id) == "CONFIRMED"
    assert shop.run() == 0
    outbox.replay(notification, actor="clerk", reason="the address was corrected")
    assert delivery.deliver_due() == 1
    shop.assert_confirmed(order_id)


def test_mail_that_cannot_be_rendered_is_tried_again_and_undoes_nothing(
    shop: Shop, alice: Shopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = alice.buys()

    def broken(order_ids: Any) -> Any:
        raise ValueError("a hole in the template")

    with monkeypatch.context() as patch:
        patch.setattr(emails, "confirmations", broken)
        for _ in range(engine.MAX_ATTEMPTS + 1):
            shop.run()
            shop.hurry()
        assert shop.saga(order_id).state == "review", "past the last step nothing unwinds by itself"
        assert shop.at_gateway(order_id) == [("succeeded", TOTAL, 0)]
        assert (shop.stock(), alice.sees(order_id)) == ((9, 0), "CONFIRMED")

    review.retry(order_id, actor="clerk", reason="the template is mended")
    shop.run()
    assert shop.log(order_id, "done") == [
        "do authorize_payment: done",
        "do confirm_stock: done",
        "do capture_payment: done",
        "do create_shipment: done",
        "do notify: done",
    ]
    shop.assert_confirmed(order_id)


# --- Task runs before the commit ------------------------------------------------------------------

TASKS: dict[str, Callable[[], int]] = {
    "orders.advance_sagas": tasks.advance_sagas,
    "payments.apply_webhooks": lambda: inbox.apply_due(),
    "payments.send_refunds": lambda: refunds.send_due(),
    "notifications.deliver": lambda: delivery.deliver_due(),
}


@pytest.fixture
def workers_in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Each enqueued task runs at once, on a connection of its own: (task, how much it found)."""
    ran: list[tuple[str, int]] = []

    def run(name: str) -> None:
        if name in TASKS:
            (found,) = at_once(1, lambda _: TASKS[name]())
            ran.append((name, found))

    monkeypatch.setattr(dispatch, "enqueue_on_commit", run)
    # A task that has run for long enqueues a successor, which on a slow machine finds nothing.
    monkeypatch.setattr(tasks, "ROUNDS_FOR", 600.0)
    return ran


def test_task_never_runs_before_the_commit_that_enqueues_it(
    shop: Shop, alice: Shopper, workers_in_a_hurry: list[tuple[str, int]]
) -> None:
    """Every task of a purchase finds its work, however quick the worker is."""
    order_id = alice.buys()
    until(lambda: alice.sees(order_id) == "CONFIRMED", "the order is confirmed")
    asked = alice.buys(payment_method=CHALLENGE)
    until(lambda: alice.sees(asked) == "REQUIRES_ACTION", "the bank was asked")
    shop.answer_challenge(asked, "approve")
    shop.hear("payment_intent.amount_capturable_updated")
    assert alice.sees(asked) == "CONFIRMED"
    refunds.request_refund(order_id, amount=500, purpose="admin:1", reason="a chip", actor="clerk")
    assert shop.payment(order_id).refunded_amount == 500
    assert alice.cancels(asked).status_code == 202
    assert alice.sees(asked) == "CANCELLED"

    in_vain = [name for name, found in workers_in_a_hurry if not found]
    assert in_vain == []
    assert {name for name, _ in workers_in_a_hurry} == set(TASKS)
    assert len(mail.outbox) == 4, "two confirmations, a refund, a cancellation"
    shop.assert_cancelled(asked)


def test_control_task_enqueued_inside_the_transaction_finds_nothing_and_the_sweep_repeats_it(
    shop: Shop,
    alice: Shopper,
    workers_in_a_hurry: list[tuple[str, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order_id = alice.buys()
    until(lambda: len(workers_in_a_hurry) == 2, "the order is confirmed and its mail sent")
    workers_in_a_hurry.clear()
    monkeypatch.setattr(transaction, "on_commit", lambda do, **_: do())

    refunds.request_refund(order_id, amount=500, purpose="admin:1", reason="a chip", actor="clerk")

    assert workers_in_a_hurry == [("payments.send_refunds", 0)]
    assert Refund.objects.get().status == "requested", "and nothing enqueues it again"
    tasks.sweep()
    assert Refund.objects.get().status == "succeeded"
    shop.assert_audit_clean()


# --- Broker's visibility timeout runs a task twice ------------------------------------------------


@pytest.mark.race
def test_task_delivered_twice_while_it_runs_does_everything_once(
    shop: Shop, alice: Shopper
) -> None:
    order_ids = [alice.buys() for _ in range(6)]
    shop.sandbox.control("faults", {"rules": [], "seed": 1, "latency_ms": 100})

    counts = at_once(4, lambda _: tasks.advance_sagas())
    assert not [count for count in counts if isinstance(count, Exception)]
    shop.run()
    for order_id in order_ids:
        refunds.request_refund(order_id, amount=1, purpose="admin:1", reason="x", actor="clerk")
    sent = at_once(4, lambda _: refunds.send_due())
    mailed = at_once(4, lambda _: delivery.deliver_due())
    for event in shop.events():
        assert shop.post_webhook(event) == 200
    at_once(4, lambda _: inbox.apply_due())

    asked = Counter(GatewayCall.objects.values_list("payment__order_id", "purpose"))
    assert set(asked.values()) == {1}, "each question was asked once"
    assert asked.total() == 3 * len(order_ids)
    assert (sum(sent), sum(mailed)) == (6, 12), "each has its confirmation and its refund"
    assert len({message.message()["Message-ID"] for message in mail.outbox}) == 12
    assert len(mail.outbox) == 12
    assert shop.stock() == (4, 0)
    for order_id in order_ids:
        done = shop.log(order_id)
        assert len(done) == len(set(done)) == 5
        assert shop.at_gateway(order_id) == [("succeeded", TOTAL, 1)]
    shop.assert_audit_clean()


@pytest.mark.race
def test_control_task_delivered_twice_without_claims_mails_twice(
    shop: Shop, alice: Shopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = alice.buys()
    shop.run()
    unclaimed = changed(
        delivery._OUTBOX.claim_statement,
        ("due_at = statement_timestamp() + %(lease)s", "due_at = t.due_at"),
        ("FOR UPDATE SKIP LOCKED", ""),
    )
    monkeypatch.setattr(delivery._OUTBOX, "claim_statement", unclaimed)
    meet(monkeypatch, delivery, "_send")

    at_once(2, lambda _: delivery.deliver_due())

    assert [message.to for message in mail.outbox] == [[alice.email]] * 2
    shop.assert_confirmed(order_id)


@pytest.mark.race
def test_control_task_delivered_twice_without_leases_asks_the_gateway_twice(
    shop: Shop, alice: Shopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And even then the key from our own row makes it one charge."""
    order_id = alice.buys()
    unclaimed = changed(
        claims.SAGAS.claim_statement,
        ("due_at = statement_timestamp() + %(lease)s", "due_at = t.due_at"),
        ("FOR UPDATE SKIP LOCKED", ""),
    )
    asked, lock = [], threading.Lock()
    one = asking._ask_one

    def counted(request: GatewayRequest) -> GatewayResult:
        with lock:
            asked.append(request.purpose)
        return one(request)

    monkeypatch.setattr(asking, "_ask_one", counted)
    with monkeypatch.context() as patch:
        patch.setattr(claims.SAGAS, "claim_statement", unclaimed)
        meet(patch, engine, "run")
        at_once(2, lambda _: engine.advance())

    assert asked.count("authorize") > 1
    assert len(shop.intents()) == 1
    shop.end_leases()
    shop.run_hurried(order_id)  # the gateway may have told the second question to come back later
    assert Order.objects.count() == 1
    shop.assert_confirmed(order_id)
