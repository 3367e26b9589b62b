"""Runs of the reconciler: twice, at once, killed, and where the next one goes on."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db.models import F

from apps.core import failpoints
from apps.payments import gateway as gateways
from apps.payments.gateway import GatewayTransient, GatewayUnreachable, Intent
from apps.payments.models import Discrepancy, Reconciliation
from apps.payments.reconciler import inspection, pages, schedule, stray_payments
from tests.orders.purchases import Killed, Shop, at_once
from tests.payments.books import (
    Scope,
    a_charge,
    compare,
    compare_all,
    everything,
    refunds_there,
    rows,
    the_row,
    there,
)
from tests.payments.reconciling import die_at, watch

pytestmark = pytest.mark.usefixtures("aged")

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

    answers = at_once(4, lambda _: schedule.run(Scope.RECENT))

    assert len(refunds_there(shop, charge)) == len(asked) == 1
    others = [answer for answer in answers if isinstance(answer, Exception)]
    assert all(isinstance(other, schedule.Busy) for other in others), answers
    assert rows() == [("no_payment", "resolved")]


def both_at_once(shop: Shop, monkeypatch: pytest.MonkeyPatch, charge: str) -> list[str]:
    """Two runs that saw the same before either acted, with no lock between them; their keys."""
    monkeypatch.setattr(schedule, "_exclusively", nullcontext)
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
        lambda _: stray_payments.return_money(
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
    monkeypatch.setattr(stray_payments, "key", lambda row, purpose: str(uuid4()))
    both_at_once(shop, monkeypatch, charge)
    assert there(shop, charge) == ("succeeded", 2500, 2500)
    assert len(refunds_there(shop, charge)) == 2


# --- How far it has come --------------------------------------------------------------------------


def test_run_goes_on_where_the_last_one_stopped(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "PAGE", 2)
    charges = [a_charge(shop) for _ in range(5)]
    seen: list[str] = []
    really = inspection.Inspector.settle_all

    def settle_all(looker: Any, intents: list[Intent]) -> Any:
        seen.extend(intent.id for intent in intents)
        return really(looker, intents)

    monkeypatch.setattr(inspection.Inspector, "settle_all", settle_all)
    steps = []
    while not steps or steps[-1] != "idle":
        steps.append(schedule.run(Scope.ALL, at_most=0).phase)

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
                schedule.run(scope)
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

    row = schedule.run(Scope.OPEN)

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
