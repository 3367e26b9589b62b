"""Each invariant, broken on purpose: a check that cannot fail is a defect of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from django.db import connection

from apps.orders import audit
from tests.orders.purchases import Shop, sql
from tests.orders.sold_orders import CANCELLED, CONFIRMED, LONG_AGO, WAITING

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
    "a saga that no worker looks at": (
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
    "a dead mail closed by no one": (
        14, "UPDATE notifications_notification SET state = 'dead', resolved_at = now(),"
            " resolution = 'it bounced'", "resolved without actor or reason"),
    "a dead mail closed for no reason": (
        14, "UPDATE notifications_notification SET state = 'dead', resolved_at = now(),"
            " resolved_by = 'clerk'", "resolved without actor or reason"),
    "a refund settled by no one": (
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
    ours = {number for number, _, _ in BROKEN.values()} | {3, 5, 12, 15, 16}
    assert ours == set(range(1, 17))
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
    "a decision of no one": (
        14, "backoffice_decision", "decision_has_actor_and_reason",
        "INSERT INTO backoffice_decision (kind, subject, decision, reason, actor)"
        " VALUES ('mail', '7', 'retry', 'why not', '')", "mail 7: decided without actor"),
    "a discrepancy resolved by no one": (
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
    """Without one of the database's constraints; it is back, and holds, afterwards."""
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


# --- 12: what clients were told ------------------------------------------------------------------


def test_stock_item_with_another_policy_than_its_variant_is_named(sold: Shop) -> None:
    sql("ALTER TABLE inventory_stockitem DISABLE TRIGGER policy_of_variant")
    try:
        assert sql("UPDATE inventory_stockitem SET sells_on = true") > 0
        found = sold.violations()
    finally:
        sql("ALTER TABLE inventory_stockitem ENABLE TRIGGER policy_of_variant")

    assert "sells on, but its variant says deny" in found[3].examples[0]


def test_accepted_order_that_is_gone_is_named(shop: Shop) -> None:
    order_id, lost = shop.place(), uuid4()
    assert audit.check_accepted([order_id]).holds
    finding = audit.check_accepted([order_id, lost])
    assert finding.examples == (f"order {lost} was accepted and is not there",)
