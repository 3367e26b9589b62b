"""The gateway's books held against ours: what no webhook told, and money without an order."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db.models import F

from apps.orders.cancel import request_cancellation
from apps.payments import gateway as gateways
from apps.payments import refunds
from apps.payments.gateway import GatewayTransient, GatewayUnreachable, Intent
from apps.payments.models import Discrepancy, Payment, Reconciliation, Refund
from apps.payments.reconciler import comparing, discrepancies, looks, returns, runs
from storefront import failpoints
from tests.orders.purchases import TOTAL, Killed, Shop, at_once
from tests.payments.books import (
    Scope,
    a_charge,
    aged,
    compare,
    compare_all,
    everything,
    refunds_there,
    rows,
    the_row,
    there,
)

__all__ = ["aged"]

pytestmark = pytest.mark.usefixtures("aged")


# --- a: what no webhook told ----------------------------------------------------------------------


def test_approved_challenge_without_a_webhook_is_settled(shop: Shop) -> None:
    order_id = shop.place(card="pm_card_threeDSecure2Required")
    shop.run()
    shop.answer_challenge(order_id, "approve")

    compare()
    shop.run()

    shop.assert_confirmed(order_id)
    assert Reconciliation.objects.get(scope=Scope.OPEN).settled == 1


def test_refused_challenge_without_a_webhook_is_settled(shop: Shop) -> None:
    order_id = shop.place(card="pm_card_threeDSecure2Required")
    shop.run()
    shop.answer_challenge(order_id, "refuse")

    compare()

    assert shop.payment(order_id).decline_code == "payment_intent_authentication_failure"
    shop.run()
    shop.assert_cancelled(order_id)


def test_challenge_that_nobody_answers_goes_on_waiting(shop: Shop) -> None:
    order_id = shop.place(card="pm_card_threeDSecure2Required")
    shop.run()

    compare()

    assert shop.run() == 0
    assert (shop.payment(order_id).status, rows()) == ("requires_action", [])


@pytest.mark.parametrize(
    ("deed", "status", "captured"), [("capture", "captured", TOTAL), ("cancel", "voided", 0)]
)
def test_what_was_done_at_the_dashboard_is_settled(
    shop: Shop, deed: str, status: str, captured: int
) -> None:
    order_id = shop.place()
    shop.run_until_step(order_id, "capture_payment")
    intents = shop.sandbox.client().v1.payment_intents
    getattr(intents, deed)(shop.payment(order_id).intent_id)

    compare(Scope.OPEN)

    payment = shop.payment(order_id)
    assert (payment.status, payment.captured_amount) == (status, captured)
    shop.end_leases()
    shop.run_hurried(order_id)
    assert shop.order(order_id).status == ("CONFIRMED" if captured else "CANCELLED")
    shop.assert_audit_clean()


@pytest.mark.parametrize(
    ("card", "status", "refunded"),
    [("pm_card_pendingRefund", "succeeded", 500), ("pm_card_refundFail", "failed", 0)],
)
def test_end_of_a_refund_that_no_webhook_told_is_settled(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, card: str, status: str, refunded: int
) -> None:
    order_id = shop.place_confirmed(card=card)
    payment = shop.payment(order_id)
    refund = Refund.objects.create(payment=payment, amount=500, purpose="admin:1", actor="clerk")
    gateways.get_gateway().refund(
        str(payment.intent_id),
        key=f"refund:{refund.pk}",
        amount=500,
        metadata={"refund_id": str(refund.pk), "payment_id": str(payment.pk)},
    )

    compare()

    refund.refresh_from_db()
    assert (refund.status, shop.payment(order_id).refunded_amount) == (status, refunded)
    assert rows() == []
    shop.assert_audit_clean()


def test_who_was_settled_by_a_run_that_died_is_told_by_the_next(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = shop.place(card="pm_card_threeDSecure2Required")
    shop.run()
    shop.answer_challenge(order_id, "approve")
    with monkeypatch.context() as patch:
        die_at(patch, "reconcile.settle.after_commit")
        with pytest.raises(Killed):
            compare(Scope.OPEN)
    assert (shop.payment(order_id).status, shop.run()) == ("authorized", 0), "nobody told the saga"

    compare(Scope.OPEN)

    shop.run()
    shop.assert_confirmed(order_id)


def test_payments_that_go_well_are_asked_for_once_by_nobody(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_ids = [shop.place_confirmed() for _ in range(2)]
    asked = watch(monkeypatch, "retrieve", "search", "retrieve_refunds", "list_intents")

    compare()
    compare()

    assert asked == ["list_intents", "list_intents"], "a page each: nothing was in doubt"
    for order_id in order_ids:
        shop.assert_confirmed(order_id)


# --- b: charges whose answer was lost -------------------------------------------------------------


@pytest.mark.parametrize("found_by", ["search", "list"])
def test_charge_whose_answer_was_lost_is_adopted(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, found_by: str
) -> None:
    order_id = unheard(shop)
    (intent,) = shop.intents()
    if found_by == "list":
        monkeypatch.setattr(type(gateways.get_gateway()), "search", lambda self, payment_id: None)

    compare()

    payment = shop.payment(order_id)
    assert (payment.status, payment.intent_id) == ("authorized", intent["id"])
    shop.run_hurried(order_id)
    shop.assert_confirmed(order_id)
    assert len(shop.intents()) == 1


# --- c: money without an order --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("captured", "becomes", "words"),
    [
        (False, ("canceled", 0, 0), "was cancelled; $25.00 are free again."),
        (True, ("succeeded", 2500, 2500), "$25.00 were sent back: re_"),
    ],
)
def test_charge_without_a_payment_goes_back_and_is_written_down(
    shop: Shop, captured: bool, becomes: tuple[str, int, int], words: str
) -> None:
    charge = a_charge(shop, captured=captured)

    compare()

    assert there(shop, charge) == becomes
    row = the_row()
    assert (row.kind, row.subject, row.payment_id) == ("no_payment", charge, None)
    assert (row.state, row.resolved_by, row.tries) == ("resolved", "reconciler", 1)
    assert words in row.resolution
    assert [words in line["what"] for line in row.history] == [True]
    assert row.evidence["there"]["received"] == (2500 if captured else 0)
    shop.assert_audit_clean()


def test_challenge_without_a_payment_is_called_off(shop: Shop) -> None:
    charge = a_charge(shop, card="pm_card_threeDSecure2Required")
    compare()
    assert (there(shop, charge)[0], rows()) == ("canceled", [("no_payment", "resolved")])


@pytest.mark.parametrize("captured", [False, True])
def test_second_charge_for_a_payment_goes_back_and_the_first_stays(
    shop: Shop, captured: bool
) -> None:
    order_id = shop.place_confirmed()
    second = a_charge(shop, payment=shop.payment(order_id), captured=captured)

    compare()

    assert there(shop, second) == (("succeeded", TOTAL, TOTAL) if captured else ("canceled", 0, 0))
    assert there(shop, str(shop.payment(order_id).intent_id)) == ("succeeded", TOTAL, 0)
    assert rows() == [("second_charge", "resolved")]
    shop.assert_audit_clean()


def test_authorization_that_comes_after_it_was_given_up_is_cancelled(shop: Shop) -> None:
    order_id = shop.place()
    request_cancellation(order_id)
    shop.run_hurried(order_id)
    late = a_charge(shop, payment=shop.payment(order_id))  # a worker that slept through it all

    compare()

    assert (there(shop, late), rows()) == (("canceled", 0, 0), [("given_up", "resolved")])
    shop.assert_cancelled(order_id)


def test_capture_that_comes_after_it_was_given_up_is_refunded_by_our_books(shop: Shop) -> None:
    order_id = shop.place()
    request_cancellation(order_id)
    shop.run_hurried(order_id)
    late = a_charge(shop, payment=shop.payment(order_id), captured=True)

    compare()
    refunds.send_due()
    compare()

    assert there(shop, late) == ("succeeded", TOTAL, TOTAL)
    payment = shop.payment(order_id)
    assert (payment.status, payment.refunded_amount) == ("refunded", TOTAL)
    assert [(r.amount, r.actor) for r in payment.refunds.all()] == [(TOTAL, "reconciler")]
    assert rows() == [("given_up", "resolved")]
    shop.assert_cancelled(order_id)


def test_declined_charge_without_a_payment_is_nobodys_loss(shop: Shop) -> None:
    with pytest.raises(gateways.PaymentDeclined):
        a_charge(shop, card="pm_card_visa_chargeDeclined")
    compare()
    assert rows() == []


@pytest.mark.parametrize(
    "whose",
    ["no mark", "another shop's", "another database's of this address"],
)
def test_charge_of_another_shop_is_left_alone(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    marks = {"no mark": None, "another shop's": "https://staging.example"}
    if whose not in marks:
        monkeypatch.setattr(
            looks, "NOW_AND_BIRTH", "SELECT clock_timestamp(), clock_timestamp() + interval '1 h'"
        )
    given = {"mark": marks[whose]} if whose in marks else {}
    charges = [a_charge(shop, captured=captured, **given) for captured in (False, True)]

    compare()
    compare_all()

    assert [there(shop, charge) for charge in charges] == [
        ("requires_capture", 0, 0),
        ("succeeded", 2500, 0),
    ]
    assert rows() == []


def test_charge_that_is_being_made_is_left_alone(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = shop.place_confirmed()
    monkeypatch.setattr(comparing, "GRACE", timedelta(minutes=10))  # listed, and too young
    charges = [a_charge(shop), a_charge(shop, payment=shop.payment(order_id))]

    compare()
    compare_all()
    untouched = [there(shop, charge)[0] for charge in charges]
    noted = rows()
    monkeypatch.setattr(comparing, "GRACE", timedelta(0))
    compare_all()

    assert (untouched, noted) == (["requires_capture"] * 2, [])
    assert [there(shop, charge)[0] for charge in charges] == ["canceled"] * 2


def test_charge_is_looked_at_again_right_before_it_is_touched(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its payment comes between the list and the deed."""
    charge = a_charge(shop, amount=TOTAL, payment_id=str(uuid4()))
    really = looks.Looker.closely

    def closely(looker: Any, intent_id: str) -> None:
        (shown,) = shop.intents()
        Payment.objects.create(
            pk=shown["metadata"]["payment_id"], order_id=uuid4(), amount=TOTAL, currency="USD"
        )
        really(looker, intent_id)

    monkeypatch.setattr(looks.Looker, "closely", closely)
    compare(Scope.RECENT)

    assert there(shop, charge) == ("requires_capture", 0, 0)
    assert (Payment.objects.get().intent_id, rows()) == (charge, [])


