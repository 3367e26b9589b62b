"""A refund that a bank refuses days after it succeeded: our books take it back, once."""

from __future__ import annotations

from collections.abc import Callable
from unittest import mock
from uuid import UUID

import pytest

from apps.orders.fulfilment.cancellation import request_cancellation
from apps.orders.saga import engine
from apps.orders.saga.placement import SagaUpdate
from apps.payments import inbox, refunds, stopped_refunds
from apps.payments.models import Discrepancy, Payment, Refund, WebhookInbox
from apps.payments.reconciler import discrepancies
from tests.orders.purchases import TOTAL, Shop, an_event, at_once
from tests.payments.books import (
    a_charge,
    aged,
    compare,
    compare_all,
    refund_at_dashboard,
    refunds_there,
    rows,
)

__all__ = ["aged"]

pytestmark = pytest.mark.usefixtures("aged")


def by_webhook(shop: Shop) -> None:
    shop.hear()


def by_reconciler(shop: Shop) -> None:
    compare()


SEEN_BY = pytest.mark.parametrize("see", [by_webhook, by_reconciler])


def send(shop: Shop, order_id: UUID, amount: int) -> Refund:
    """A refund that has succeeded."""
    refund = refunds.request_refund(
        order_id, amount=amount, purpose="admin:1", reason="a chipped mug", actor="clerk"
    )
    refunds.send_due()
    refund.refresh_from_db()
    assert refund.status == "succeeded"
    return refund


def fail_at_bank(shop: Shop, gateway_id: str | None) -> None:
    shop.sandbox.control("dashboard", {"do": "fail_refund", "refund": gateway_id})


def books(shop: Shop, order_id: UUID) -> tuple[str, int]:
    payment = shop.payment(order_id)
    return payment.status, payment.refunded_amount


@SEEN_BY
@pytest.mark.parametrize("amount", [500, TOTAL])
def test_books_go_back_and_it_waits_with_the_stopped_refunds(
    shop: Shop, see: Callable[[Shop], None], amount: int
) -> None:
    order_id = shop.place_confirmed()
    refund = send(shop, order_id, amount)
    compare()
    fail_at_bank(shop, refund.gateway_id)

    see(shop)

    assert books(shop, order_id) == ("captured", 0)
    refund.refresh_from_db()
    assert refund.status == "failed"
    assert refund.came_back_at is not None
    assert refund.message == "It had gone through, and came back: expired or canceled card."
    assert stopped_refunds.stopped().get() == refund
    assert (rows(), inbox.undecided().count()) == ([], 0), "one case, not two"
    shop.assert_audit_clean()


@SEEN_BY
def test_seen_again_it_goes_back_once(shop: Shop, see: Callable[[Shop], None]) -> None:
    order_id = shop.place_confirmed()
    first = send(shop, order_id, 500)
    second = refunds.request_refund(
        order_id, amount=300, purpose="admin:2", reason="another", actor="clerk"
    )
    refunds.send_due()
    fail_at_bank(shop, first.gateway_id)

    for _ in range(2):
        see(shop)
        by_reconciler(shop)
        compare_all()
        by_webhook(shop)

    assert books(shop, order_id) == ("captured", 300)
    second.refresh_from_db()
    assert second.status == "succeeded"
    shop.assert_audit_clean()


@pytest.mark.race
def test_many_reports_at_once_take_it_back_once(shop: Shop) -> None:
    order_id = shop.place_confirmed()
    refund = send(shop, order_id, 500)
    fail_at_bank(shop, refund.gateway_id)
    (shown,) = refunds_there(shop, str(shop.payment(order_id).intent_id))
    for _ in range(8):
        assert shop.post_webhook(an_event("refund.failed", dict(shown))) == 200

    at_once(4, lambda _: inbox.apply_due(limit=2) + inbox.apply_due())

    assert books(shop, order_id) == ("captured", 0)
    shop.assert_audit_clean()


def test_sent_again_it_arrives(shop: Shop) -> None:
    order_id = shop.place_confirmed()
    refund = send(shop, order_id, 500)
    fail_at_bank(shop, refund.gateway_id)
    shop.hear()

    again = stopped_refunds.retry(refund.pk, actor="clerk", reason="another account")
    refunds.send_due()

    again.refresh_from_db()
    assert (again.status, again.purpose, again.amount) == ("succeeded", "admin:1#1", 500)
    assert books(shop, order_id) == ("captured", 500)
    assert not stopped_refunds.stopped().exists()
    shop.hear()
    compare()
    assert books(shop, order_id) == ("captured", 500)
    shop.assert_audit_clean()

    fail_at_bank(shop, again.gateway_id)
    shop.hear()
    assert stopped_refunds.stopped().get() == again
    third = stopped_refunds.retry(again.pk, actor="clerk", reason="once more")
    assert third.purpose == "admin:1#2"


