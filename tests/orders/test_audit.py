"""Each invariant, broken on purpose: a check that cannot fail is a defect of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection

from apps.orders import audit, saga
from apps.orders.cancel import request_cancellation
from apps.payments import gateway as gateways
from apps.payments.gateway import GatewayUnreachable
from apps.payments.models import REFUND_ATTEMPTS_MAX, Discrepancy, Payment
from apps.payments.reconciler import discrepancies
from apps.payments.refunds import request_refund, send_due
from tests.factories import PromoFactory
from tests.orders.purchases import TOTAL, Shop, an_event, at_once, sql
from tests.payments.books import a_charge, aged, compare, compare_all, refund_at_dashboard

__all__ = ["aged"]

LONG_AGO = "now() - interval '1 day'"


@pytest.fixture
def sold(shop: Shop) -> Shop:
    """A shop with one order confirmed by promo, one waiting at the bank, one called off."""
    shop.place(promo=PromoFactory(code="TEN", total_limit=5, customer_limit=5))
    shop.place(card="pm_card_threeDSecure2Required", email="bob@example.com")
    shop.place(card="pm_card_visa_chargeDeclined", email="carol@example.com")
    shop.run()
    assert shop.violations() == {}
    return shop


CONFIRMED = "(SELECT id FROM orders_order WHERE status = 'CONFIRMED')"
WAITING = "(SELECT id FROM orders_order WHERE status = 'REQUIRES_ACTION')"
CANCELLED = "(SELECT id FROM orders_order WHERE status = 'CANCELLED')"

# name: (invariant, what breaks it, words of the finding)
BROKEN: dict[str, tuple[int, str, str]] = {
    "a unit out of nowhere": (
        1, "UPDATE inventory_stockitem SET on_hand = on_hand + 1", "ledger says"),
    "a sale without its line in the ledger": (
        1, "DELETE FROM inventory_stockmovement WHERE kind = 'confirmed'", "ledger says"),
    "a reservation without a hold": (
        2, "UPDATE inventory_stockitem SET reserved = reserved + 1", "holds say"),
    "a hold let go without its units": (
        2, "UPDATE inventory_hold SET state = 'released' WHERE state = 'active'", "holds say"),
    "a hold of no order": (
        2, "UPDATE inventory_hold SET order_id = gen_random_uuid() WHERE state = 'released'",
        "that is not there"),
    "a refund that no row tells of": (
        4, "UPDATE payments_payment SET refunded_amount = 1 WHERE status = 'captured'",
        "1 refunded of 2353, refund rows say 0"),
    "more asked back than was taken": (
        4, "INSERT INTO payments_refund (id, payment_id, amount, status, purpose, reason, actor,"
           " message, attempts) SELECT gen_random_uuid(), id, amount + 1, 'requested', 'x', '', '',"
           " '', 0 FROM payments_payment WHERE status = 'captured'", "and 2354 asked for"),
    "called refunded, and kept": (
        4, "UPDATE payments_payment SET status = 'refunded' WHERE status = 'captured'",
        "2353 captured, 0 refunded"),
    "a capture of a part": (
        4, "UPDATE payments_payment SET captured_amount = 1 WHERE status = 'captured'",
        "1 captured"),
    "a payment over another amount than the order": (
        4, f"UPDATE payments_payment SET amount = amount + 1 WHERE order_id = {WAITING}",
        "0 captured"),
    "a promo counted too often": (
        6, "UPDATE promos_promo SET used = used + 1", "2 counted, 1 live"),
    "a redemption that is not counted": (
        6, "UPDATE promos_promo SET used = 0", "0 counted, 1 live"),
    "a promo used more often than one customer may": (
        6, "UPDATE promos_promo SET customer_limit = 0", "alice@example.com used it 1 times"),
    "a redemption of no order": (
        6, "UPDATE promos_redemption SET order_id = gen_random_uuid()", "that is not there"),
    "a payment of no order": (
        7, f"UPDATE payments_payment SET order_id = gen_random_uuid() WHERE order_id = {CANCELLED}",
        "that is not there"),
    "an order without a key": (
        7, f"DELETE FROM orders_idempotencykey WHERE order_id = {CONFIRMED}", "no key"),
    "an order without a saga": (
        7, f"DELETE FROM orders_saga WHERE order_id = {WAITING}", "no saga"),
    "an order without a payment": (
        7, f"DELETE FROM payments_payment WHERE order_id = {CANCELLED}", "no payment"),
    "a saga that nobody looks at": (
        8, f"UPDATE orders_saga SET due_at = NULL WHERE order_id = {WAITING}",
        "forward at authorize_payment"),
    "a saga long overdue": (
        8, f"UPDATE orders_saga SET due_at = {LONG_AGO}, updated_at = {LONG_AGO}"
           f" WHERE order_id = {WAITING}", "forward at authorize_payment"),
    "an undo long overdue": (
        8, f"UPDATE orders_saga SET due_at = {LONG_AGO}, updated_at = {LONG_AGO},"
           f" state = 'undoing' WHERE order_id = {WAITING}", "undoing at authorize_payment"),
    "a payment awaited past its deadline": (
        8, f"UPDATE orders_saga SET deadline_at = {LONG_AGO} WHERE order_id = {WAITING}",
        "forward at authorize_payment"),
    "a hold past its time": (
        8, f"UPDATE inventory_hold SET expires_at = {LONG_AGO} WHERE state = 'active'",
        "expired"),
    "confirmed and not paid": (
        9, f"UPDATE payments_payment SET status = 'voided' WHERE order_id = {CONFIRMED}",
        "CONFIRMED with payment voided and hold confirmed"),
    "confirmed and not sold": (
        9, f"UPDATE inventory_hold SET state = 'released' WHERE order_id = {CONFIRMED}",
        "CONFIRMED with payment captured and hold released"),
    "cancelled and sold": (
        9, f"UPDATE inventory_hold SET state = 'confirmed' WHERE order_id = {CANCELLED}",
        "CANCELLED, but hold confirmed"),
    "cancelled and paid": (
        9, f"UPDATE payments_payment SET status = 'captured', captured_amount = amount"
           f" WHERE order_id = {CANCELLED}", "CANCELLED, but payment captured keeps 2548"),
    "cancelled and authorized": (
        9, f"UPDATE payments_payment SET status = 'authorized' WHERE order_id = {CANCELLED}",
        "CANCELLED, but payment authorized keeps 0"),
    "cancelled and its promo used": (
        9, f"UPDATE promos_redemption SET order_id = {CANCELLED}",
        "CANCELLED, but its promo is still redeemed"),
    "paid and never confirmed": (
        9, f"UPDATE orders_order SET status = 'PAYMENT_AUTHORIZED' WHERE id = {CONFIRMED}",
        "not confirmed, but payment captured"),
    "ended, and neither confirmed nor cancelled": (
        9, f"UPDATE orders_saga SET state = 'undone' WHERE order_id = {WAITING}",
        "REQUIRES_ACTION, but its saga is undone"),
    "paid and still pending": (
        9, f"UPDATE orders_order SET status = 'PENDING' WHERE id = {CONFIRMED}",
        "not confirmed, but payment captured"),
    "an epoch that fell below its log": (
        10, f"UPDATE orders_saga SET epoch = 0 WHERE order_id = {CONFIRMED}", "log has epoch"),
    "an epoch that fell within the log": (
        10, "UPDATE orders_sagastep SET epoch = 0 WHERE step = 'notify'", "epoch fell from 2 to 0"),
    "a move without an event": (
        10, f"UPDATE orders_order SET seq = seq + 1 WHERE id = {CONFIRMED}", "with 3 events"),
    "an event that is gone": (
        10, f"DELETE FROM orders_orderevent WHERE seq = 2 AND order_id = {CONFIRMED}",
        "seq 3 with 2 events"),
    "a mail that does not go out": (
        11, f"UPDATE notifications_notification SET due_at = {LONG_AGO}",
        "order_confirmed due"),
    "a line that the total does not know": (
        13, "UPDATE orders_orderline SET quantity = 2, line_amount = 2 * unit_amount"
            f" WHERE order_id = {WAITING}", "total, lines 3600"),
    "a line that is gone": (
        13, f"DELETE FROM orders_orderline WHERE order_id = {WAITING}", "total, lines 0"),
    "in review for no reason": (
        14, f"UPDATE orders_saga SET state = 'review' WHERE order_id = {WAITING}",
        "in review without a reason"),
    "a dead mail closed by nobody": (
        14, "UPDATE notifications_notification SET state = 'dead', resolved_at = now(),"
            " resolution = 'it bounced'", "resolved without actor or reason"),
    "a dead mail closed for no reason": (
        14, "UPDATE notifications_notification SET state = 'dead', resolved_at = now(),"
            " resolved_by = 'clerk'", "resolved without actor or reason"),
    "a refund settled by nobody": (
        14, "INSERT INTO payments_refund (id, payment_id, amount, status, purpose, reason, actor,"
            " message, attempts, resolved_at) SELECT gen_random_uuid(), id, 1, 'failed', 'x', '',"
            " '', '', 1, now() FROM payments_payment WHERE status = 'captured'",
        "resolved without actor or reason"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_broken_on_purpose_is_named(sold: Shop, name: str) -> None:
    number, statement, words = BROKEN[name]

    assert sql(statement) > 0

    found = sold.violations()
    assert number in found, f"not seen; {sorted(found)}"
    assert any(words in example for example in found[number].examples), found[number].examples


def test_every_invariant_is_broken_somewhere_here() -> None:
    ours = {number for number, _, _ in BROKEN.values()} | {3, 5, 12}
    assert ours == set(range(1, 15))
    assert {invariant.number for invariant in audit.INVARIANTS} == ours - {5, 12}


# --- What the database itself forbids: the checks hold also when it would not ---------------------

FORBIDDEN: dict[str, tuple[int, str, str, str, str]] = {
    "more reserved than there is": (
        3, "inventory_stockitem", "stock_reserved_between_zero_and_on_hand",
        "UPDATE inventory_stockitem SET reserved = on_hand + 1", "10 of 9"),
    "less than nothing reserved": (
        3, "inventory_stockitem", "stock_reserved_between_zero_and_on_hand",
        "UPDATE inventory_stockitem SET reserved = -1", "-1 of 9"),
    "more refunded than taken": (
        4, "payments_payment", "payment_refunded_within_captured",
        "UPDATE payments_payment SET refunded_amount = amount + 1 WHERE status = 'captured'",
        "refund rows say 0"),
    "a promo past its limit": (
        6, "promos_promo", "promo_used_within_limit",
        "UPDATE promos_promo SET total_limit = 0", "1 counted, 1 live"),
    "a decision of nobody": (
        14, "desk_decision", "decision_has_actor_and_reason",
        "INSERT INTO desk_decision (kind, subject, decision, reason, actor)"
        " VALUES ('mail', '7', 'retry', 'why not', '')", "mail 7: decided without actor"),
    "a discrepancy resolved by nobody": (
        14, "payments_discrepancy", "discrepancy_open_or_resolved_by_somebody",
        "INSERT INTO payments_discrepancy (id, kind, subject, why, evidence, history, tries,"
        " state, resolution, resolved_by, resolved_at) VALUES (gen_random_uuid(), 'no_payment',"
        " 'pi_1', '', '{}', '[]', 0, 'resolved', 'x', '', now())",
        "resolved without actor or reason"),
    "a step done twice": (
        10, "orders_sagastep", "step_done_once_per_direction",
        "INSERT INTO orders_sagastep (saga_id, step, direction, outcome, attempt, epoch, detail,"
        " created_at) SELECT saga_id, step, direction, outcome, 1, epoch, '', now()"
        " FROM orders_sagastep WHERE step = 'notify'", "notify do done 2 times"),
    "a total that does not add up": (
        13, "orders_order", "order_total_adds_up",
        "UPDATE orders_order SET total_amount = total_amount + 1", "total, lines"),
    "an amount below nothing": (
        13, "orders_order", "order_amounts_not_negative",
        "UPDATE orders_order SET shipping_amount = -1, total_amount = total_amount"
        " - shipping_amount - 1", "total, lines"),
}  # fmt: skip


@contextmanager
def unguarded(table: str, constraint: str) -> Iterator[None]:
    """Without one of the database's own promises; it is back, and holds, afterwards."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [constraint]
        )
        row = cursor.fetchone()
        if row is None:  # a unique constraint with a condition is an index
            cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = %s", [constraint])
            drop, restore = f"DROP INDEX {constraint}", cursor.fetchone()[0]
        else:
            drop = f"ALTER TABLE {table} DROP CONSTRAINT {constraint}"
            restore = f"ALTER TABLE {table} ADD CONSTRAINT {constraint} {row[0]}"
        cursor.execute(drop)
        try:
            yield
        finally:
            cursor.execute("SET session_replication_role = replica")
            cursor.execute(f"DELETE FROM {table}")
            cursor.execute("RESET session_replication_role")
            cursor.execute(restore)


