"""What the audit must not call broken, and that it reads one moment and writes nothing."""

from __future__ import annotations

import pytest

from apps.orders import audit
from apps.orders.fulfilment.cancellation import request_cancellation
from apps.orders.saga import engine
from apps.orders.saga.placement import SagaUpdate
from apps.payments.models import REFUND_ATTEMPTS_MAX
from apps.payments.refunds import request_refund
from tests.factories import PromoFactory
from tests.orders.purchases import Shop, an_event, at_once, sql
from tests.orders.sold_orders import LONG_AGO, WAITING


@pytest.mark.usefixtures("declines_are_final")
def test_safety_holds_at_every_step_forward_and_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SagaUpdate, "goes_on", False)
    promo = PromoFactory(total_limit=9)
    order_ids = [shop.place(promo=promo) for _ in range(2)]
    shop.place(card="pm_card_visa_chargeDeclined", promo=promo)
    while engine.advance():
        assert not shop.violations(liveness=False)
    request_cancellation(order_ids[0])
    while engine.advance():
        assert not shop.violations(liveness=False)
    shop.assert_cancelled(order_ids[0])


def test_what_waits_for_a_person_is_not_late(sold: Shop) -> None:
    sql(f"UPDATE inventory_hold SET expires_at = {LONG_AGO}")
    sql(f"UPDATE orders_saga SET deadline_at = {LONG_AGO}")
    assert sorted(sold.violations()) == [8]
    sql(
        "UPDATE orders_saga SET state = 'review', review_reason = 'odd', due_at = NULL"
        f" WHERE order_id = {WAITING}"
    )
    sold.assert_audit_clean()


def test_event_and_refund_that_wait_too_long_are_named(sold: Shop) -> None:
    sold.post_webhook(an_event("x", {}))
    order_id = sold.place_confirmed()
    request_refund(order_id, amount=5, purpose="admin:1", reason="b", actor="c")
    sold.assert_audit_clean()
    sql(f"UPDATE payments_webhookinbox SET due_at = {LONG_AGO}")
    sql(f"UPDATE payments_refund SET due_at = {LONG_AGO}")
    words = " ".join(sold.violations()[11].examples)
    assert "x due" in words
    assert "requested, due" in words


def test_decisions_without_actor_or_reason_are_named(sold: Shop) -> None:
    sold.post_webhook(an_event("x", {}) | {"livemode": True})
    sold.assert_audit_clean()
    sql("UPDATE payments_webhookinbox SET resolved_at = now(), resolution = 'x'")
    assert sold.violations()[14].violations == 1
    sql("UPDATE payments_webhookinbox SET mirror_resolved_at = now()")
    assert "mirror given up by nobody" in " ".join(sold.violations()[14].examples)


def test_refund_that_waits_for_a_person_is_not_late(sold: Shop) -> None:
    order_id = sold.place_confirmed()
    request_refund(order_id, amount=5, purpose="admin:1", reason="b", actor="c")
    sql(f"UPDATE payments_refund SET due_at = {LONG_AGO}")
    assert sorted(sold.violations()) == [11]
    sql(f"UPDATE payments_refund SET attempts = {REFUND_ATTEMPTS_MAX}")
    sold.assert_audit_clean()


def test_more_than_can_be_shown_is_counted(shop: Shop) -> None:
    for _ in range(audit.SHOWN + 3):
        shop.post_webhook(an_event("x", {}))
    sql(f"UPDATE payments_webhookinbox SET due_at = {LONG_AGO}")
    finding = shop.violations()[11]
    assert (finding.violations, len(finding.examples)) == (audit.SHOWN + 3, audit.SHOWN)


def test_all_queries_see_one_moment(sold: Shop) -> None:
    findings = audit.check()
    first = next(findings)
    assert first.number == 1
    at_once(1, lambda _: sql("UPDATE orders_saga SET state = 'review'"))
    assert all(finding.holds for finding in findings)
    assert 14 in sold.violations()


def test_audit_writes_nothing(sold: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    vandal = audit.Invariant(
        1, "a typo", "UPDATE orders_order SET status = 'PENDING' RETURNING 'a', 'b'"
    )
    monkeypatch.setattr(audit, "INVARIANTS", (vandal,))
    with pytest.raises(Exception, match="read-only transaction"):
        list(audit.check())
    assert sold.order(sold.saga(sold.place()).pk).status == "PENDING"
