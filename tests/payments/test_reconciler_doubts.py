"""What the reconciler cannot decide: recorded once, for staff; closed when both sides agree."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from apps.payments import gateway as gateways
from apps.payments import refunds
from apps.payments.gateway import Intent
from apps.payments.models import Discrepancy, Payment, Refund
from apps.payments.reconciler import discrepancies, inspection, schedule
from tests.orders.purchases import TOTAL, Shop, sql
from tests.payments.books import Scope, compare, compare_all, refund_at_dashboard, rows, the_row

pytestmark = pytest.mark.usefixtures("aged")


def shown_as(monkeypatch: pytest.MonkeyPatch, **changed: Any) -> None:
    """The gateway shows every payment with something changed, in answers and in lists."""
    gateway = type(gateways.get_gateway())
    retrieve, listed = gateway.retrieve, gateway.list_intents
    monkeypatch.setattr(
        gateway, "retrieve", lambda self, intent_id: replace(retrieve(self, intent_id), **changed)
    )
    monkeypatch.setattr(
        gateway,
        "list_intents",
        lambda self, **given: (replace(intent, **changed) for intent in listed(self, **given)),
    )


def money_there(shop: Shop, order_id: UUID) -> list[tuple[str, int, int]]:
    return shop.at_gateway(order_id)


@pytest.mark.parametrize(
    ("kind", "changed", "words"),
    [
        ("other_terms", {"amount": 99}, "over $0.99, ours over $25.48"),
        ("other_terms", {"currency": "EUR"}, "over €25.48, ours over $25.48"),
        ("other_capture", {"amount_received": 500}, "$5.00 are taken there, $25.48 here"),
        ("disputed", {"disputed": True}, "The card holder disputes the charge"),
        (
            "cancelled_there",
            {"status": gateways.IntentStatus.CANCELED, "amount_received": 0},
            "$25.48 are taken here; there it is cancelled",
        ),
    ],
)
def test_difference_is_recorded_for_staff_and_nothing_moves(
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    changed: dict[str, Any],
    words: str,
) -> None:
    order_id = shop.place_confirmed()
    before = (shop.payment(order_id), money_there(shop, order_id))
    with monkeypatch.context() as patch:
        shown_as(patch, **changed)
        for _ in range(2):
            compare()
            compare_all()

    row = the_row()
    assert (row.kind, row.state, row.subject) == (kind, "open", before[0].intent_id)
    assert words in row.why
    assert (row.payment_id, row.tries, row.history) == (before[0].pk, 0, [])
    assert (shop.payment(order_id), money_there(shop, order_id)) == before

    compare(Scope.OPEN)  # and the two sides agree again

    row.refresh_from_db()
    assert (row.state, row.resolved_by) == ("resolved", "reconciler")
    assert row.resolution == "The two sides agree again."
    shop.assert_audit_clean()


def test_charge_that_the_gateway_does_not_know_is_noted(shop: Shop) -> None:
    order_ids = [shop.place_confirmed(), shop.place(card="pm_card_threeDSecure2Required")]
    shop.run()
    shop.sandbox.control("reset", {"endpoints": True})

    compare()
    compare_all()

    assert rows() == [("unknown_there", "open")] * 2
    assert {row.payment.order_id for row in Discrepancy.objects.all()} == set(order_ids)
    assert shop.payment(order_ids[0]).captured_amount == TOTAL


def test_gateway_that_knows_none_of_ours_is_another_account(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "MOST_UNKNOWN", 2)
    for _ in range(4):
        shop.place_confirmed()
    shop.sandbox.control("reset", {"endpoints": True})

    with pytest.raises(inspection.WrongBooks, match="another account"):
        schedule.run(Scope.ALL)

    assert rows() == [("unknown_there", "open")] * 2


# --- Refunds by others ----------------------------------------------------------------------------


def test_refund_made_at_the_dashboard_is_noted_and_can_be_adopted(shop: Shop) -> None:
    order_id = shop.place_confirmed()
    made = refund_at_dashboard(shop, order_id, 500)
    compare(Scope.RECENT)
    row = the_row()
    assert (row.kind, row.state) == ("refunded_there", "open")
    assert row.evidence == {"refunds": [{"id": made, "amount": 500, "status": "succeeded"}]}
    assert shop.violations().keys() == {5}

    assert discrepancies.adopt_refunds(row.pk, actor="clerk", reason="the kettle broke") == 500

    assert shop.payment(order_id).refunded_amount == 500
    refund = Refund.objects.get()
    assert (refund.status, refund.gateway_id, refund.actor) == ("succeeded", made, "clerk")
    row.refresh_from_db()
    assert (row.state, row.resolved_by, row.resolution) == (
        "resolved",
        "clerk",
        "the kettle broke",
    )
    compare_all()
    assert rows() == [("refunded_there", "resolved")]
    shop.assert_audit_clean()


def test_adopting_twice_is_refused_and_counts_once(shop: Shop) -> None:
    order_id = shop.place_confirmed()
    refund_at_dashboard(shop, order_id, 500)
    compare()
    discrepancies.adopt_refunds(the_row().pk, actor="clerk", reason="known")
    with pytest.raises(discrepancies.NotOpen):
        discrepancies.adopt_refunds(the_row().pk, actor="clerk", reason="known")
    assert shop.payment(order_id).refunded_amount == 500


def test_adopted_refund_must_fit_beside_our_own(shop: Shop) -> None:
    order_id = shop.place_confirmed()
    refund_at_dashboard(shop, order_id, 500)
    compare()
    refunds.request_refund(order_id, amount=TOTAL, purpose="admin:1", reason="all", actor="boss")
    with pytest.raises(refunds.RefundRefused):
        discrepancies.adopt_refunds(the_row().pk, actor="clerk", reason="known")
    assert (shop.payment(order_id).refunded_amount, the_row().state) == (0, "open")


def test_refund_that_the_gateway_does_not_show_is_recorded(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = shop.place_confirmed()
    refunds.request_refund(order_id, amount=500, purpose="admin:1", reason="cup", actor="clerk")
    refunds.send_due()
    assert shop.payment(order_id).refunded_amount == 500
    gateway = type(gateways.get_gateway())
    monkeypatch.setattr(gateway, "retrieve_refunds", lambda self, intent_id: [])

    compare()

    row = the_row()
    assert (row.kind, row.state) == ("refund_lost", "open")
    assert row.evidence == {"refunds": [str(Refund.objects.get().pk)]}
    assert row.why.startswith("$5.00 went back by our books, and not")


def test_refund_that_is_sent_while_we_compare_is_no_discrepancy(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Listed before, in our books afterwards: it looks as if it were missing there."""
    order_id = shop.place_confirmed()
    refunds.request_refund(order_id, amount=500, purpose="admin:1", reason="cup", actor="clerk")
    really = inspection.Inspector.settle_all

    def settle_all(looker: Any, intents: list[Intent]) -> Any:
        refunds.send_due()
        return really(looker, intents)

    monkeypatch.setattr(inspection.Inspector, "settle_all", settle_all)
    compare()

    assert (shop.payment(order_id).refunded_amount, rows()) == (500, [])