@pytest.mark.parametrize("name", FORBIDDEN)
def test_what_the_database_forbids_is_checked_all_the_same(sold: Shop, name: str) -> None:
    number, table, constraint, statement, words = FORBIDDEN[name]
    with pytest.raises(Exception, match=constraint):
        sql(statement)
    connection.close()
    with unguarded(table, constraint):
        assert sql(statement) > 0
        found = sold.violations()
    assert number in found, sorted(found)
    assert any(words in example for example in found[number].examples), found[number].examples


# --- 5: the gateway ------------------------------------------------------------------------------


def capture_behind_our_back(shop: Shop, **metadata: str) -> str:
    client = shop.sandbox.client()
    intent = client.v1.payment_intents.create(
        {
            "amount": TOTAL,
            "currency": "usd",
            "payment_method": "pm_card_visa",
            "payment_method_types": ["card"],
            "confirm": True,
            "metadata": metadata,
        }
    )
    return str(intent.id)


def at_gateway_charge_for_nobody(shop: Shop) -> str:
    return f"{capture_behind_our_back(shop)}: 2548 taken for no payment of ours"


def at_gateway_second_charge(shop: Shop) -> str:
    order_id = shop.place_confirmed()
    payment = shop.payment(order_id)
    capture_behind_our_back(shop, payment_id=str(payment.pk), order_id=str(order_id))
    return f"a second charge for payment {payment.pk}"