def test_second_charge_without_our_mark_waits_for_a_person_who_gives_it_back(shop: Shop) -> None:
    order_id = shop.place_confirmed()
    second = a_charge(shop, payment=shop.payment(order_id), captured=True, mark=None)
    compare()
    assert (there(shop, second), rows()) == (("succeeded", TOTAL, 0), [("second_charge", "open")])

    discrepancies.give_back(the_row().pk, actor="clerk", reason="paid twice")
    compare(Scope.OPEN)

    assert there(shop, second) == ("succeeded", TOTAL, TOTAL)
    assert rows() == [("second_charge", "resolved")]
    shop.assert_audit_clean()


def test_many_charges_without_a_payment_are_not_all_given_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it looks after a backup was restored: it is our books that are wrong."""
    monkeypatch.setattr(returns, "MOST_A_DAY", 2)
    charges = [a_charge(shop) for _ in range(4)]

    compare()
    compare()

    assert sorted(there(shop, charge)[0] for charge in charges) == (
        ["canceled"] * 2 + ["requires_capture"] * 2
    )
    kept = Discrepancy.objects.filter(state="open")
    assert [len(row.history) for row in kept] == [1, 1]
    assert "Are our books whole?" in kept[0].history[0]["what"]


def test_refund_that_fails_is_put_before_a_person_and_sent_once_more(shop: Shop) -> None:
    charge = a_charge(shop, captured=True, card="pm_card_refundFail")
    for _ in range(3):
        compare()
    assert [refund["status"] for refund in refunds_there(shop, charge)] == ["failed"]
    assert rows() == [("no_payment", "open")]
    assert the_row().history[-1]["what"].endswith("is failed.")

    discrepancies.give_back(the_row().pk, actor="clerk", reason="asked the bank")
    for _ in range(2):
        compare()

    assert [refund["metadata"]["try"] for refund in refunds_there(shop, charge)] == ["2", "1"]


def test_stored_failure_is_got_round_by_a_new_key(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    charge = a_charge(shop, captured=True)
    keys = []
    gateway = type(gateways.get_gateway())
    really = gateway.refund

    def refund(self: Any, intent_id: str, *, key: str, **given: Any) -> Any:
        keys.append(key.rpartition(":")[2])
        if key.endswith(":1"):
            raise gateways.GatewayOutcomeUnknown("500", replayed=True)
        return really(self, intent_id, key=key, **given)

    monkeypatch.setattr(gateway, "refund", refund)
    compare()
    compare()

    assert keys == ["1", "2"]
    assert there(shop, charge) == ("succeeded", 2500, 2500)
    assert rows() == [("no_payment", "resolved")]


# --- Twice, at once, and killed -------------------------------------------------------------------


def test_comparing_twice_changes_nothing(shop: Shop) -> None:
    shop.place_confirmed()
    waiting = shop.place(card="pm_card_threeDSecure2Required")
    shop.run()
    a_charge(shop, captured=True)
    a_charge(shop)
    compare()
    compare_all()
    before = everything(shop)

    compare()
    compare_all()

    assert everything(shop) == before
    assert shop.payment(waiting).status == "requires_action"


@pytest.mark.parametrize("point", [p for p in failpoints.declared() if p.startswith("reconcile.")])
def test_killed_anywhere_it_acts_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    charge = a_charge(shop, captured=True)
    order_id = shop.place(card="pm_card_threeDSecure2Required")
    shop.run()
    shop.answer_challenge(order_id, "approve")
    with monkeypatch.context() as patch:
        died = die_at(patch, point)
        with pytest.raises(Killed):
            compare()
        assert died == [point]

    compare()
    compare()

    assert there(shop, charge) == ("succeeded", 2500, 2500)
    assert len(refunds_there(shop, charge)) == 1
    row = the_row()
    assert (row.state, row.tries) == ("resolved", 1)
    shop.run()
    shop.assert_confirmed(order_id)


def test_killed_between_refund_and_record_a_day_later_refunds_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway has forgotten the key by then; its list has not forgotten the refund."""
    charge = a_charge(shop, captured=True, card="pm_card_refundFail")
    with monkeypatch.context() as patch:
        die_at(patch, "reconcile.return.after_ask")
        with pytest.raises(Killed):
            compare()
    shop.sandbox.control("clock", {"advance_s": 25 * 3600})

    compare()

    assert len(refunds_there(shop, charge)) == 1