def test_refund_of_a_cancellation_that_comes_back_waits_too(shop: Shop) -> None:
    """Its saga has ended: nobody would send it again."""
    order_id = shop.place_confirmed()
    request_cancellation(order_id)
    shop.run()
    shop.assert_cancelled(order_id)
    refund = Refund.objects.get()
    fail_at_bank(shop, refund.gateway_id)

    shop.hear()

    assert books(shop, order_id) == ("captured", 0)
    assert stopped_refunds.stopped().get() == refund
    shop.assert_audit_clean()

    again = stopped_refunds.retry(refund.pk, actor="clerk", reason="the new card")
    assert refunds.send_due() == 1
    again.refresh_from_db()
    assert again.status == "succeeded"
    assert books(shop, order_id) == ("refunded", TOTAL)
    shop.assert_cancelled(order_id)


def test_cancellation_that_is_still_under_way_sends_it_again_by_itself(shop: Shop) -> None:
    order_id = shop.place_confirmed()
    request_cancellation(order_id)
    with mock.patch.object(SagaUpdate, "goes_on", False):
        while shop.payment(order_id).status != "refunded":
            assert engine.advance() > 0
    assert shop.saga(order_id).state == "undoing"
    fail_at_bank(shop, Refund.objects.get().gateway_id)
    shop.hear()
    assert books(shop, order_id) == ("captured", 0)

    shop.end_leases()
    shop.run_hurried(order_id)

    assert list(Refund.objects.order_by("created_at").values_list("purpose", "status")) == [
        ("cancellation", "failed"),
        ("cancellation:2", "succeeded"),
    ]
    assert books(shop, order_id) == ("refunded", TOTAL)
    assert not stopped_refunds.stopped().exists()
    shop.assert_cancelled(order_id)


def test_adopted_refund_that_comes_back_goes_back_too(shop: Shop) -> None:
    order_id = shop.place_confirmed()
    made = refund_at_dashboard(shop, order_id, 500)
    compare()
    discrepancies.adopt_refunds(Discrepancy.objects.get().pk, actor="clerk", reason="goodwill")
    assert books(shop, order_id) == ("captured", 500)

    fail_at_bank(shop, made)
    shop.hear()

    assert books(shop, order_id) == ("captured", 0)
    assert stopped_refunds.stopped().get().gateway_id == made
    shop.assert_audit_clean()


def test_decision_about_a_refund_ends_with_its_coming_back(shop: Shop) -> None:
    """Staff had closed it while its outcome was not known; then it arrived, then it came back."""
    order_id = shop.place_confirmed()
    refund = send(shop, order_id, 500)
    Refund.objects.update(
        resolution="paid in cash", resolved_by="clerk", resolved_at="2026-01-01T00:00:00Z"
    )
    fail_at_bank(shop, refund.gateway_id)
    shop.hear()
    assert stopped_refunds.stopped().get() == refund


@pytest.mark.parametrize("order", ["failed first", "succeeded first"])
def test_what_failed_stays_failed_in_whatever_order_it_is_heard(shop: Shop, order: str) -> None:
    order_id = shop.place_confirmed()
    refund = send(shop, order_id, 500)
    fail_at_bank(shop, refund.gateway_id)
    (shown,) = refunds_there(shop, str(shop.payment(order_id).intent_id))
    failed = an_event("refund.failed", dict(shown))
    succeeded = an_event("refund.updated", dict(shown) | {"status": "succeeded"})
    heard = [failed, succeeded] if order == "failed first" else [succeeded, failed]

    for event in [*heard, an_event("charge.refund.updated", dict(shown))]:
        shop.post_webhook(event)
        inbox.apply_due()

    assert books(shop, order_id) == ("captured", 0)
    assert set(WebhookInbox.objects.values_list("state", flat=True)) == {"applied"}
    shop.assert_audit_clean()


def test_money_without_an_order_that_comes_back_is_a_case_again(shop: Shop) -> None:
    charge = a_charge(shop, captured=True)
    compare()
    assert rows() == [("no_payment", "resolved")]
    (refund,) = refunds_there(shop, charge)

    fail_at_bank(shop, refund["id"])
    compare()

    assert rows() == [("no_payment", "open")]
    assert Payment.objects.count() == 0
