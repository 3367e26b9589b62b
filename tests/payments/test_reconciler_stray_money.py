"""Money at the gateway without an order goes back, once, and is written down."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from apps.orders.fulfilment.cancellation import request_cancellation
from apps.payments import gateway as gateways
from apps.payments import refunds
from apps.payments.models import Discrepancy, Payment
from apps.payments.reconciler import discrepancies, inspection, our_books, stray_payments, two_sides
from tests.orders.purchases import TOTAL, Shop
from tests.payments.books import (
    Scope,
    a_charge,
    compare,
    compare_all,
    refunds_there,
    rows,
    the_row,
    there,
)

pytestmark = pytest.mark.usefixtures("aged")


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


def test_declined_charge_without_a_payment_is_no_discrepancy(shop: Shop) -> None:
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
            our_books,
            "NOW_AND_BIRTH",
            "SELECT clock_timestamp(), clock_timestamp() + interval '1 h'",
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
    monkeypatch.setattr(two_sides, "GRACE", timedelta(minutes=10))  # listed, and too young
    charges = [a_charge(shop), a_charge(shop, payment=shop.payment(order_id))]

    compare()
    compare_all()
    untouched = [there(shop, charge)[0] for charge in charges]
    noted = rows()
    monkeypatch.setattr(two_sides, "GRACE", timedelta(0))
    compare_all()

    assert (untouched, noted) == (["requires_capture"] * 2, [])
    assert [there(shop, charge)[0] for charge in charges] == ["canceled"] * 2


def test_charge_is_looked_at_again_right_before_it_is_touched(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its payment appears between the list and the return."""
    charge = a_charge(shop, amount=TOTAL, payment_id=str(uuid4()))
    really = inspection.Inspector.inspect

    def closely(looker: Any, intent_id: str) -> None:
        (shown,) = shop.intents()
        Payment.objects.create(
            pk=shown["metadata"]["payment_id"], order_id=uuid4(), amount=TOTAL, currency="USD"
        )
        really(looker, intent_id)

    monkeypatch.setattr(inspection.Inspector, "inspect", closely)
    compare(Scope.RECENT)

    assert there(shop, charge) == ("requires_capture", 0, 0)
    assert (Payment.objects.get().intent_id, rows()) == (charge, [])


def test_second_charge_without_our_mark_is_returned_by_a_decision_of_staff(shop: Shop) -> None:
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
    monkeypatch.setattr(stray_payments, "MOST_A_DAY", 2)
    charges = [a_charge(shop) for _ in range(4)]

    compare()
    compare()

    assert sorted(there(shop, charge)[0] for charge in charges) == (
        ["canceled"] * 2 + ["requires_capture"] * 2
    )
    kept = Discrepancy.objects.filter(state="open")
    assert [len(row.history) for row in kept] == [1, 1]
    assert "Are our books whole?" in kept[0].history[0]["what"]


def test_refund_that_fails_becomes_a_case_and_is_sent_once_more(shop: Shop) -> None:
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