def at_gateway_refund_behind_our_back(shop: Shop) -> str:
    payment = shop.payment(shop.place_confirmed())
    shop.sandbox.client().v1.refunds.create({"payment_intent": payment.intent_id, "amount": 7})
    return f"{payment.intent_id}: 7 refunded, ours 0"


def here_captured_there_not(shop: Shop) -> str:
    order_id = shop.place(card="pm_card_threeDSecure2Required")
    shop.run()
    sql("UPDATE payments_payment SET status = 'captured', captured_amount = amount")
    return f"payment {shop.payment(order_id).pk}: captured here, unknown to the gateway"


def there_captured_here_not(shop: Shop) -> str:
    payment = shop.payment(shop.place_confirmed())
    sql("UPDATE payments_payment SET status = 'authorized', captured_amount = 0")
    return f"{payment.intent_id}: 2548 taken, ours 0"


def cancelled_there(shop: Shop) -> str:
    order_id = shop.place()
    shop.run_until_step(order_id, "capture_payment")
    payment = shop.payment(order_id)
    shop.sandbox.client().v1.payment_intents.cancel(payment.intent_id)
    sql("UPDATE payments_payment SET status = 'captured', captured_amount = amount")
    return f"{payment.intent_id}: cancelled there, captured here"


def still_reserved_there(shop: Shop) -> str:
    order_id = shop.place()
    shop.run_until_step(order_id, "capture_payment")
    sql("UPDATE payments_payment SET status = 'voided'")
    return f"{shop.payment(order_id).intent_id}: still reserved there, voided here"