def test_our_own_refunds_and_cancellations_are_no_discrepancy(shop: Shop) -> None:
    from apps.orders.fulfilment.cancellation import request_cancellation

    kept, returned = shop.place_confirmed(), shop.place_confirmed()
    refunds.request_refund(kept, amount=500, purpose="admin:1", reason="cup", actor="clerk")
    refunds.send_due()
    request_cancellation(returned)
    shop.run()

    compare()
    compare_all()

    assert rows() == []


# --- What people decide ---------------------------------------------------------------------------


@pytest.fixture
def noted(shop: Shop) -> Discrepancy:
    order_id = shop.place_confirmed()
    refund_at_dashboard(shop, order_id, 500)
    compare()
    return the_row()


def test_resolved_by_staff_it_stays_resolved_with_the_same_evidence(
    shop: Shop, noted: Discrepancy
) -> None:
    discrepancies.resolve(noted.pk, actor="clerk", reason="goodwill")
    compare()
    compare_all()
    row = the_row()
    assert (row.state, row.resolved_by, row.resolution) == ("resolved", "clerk", "goodwill")


def test_with_other_evidence_it_is_opened_again(shop: Shop, noted: Discrepancy) -> None:
    discrepancies.resolve(noted.pk, actor="clerk", reason="goodwill")
    refund_at_dashboard(shop, Payment.objects.get().order_id, 300)

    compare()

    row = the_row()
    assert (row.pk, row.state, row.resolution, row.resolved_at) == (noted.pk, "open", "", None)
    assert [refund["amount"] for refund in row.evidence["refunds"]] == [300, 500]
    assert "resolved by clerk: goodwill" in row.history[0]["what"]


def test_look_again_closes_what_fits_by_now(shop: Shop, noted: Discrepancy) -> None:
    sent = noted.evidence["refunds"][0]
    sql(
        "INSERT INTO payments_refund (id, payment_id, amount, status, purpose, reason, actor,"
        " gateway_id, message, attempts) VALUES (gen_random_uuid(), %s, 500, 'succeeded', 'x', '',"
        " 'dba', %s, '', 0)",
        noted.payment_id,
        sent["id"],
    )
    Payment.objects.update(refunded_amount=500)

    discrepancies.look_again(noted.pk, actor="clerk", reason="mended by hand")
    compare(Scope.OPEN)

    row = the_row()
    assert (row.state, row.resolved_by) == ("resolved", "reconciler")
    assert "clerk wants it looked at again" in row.history[0]["what"]


@pytest.mark.parametrize(("actor", "reason"), [("", "why"), ("clerk", " ")])
@pytest.mark.parametrize("verb", ["resolve", "look_again", "give_back", "adopt_refunds"])
def test_decision_needs_an_actor_and_a_reason(
    shop: Shop, noted: Discrepancy, verb: str, actor: str, reason: str
) -> None:
    with pytest.raises(ValueError, match="actor and a reason"):
        getattr(discrepancies, verb)(noted.pk, actor=actor, reason=reason)
    assert the_row() == noted
    assert rows() == [("refunded_there", "open")]


def test_what_is_not_without_an_order_is_not_given_back(shop: Shop, noted: Discrepancy) -> None:
    with pytest.raises(discrepancies.NotOpen):
        discrepancies.give_back(noted.pk, actor="clerk", reason="why not")
    assert the_row().tries == 0


def test_refund_at_the_dashboard_is_seen_at_once_whatever_its_payments_age(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = shop.place_confirmed()
    compare(Scope.RECENT)
    monkeypatch.setattr(
        type(gateways.get_gateway()), "list_intents", lambda self, **given: iter(())
    )
    refund_at_dashboard(shop, order_id, 500)

    compare(Scope.RECENT)

    assert rows() == [("refunded_there", "open")]
