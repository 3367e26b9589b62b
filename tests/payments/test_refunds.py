"""Money going back: once for each purpose, never more than was taken, whatever gets lost."""

from __future__ import annotations

import contextlib
import threading
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db.models import F

from apps.orders.fulfilment.cancellation import request_cancellation
from apps.payments import inbox, refunds, stopped_refunds
from apps.payments.models import Payment, Refund, WebhookInbox
from apps.payments.refunds import RefundRefused, request_refund, send_due
from tests.orders.purchases import TOTAL, Killed, Shop, an_event, at_once

FAULTS = ["timeout_before", "timeout_after", "error_500_before", "error_500_after",
          "conflict_409", "rate_limit_429", "reset_before", "reset_after"]  # fmt: skip


def ask(order_id: UUID, amount: int, purpose: str = "admin:1") -> Refund:
    return request_refund(
        order_id, amount=amount, purpose=purpose, reason="a chipped mug", actor="clerk"
    )


def due_again() -> None:
    """The lease of what was claimed and not finished is over."""
    Refund.objects.filter(status="requested").update(due_at="2020-01-01T00:00Z")


def books(shop: Shop, order_id: UUID) -> tuple[str, int, list[tuple[int, str]]]:
    payment = shop.payment(order_id)
    rows = Refund.objects.filter(payment=payment).order_by("created_at")
    return payment.status, payment.refunded_amount, list(rows.values_list("amount", "status"))


def refunded(shop: Shop, order_id: UUID) -> int:
    return int(shop.intents(order_id)[0]["amount_refunded"])


def test_part_of_a_payment_is_refunded(shop: Shop) -> None:
    order_id = shop.place_confirmed()

    refund = ask(order_id, 500)

    assert books(shop, order_id) == ("captured", 0, [(500, "requested")])
    assert refunded(shop, order_id) == 0, "the gateway was not asked"
    assert send_due() == 1
    assert books(shop, order_id) == ("captured", 500, [(500, "succeeded")])
    assert refunded(shop, order_id) == 500
    refund.refresh_from_db()
    assert refund.gateway_id.startswith("re_")
    assert (refund.reason, refund.actor) == ("a chipped mug", "clerk")
    assert send_due() == 0
    shop.assert_audit_clean()


def test_all_of_it_ends_the_payment(shop: Shop) -> None:
    order_id = shop.place_confirmed()
    ask(order_id, TOTAL - 1)
    ask(order_id, 1, "admin:2")
    send_due()
    assert books(shop, order_id)[:2] == ("refunded", TOTAL)
    shop.assert_audit_clean()


def test_double_click_is_one_refund(shop: Shop) -> None:
    order_id = shop.place_confirmed()
    first, second = ask(order_id, 500), ask(order_id, 500)
    assert first.pk == second.pk
    send_due()
    assert ask(order_id, 500).status == "succeeded"
    send_due()
    assert refunded(shop, order_id) == 500
    shop.assert_audit_clean()


@pytest.mark.race
def test_ten_clicks_at_once_are_one_refund(shop: Shop) -> None:
    order_id = shop.place_confirmed()

    answers = at_once(10, lambda _: ask(order_id, 500).pk)

    assert len(set(answers)) == 1
    at_once(3, lambda _: send_due())
    assert books(shop, order_id) == ("captured", 500, [(500, "succeeded")])
    assert refunded(shop, order_id) == 500
    shop.assert_audit_clean()


@pytest.mark.race
def test_two_parts_above_the_whole_at_once_one_is_refused(shop: Shop) -> None:
    order_id = shop.place_confirmed()

    answers = at_once(2, lambda number: ask(order_id, 1500, f"admin:{number}"))

    assert sorted(type(answer).__name__ for answer in answers) == ["Refund", "RefundRefused"]
    send_due()
    assert books(shop, order_id) == ("captured", 1500, [(1500, "succeeded")])
    assert refunded(shop, order_id) == 1500
    shop.assert_audit_clean()