def other_amount(shop: Shop) -> str:
    order_id = shop.place_confirmed()
    sql("UPDATE payments_payment SET amount = 3000")
    return f"{shop.payment(order_id).intent_id}: over 2548 USD, ours captured 3000 USD"


def other_currency(shop: Shop) -> str:
    order_id = shop.place_confirmed()
    sql("UPDATE payments_payment SET currency = 'EUR'")
    return f"{shop.payment(order_id).intent_id}: over 2548 USD, ours captured 2548 EUR"


@pytest.mark.parametrize(
    "difference",
    [
        at_gateway_charge_for_nobody,
        at_gateway_second_charge,
        at_gateway_refund_behind_our_back,
        here_captured_there_not,
        there_captured_here_not,
        cancelled_there,
        still_reserved_there,
        other_amount,
        other_currency,
    ],
)
def test_difference_to_the_gateways_books_is_named(
    shop: Shop, difference: Callable[[Shop], str]
) -> None:
    words = difference(shop)
    finding = audit.check_gateway(gateways.get_gateway(), second_look_after=audit.NO_TIME)
    assert not finding.holds
    assert any(words in example for example in finding.examples), finding.examples


def test_difference_that_was_only_on_its_way_is_none(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway has refunded, our row follows while the audit looks again."""
    order_id = shop.place_confirmed()
    request_refund(order_id, amount=5, purpose="a", reason="b", actor="c")
    refund = shop.payment(order_id).refunds.get()
    shop.sandbox.client().v1.refunds.create(
        {
            "payment_intent": shop.payment(order_id).intent_id,
            "amount": 5,
            "metadata": {"refund_id": str(refund.pk)},
        },
        {"idempotency_key": f"another:{refund.pk}"},
    )
    monkeypatch.setattr(
        audit.time,
        "sleep",
        lambda _: sql("UPDATE payments_payment SET refunded_amount = 5"),
    )
    assert audit.check_gateway(gateways.get_gateway()).holds


# --- 5: what a person left as it is ---------------------------------------------------------------


def at_gateway_second_charge_by_others(shop: Shop) -> str:
    """Without our mark, so that nobody gives it back by himself."""
    payment = shop.payment(shop.place_confirmed())
    a_charge(shop, payment=payment, captured=True, mark=None)
    return f"a second charge for payment {payment.pk}"


def at_gateway_refund_come_to_nothing(shop: Shop) -> str:
    order_id = shop.place_confirmed(card="pm_card_refundFail")
    request_refund(order_id, amount=5, purpose="admin:1", reason="b", actor="c")
    send_due()
    return f"{shop.payment(order_id).intent_id}: 0 refunded, ours 5"


def at_gateway_nothing(shop: Shop) -> str:
    payment = shop.payment(shop.place_confirmed())
    shop.sandbox.control("reset", {"endpoints": True})
    return f"payment {payment.pk}: captured here, unknown to the gateway"


def books_compared() -> audit.Finding:
    return audit.check_gateway(gateways.get_gateway(), second_look_after=audit.NO_TIME)


def leave_be() -> None:
    for row in Discrepancy.objects.filter(state="open"):
        discrepancies.resolve(row.pk, actor="clerk", reason="goodwill")


@pytest.mark.parametrize(
    "difference",
    [
        at_gateway_second_charge_by_others,
        at_gateway_refund_behind_our_back,
        at_gateway_refund_come_to_nothing,
        at_gateway_nothing,
        here_captured_there_not,
        cancelled_there,
        other_amount,
        other_currency,
    ],
)
def test_difference_that_somebody_left_as_it_is_does_not_count(
    shop: Shop, aged: None, difference: Callable[[Shop], str]
) -> None:
    words = difference(shop)
    compare_all()
    assert not books_compared().holds, "nobody has decided yet"

    leave_be()

    finding = books_compared()
    assert (finding.violations, finding.examples) == (0, ())
    assert any(words in line for line in finding.left_be), "and is still told of"
    assert all(line.endswith("(by clerk: goodwill)") for line in finding.left_be)


@pytest.fixture
def left(shop: Shop, aged: None) -> Payment:
    """A payment of which seven cents went back at the dashboard, by goodwill."""
    at_gateway_refund_behind_our_back(shop)
    compare()
    leave_be()
    assert books_compared().holds
    return Payment.objects.get()


def test_decision_is_good_for_the_form_in_which_it_was_taken(shop: Shop, left: Payment) -> None:
    """At once: the reconciler has not opened it again yet."""
    refund_at_dashboard(shop, left.order_id, 300)
    assert Discrepancy.objects.get().state == "resolved"
    finding = books_compared()
    assert finding.examples == (f"{left.intent_id}: 307 refunded, ours 0",)
    assert finding.left_be == ()


def test_refund_of_ours_does_not_hide_behind_one_that_was_left(shop: Shop, left: Payment) -> None:
    """Gone through there and not known here: no discrepancy of any kind tells of that."""
    request_refund(left.order_id, amount=5, purpose="a", reason="b", actor="c")
    shop.sandbox.faults({"fault": "reset_after", "operations": ["refunds.create"]})
    send_due()
    assert books_compared().examples == (f"{left.intent_id}: 12 refunded, ours 0",)


@pytest.mark.parametrize(
    "forged",
    [
        "DELETE FROM desk_decision",
        "UPDATE desk_decision SET decision = 'retry'",
        "UPDATE payments_discrepancy SET resolved_by = 'reconciler'",
        "UPDATE payments_discrepancy SET state = 'open', resolution = '', resolved_by = '',"
        " resolved_at = NULL",
    ],
)
def test_what_nobody_decided_counts(shop: Shop, left: Payment, forged: str) -> None:
    assert sql(forged) == 1
    assert books_compared().violations == 1


def test_what_was_left_is_told_by_the_command(shop: Shop, left: Payment) -> None:
    out = StringIO()
    call_command("audit", stdout=out)
    line = f"left as it is: {left.intent_id}: 7 refunded, ours 0 (by clerk: goodwill)"
    assert line in out.getvalue()
    out = StringIO()
    call_command("audit", "--json", stdout=out)
    (found,) = (x for x in json.loads(out.getvalue())["invariants"] if x["number"] == 5)
    assert (found["holds"], len(found["left_be"])) == (True, 1)


# --- 12: what clients were told ------------------------------------------------------------------


def test_accepted_order_that_is_gone_is_named(shop: Shop) -> None:
    order_id, lost = shop.place(), uuid4()
    assert audit.check_accepted([order_id]).holds
    finding = audit.check_accepted([order_id, lost])
    assert finding.examples == (f"order {lost} was accepted and is not there",)


# --- When it must not cry wolf -------------------------------------------------------------------


def test_safety_holds_at_every_step_forward_and_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saga.Turn, "goes_on", False)
    promo = PromoFactory(total_limit=9)
    order_ids = [shop.place(promo=promo) for _ in range(2)]
    shop.place(card="pm_card_visa_chargeDeclined", promo=promo)
    while saga.advance():
        assert not shop.violations(liveness=False)
    request_cancellation(order_ids[0])
    while saga.advance():
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


# --- The command ---------------------------------------------------------------------------------


def run_audit(*given: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("audit", *given, stdout=out, stderr=out)
    except SystemExit as end:
        return int(str(end.code)), out.getvalue()
    return 0, out.getvalue()


def test_command_says_that_all_is_well(sold: Shop) -> None:
    code, said = run_audit()
    assert code == 0
    lines = said.splitlines()
    assert [line[:6] for line in lines] == [
        f"ok  {number:2d}" for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14)
    ]


def test_command_names_what_is_wrong_and_fails(sold: Shop) -> None:
    sql("UPDATE promos_promo SET used = 3")
    code, said = run_audit()
    assert code == 1
    assert "BAD  6  promo counters equal the live redemptions" in said
    assert "        promo TEN: 3 counted, 1 live" in said
    assert said.count("BAD") == 1


def test_command_speaks_json(sold: Shop) -> None:
    code, said = run_audit("--json")
    told: dict[str, Any] = json.loads(said)
    assert (code, told["clean"], told["skipped"]) == (0, True, [])
    assert all(invariant["holds"] for invariant in told["invariants"])
    sql("UPDATE promos_promo SET used = 3")
    code, said = run_audit("--json")
    told = json.loads(said)
    assert (code, told["clean"]) == (1, False)
    (bad,) = [invariant for invariant in told["invariants"] if not invariant["holds"]]
    assert bad == {
        "number": 6,
        "name": "promo counters equal the live redemptions, within the limits",
        "holds": False,
        "violations": 1,
        "examples": ["promo TEN: 3 counted, 1 live"],
        "left_be": [],
    }


def test_command_can_leave_liveness_and_gateway_out(sold: Shop) -> None:
    sql(f"UPDATE orders_saga SET due_at = NULL WHERE order_id = {WAITING}")
    assert run_audit()[0] == 1
    assert run_audit("--safety")[0] == 0
    assert " 5  " not in run_audit("--safety", "--no-gateway")[1]


def test_command_reads_a_clients_log(sold: Shop, tmp_path: Path) -> None:
    log = tmp_path / "accepted.log"
    log.write_text(f"{sold.place()}\n")
    assert run_audit("--accepted", str(log))[0] == 0
    lost = uuid4()
    log.write_text(f"{sold.place()}\n{lost}\n")
    code, said = run_audit("--accepted", str(log))
    assert code == 1
    assert f"order {lost} was accepted and is not there" in said


def test_command_says_when_the_gateway_could_not_be_asked(
    sold: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> Any:
        raise GatewayUnreachable("no connection")

    monkeypatch.setattr(gateways.get_gateway(), "list_intents", away, raising=False)
    for given in ((), ("--json",)):
        code, said = run_audit(*given)
        assert code == 1, "what could not be asked does not hold"
        assert "invariant 5 NOT CHECKED: the gateway could not be asked (GatewayUnreach" in said
    told = json.loads(said[: said.rindex("}") + 1])
    assert (told["clean"], len(told["skipped"])) == (False, 1)
    assert run_audit("--no-gateway")[0] == 0