def test_two_at_once_are_one(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    charge = a_charge(shop, captured=True)
    asked = watch(monkeypatch, "refund")

    answers = at_once(4, lambda _: runs.run(Scope.RECENT))

    assert len(refunds_there(shop, charge)) == len(asked) == 1
    others = [answer for answer in answers if isinstance(answer, Exception)]
    assert all(isinstance(other, runs.Busy) for other in others), answers
    assert rows() == [("no_payment", "resolved")]


def both_at_once(shop: Shop, monkeypatch: pytest.MonkeyPatch, charge: str) -> list[str]:
    """Two runs that saw the same before either acted, with no lock between them; their keys."""
    monkeypatch.setattr(runs, "_alone", nullcontext)
    compare(Scope.OPEN)
    row = Discrepancy.objects.create(kind="no_payment", subject=charge, why="seen", tries=1)
    meet = threading.Barrier(2, timeout=60)
    gateway = type(gateways.get_gateway())
    really, keys = gateway.refund, []

    def refund(self: Any, intent_id: str, *, key: str, amount: int, **given: Any) -> Any:
        meet.wait()
        keys.append(key)
        # Half of it, so that the gateway's own "more than is left" does not save us.
        return really(self, intent_id, key=key, amount=amount // 2, **given)

    monkeypatch.setattr(gateway, "refund", refund)
    shown = gateways.get_gateway().retrieve(charge)
    at_once(
        2,
        lambda _: returns.give_back(
            gateways.get_gateway(), Discrepancy.objects.get(pk=row.pk), shown, [], None
        ),
    )
    return keys


def test_two_at_once_without_the_lock_ask_under_one_key(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    charge = a_charge(shop, captured=True)
    keys = both_at_once(shop, monkeypatch, charge)
    assert len(set(keys)) == 1
    assert there(shop, charge) == ("succeeded", 2500, 1250), "one refund, however often asked"


def test_two_at_once_without_the_rows_key_would_refund_twice(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    charge = a_charge(shop, captured=True)
    monkeypatch.setattr(returns, "key", lambda row, purpose: str(uuid4()))
    both_at_once(shop, monkeypatch, charge)
    assert there(shop, charge) == ("succeeded", 2500, 2500)
    assert len(refunds_there(shop, charge)) == 2


# --- How far it has come --------------------------------------------------------------------------


def test_run_goes_on_where_the_last_one_stopped(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "PAGE", 2)
    charges = [a_charge(shop) for _ in range(5)]
    seen: list[str] = []
    really = looks.Looker.settle_all

    def settle_all(looker: Any, intents: list[Intent]) -> Any:
        seen.extend(intent.id for intent in intents)
        return really(looker, intents)

    monkeypatch.setattr(looks.Looker, "settle_all", settle_all)
    steps = []
    while not steps or steps[-1] != "idle":
        steps.append(runs.run(Scope.ALL, at_most=0).phase)

    assert seen == charges[::-1]
    assert steps == ["listed", "listed", "ours", "idle"]
    assert [there(shop, charge)[0] for charge in charges] == ["canceled"] * 5


def test_gateway_that_is_away_stops_the_run_and_shows(shop: Shop) -> None:
    order_ids = [shop.place(card="pm_card_threeDSecure2Required") for _ in range(6)]
    shop.run()
    shop.sandbox.faults({"fault": "outage"})
    for _ in range(2):
        for scope in (Scope.OPEN, Scope.RECENT):
            with pytest.raises(GatewayTransient):
                runs.run(scope)
    stopped = Reconciliation.objects.get(scope=Scope.OPEN)
    assert (stopped.failures, stopped.finished_at) == (2, None)
    assert stopped.error.startswith("Stopped. GatewayOutcomeUnknown")

    shop.sandbox.faults()
    for order_id in order_ids:
        shop.answer_challenge(order_id, "approve")
    compare()
    shop.run()

    for order_id in order_ids:
        assert shop.order(order_id).status == "CONFIRMED"
    assert Reconciliation.objects.get(scope=Scope.OPEN).finished_at is not None


def test_payment_that_cannot_be_looked_at_does_not_hold_up_the_others(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, fine = (shop.place(card="pm_card_threeDSecure2Required") for _ in range(2))
    shop.run()
    for order_id in (stuck, fine):
        shop.answer_challenge(order_id, "approve")
    gateway = type(gateways.get_gateway())
    really, its_id = gateway.retrieve, shop.payment(stuck).intent_id

    def retrieve(self: Any, intent_id: str) -> Intent:
        if intent_id == its_id:
            raise GatewayUnreachable("as ever")
        return really(self, intent_id)

    monkeypatch.setattr(gateway, "retrieve", retrieve)

    row = runs.run(Scope.OPEN)

    assert (shop.payment(stuck).status, shop.payment(fine).status) == (
        "requires_action",
        "authorized",
    )
    assert (row.phase, row.failures) == ("idle", 1)
    assert str(shop.payment(stuck).intent_id) in row.error


def test_nothing_falls_between_two_runs(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second begins where the first ended, however long ago that was."""
    compare(Scope.RECENT)
    long_ago = timedelta(days=3)
    Reconciliation.objects.update(
        until=F("until") - long_ago, changed_since=F("changed_since") - long_ago
    )
    first = Reconciliation.objects.get(scope=Scope.RECENT)

    compare(Scope.RECENT)

    second = Reconciliation.objects.get(scope=Scope.RECENT)
    assert second.since < first.until
    assert second.changed_since > first.changed_since + long_ago


# --- Helpers --------------------------------------------------------------------------------------


def unheard(shop: Shop) -> Any:
    """An order whose authorization went through unheard."""
    shop.sandbox.faults(
        {"fault": "reset_after", "count": 1, "operations": ["payment_intents.create"]}
    )
    order_id = shop.place()
    shop.run()
    assert (shop.payment(order_id).intent_id, len(shop.intents())) == (None, 1)
    return order_id


def die_at(patch: pytest.MonkeyPatch, point: str) -> list[str]:
    """The first time that anybody gets to `point`; what has struck."""
    struck: list[str] = []

    def reach(*parts: str) -> None:
        if ".".join(parts) == point and not struck:
            struck.append(point)
            raise Killed(point)

    patch.setattr(failpoints, "reach", reach)
    return struck


def watch(monkeypatch: pytest.MonkeyPatch, *verbs: str) -> list[str]:
    """The verbs that the gateway is asked with, as they are."""
    asked: list[str] = []
    gateway = type(gateways.get_gateway())

    def watched(verb: str, really: Callable[..., Any]) -> Callable[..., Any]:
        def ask(self: Any, *given: Any, **named: Any) -> Any:
            asked.append(verb)
            return really(self, *given, **named)

        return ask

    for verb in verbs:
        monkeypatch.setattr(gateway, verb, watched(verb, getattr(gateway, verb)))
    return asked