@pytest.mark.race
def test_two_parts_at_once_without_the_lock_would_pass_the_whole(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: both look before either writes."""
    order_id = shop.place_confirmed()
    both_have_looked = threading.Barrier(2)
    refundable = refunds.refundable

    def look(payment: Payment) -> int:
        left = refundable(payment)
        both_have_looked.wait(timeout=5)
        return left

    monkeypatch.setattr(refunds, "refundable", look)
    queryset = type(Payment.objects.all())
    monkeypatch.setattr(queryset, "select_for_update", lambda self, **_: self)

    answers = at_once(2, lambda number: ask(order_id, 1500, f"admin:{number}"))

    assert [type(answer).__name__ for answer in answers] == ["Refund", "Refund"]
    assert sum(Refund.objects.values_list("amount", flat=True)) == 3000 > TOTAL


@pytest.mark.parametrize("amount", [TOTAL + 1, 0, -1, 10**12])
def test_more_than_was_taken_or_nothing_is_refused(shop: Shop, amount: int) -> None:
    order_id = shop.place_confirmed()
    with pytest.raises(RefundRefused):
        ask(order_id, amount)
    assert books(shop, order_id) == ("captured", 0, [])


def test_payment_that_was_not_captured_gives_nothing_back(shop: Shop) -> None:
    order_id = shop.place(card="pm_card_threeDSecure2Required")
    shop.run()
    with pytest.raises(RefundRefused):
        ask(order_id, 1)
    assert Refund.objects.count() == 0


def test_open_refund_counts_as_refunded(shop: Shop) -> None:
    order_id = shop.place_confirmed()
    ask(order_id, 2000)
    with pytest.raises(RefundRefused):
        ask(order_id, TOTAL - 2000 + 1, "admin:2")
    ask(order_id, TOTAL - 2000, "admin:3")
    send_due()
    assert refunded(shop, order_id) == TOTAL
    shop.assert_audit_clean()


def test_cancellation_gives_back_what_earlier_refunds_left(shop: Shop) -> None:
    order_id = shop.place_confirmed()
    ask(order_id, 548)
    send_due()

    request_cancellation(order_id)
    shop.run()

    assert refunded(shop, order_id) == TOTAL
    assert books(shop, order_id)[2] == [(548, "succeeded"), (2000, "succeeded")]
    shop.assert_cancelled(order_id)


def test_cancellation_waits_for_a_refund_that_is_on_its_way(shop: Shop) -> None:
    order_id = shop.place_confirmed()
    ask(order_id, 548)

    request_cancellation(order_id)
    shop.run()

    assert shop.saga(order_id).state == "undoing"
    assert refunded(shop, order_id) == 2000
    send_due()
    shop.run_hurried(order_id)
    assert refunded(shop, order_id) == TOTAL
    shop.assert_cancelled(order_id)


# --- Trouble ------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", FAULTS)
def test_trouble_on_the_way_pays_once(shop: Shop, fault: str) -> None:
    order_id = shop.place_confirmed()
    shop.sandbox.faults({"fault": fault, "count": 2, "operations": ["refunds.create"]})
    ask(order_id, 500)

    for _ in range(4):
        send_due()
        due_again()

    assert books(shop, order_id) == ("captured", 500, [(500, "succeeded")])
    assert refunded(shop, order_id) == 500
    shop.assert_audit_clean()


def test_long_outage_uses_up_no_attempts(shop: Shop) -> None:
    order_id = shop.place_confirmed()
    ask(order_id, 500)
    shop.sandbox.faults({"fault": "outage"})
    for _ in range(refunds.MAX_ATTEMPTS + 2):
        send_due()
        due_again()
    assert Refund.objects.get().attempts == 0
    shop.sandbox.faults()

    assert send_due() == 1

    assert books(shop, order_id) == ("captured", 500, [(500, "succeeded")])


def test_worker_that_dies_after_asking_is_followed_by_one_that_learns_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = shop.place_confirmed()
    ask(order_id, 500)
    with monkeypatch.context() as patch:

        def die(*_: Any) -> None:
            raise Killed

        patch.setattr(refunds, "settle", die)
        with pytest.raises(Killed):
            send_due()
    assert refunded(shop, order_id) == 500
    assert send_due() == 0, "leased"
    due_again()
    assert send_due() == 1
    assert books(shop, order_id) == ("captured", 500, [(500, "succeeded")])
    assert refunded(shop, order_id) == 500


def test_refund_that_breaks_its_worker_does_not_hold_up_the_others(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned, other = shop.place(), shop.place()
    shop.run()
    poisoned_refund = ask(poisoned, 500)
    ask(other, 500)
    really = refunds.ask

    def ask_or_fail(gateway: Any, refund: Refund, payment: Payment) -> Any:
        if refund.pk == poisoned_refund.pk:
            raise KeyError("payment_intent")
        return really(gateway, refund, payment)

    monkeypatch.setattr(refunds, "ask", ask_or_fail)

    assert send_due() == 2

    assert books(shop, other) == ("captured", 500, [(500, "succeeded")])
    for _ in range(refunds.MAX_ATTEMPTS + 3):
        due_again()
        send_due()
    assert Refund.objects.get(pk=poisoned_refund.pk).attempts == refunds.MAX_ATTEMPTS
    due_again()
    assert stopped_refunds.stopped().get() == poisoned_refund, "it waits for a decision"
    assert Refund.objects.get(pk=poisoned_refund.pk).message == "KeyError: 'payment_intent'"
    shop.assert_audit_clean()


def test_refund_that_kills_its_worker_does_not_use_up_the_attempts_of_the_others(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned, other = shop.place(), shop.place()
    shop.run()
    poisoned_refund = ask(poisoned, 500)
    ask(other, 500)
    really = refunds.ask

    def ask_or_fail(gateway: Any, refund: Refund, payment: Payment) -> Any:
        if refund.pk == poisoned_refund.pk:
            raise Killed
        return really(gateway, refund, payment)

    monkeypatch.setattr(refunds, "ask", ask_or_fail)

    for _ in range(refunds.MAX_ATTEMPTS + 3):
        with contextlib.suppress(Killed):
            send_due()
        due_again()

    assert books(shop, other) == ("captured", 500, [(500, "succeeded")])
    assert stopped_refunds.stopped().get() == poisoned_refund, "it waits for a decision"


def test_refund_under_a_forgotten_key_is_looked_for_first(shop: Shop) -> None:
    """A part could be paid again: the rest of the payment is still there to pay it from."""
    order_id = shop.place_confirmed()
    shop.sandbox.faults({"fault": "reset_after", "count": 1, "operations": ["refunds.create"]})
    ask(order_id, 500)
    send_due()
    day = timedelta(hours=25)
    shop.sandbox.control("clock", {"advance_s": day.total_seconds()})
    Refund.objects.update(created_at=F("created_at") - day)
    due_again()

    send_due()

    assert refunded(shop, order_id) == 500
    assert books(shop, order_id) == ("captured", 500, [(500, "succeeded")])


def test_forgotten_key_that_were_trusted_would_pay_twice(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    monkeypatch.setattr(refunds, "KEY_TRUSTED_FOR", timedelta(days=30))
    order_id = shop.place_confirmed()
    shop.sandbox.faults({"fault": "reset_after", "count": 1, "operations": ["refunds.create"]})
    ask(order_id, 500)
    send_due()
    shop.sandbox.control("clock", {"advance_s": 25 * 3600})
    due_again()
    send_due()
    assert refunded(shop, order_id) == 1000
    assert shop.violations().keys() == {5}, "and the audit says so"


def test_refused_refund_is_closed_with_the_reason_and_frees_its_amount(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = shop.place_confirmed()
    ask(order_id, TOTAL)
    payment = shop.payment(order_id)
    shop.sandbox.client().v1.refunds.create({"payment_intent": payment.intent_id, "amount": 100})

    send_due()

    refund = Refund.objects.get()
    assert refund.status == "failed"
    assert "greater than" in refund.message.lower()
    assert refunds.refundable(shop.payment(order_id)) == TOTAL
    assert shop.violations().keys() == {5}, "a refund that is not in our books"


# --- Refunds that take their time ---------------------------------------------------------------


def test_slow_refund_is_settled_by_its_webhook(shop: Shop) -> None:
    order_id = shop.place_confirmed(card="pm_card_pendingRefund")
    ask(order_id, 500)
    send_due()
    shop.hear()
    assert books(shop, order_id) == ("captured", 500, [(500, "succeeded")])
    shop.assert_audit_clean()


def test_slow_refund_whose_webhook_is_lost_is_looked_up(shop: Shop) -> None:
    """Its key repeats "pending" for ever."""
    order_id = shop.place_confirmed(card="pm_card_pendingRefund")
    ask(order_id, 500)
    for _ in range(3):
        send_due()
        due_again()
    assert books(shop, order_id) == ("captured", 500, [(500, "succeeded")])
    assert refunded(shop, order_id) == 500


def test_cancellation_with_a_slow_refund_ends(shop: Shop) -> None:
    order_id = shop.place_confirmed(card="pm_card_pendingRefund")
    request_cancellation(order_id)
    shop.run_hurried(order_id)
    assert refunded(shop, order_id) == TOTAL
    shop.assert_cancelled(order_id)


def test_refund_event_before_our_own_answer_counts_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = shop.place_confirmed()
    ask(order_id, 500)
    really = refunds.ask

    def slow(gateway: Any, refund: Refund, payment: Payment) -> Any:
        sent = really(gateway, refund, payment)
        shop.hear("refund.updated", "charge.refunded", "refund.created")
        shown = an_event("refund.updated", refund_as_shown(shop, refund))
        assert shop.post_webhook(shown) == 200
        inbox.apply_due()
        assert books(shop, order_id) == ("captured", 500, [(500, "succeeded")])
        return sent

    monkeypatch.setattr(refunds, "ask", slow)

    send_due()

    assert books(shop, order_id) == ("captured", 500, [(500, "succeeded")])
    shop.assert_audit_clean()


def refund_as_shown(shop: Shop, refund: Refund) -> dict[str, Any]:
    """The gateway's own object."""
    listed = shop.sandbox.client().raw_request(
        "get", "/v1/refunds", payment_intent=refund.payment.intent_id
    )
    (shown,) = (r for r in listed.data["data"] if r["metadata"].get("refund_id") == str(refund.pk))
    return dict(shown)


def test_refund_that_fails_after_it_succeeded_waits_for_staff(shop: Shop) -> None:
    """The shopper has no money, our books said that they have: test_refund_comes_back.py."""
    order_id = shop.place_confirmed(card="pm_card_refundFail")
    refund = ask(order_id, 500)
    send_due()
    assert books(shop, order_id) == ("captured", 500, [(500, "succeeded")])

    event = an_event("refund.failed", refund_as_shown(shop, refund) | {"status": "failed"})
    assert shop.post_webhook(event) == 200
    inbox.apply_due()

    assert WebhookInbox.objects.get(pk=event["id"]).state == "applied"
    assert books(shop, order_id) == ("captured", 0, [(500, "failed")])
    assert stopped_refunds.stopped().get() == refund
