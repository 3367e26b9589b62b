"""Deletes all orders and their traces, and restores stock and promos."""

import time

from django.db import OperationalError, connection, transaction

# Every row that an order leaves, in one statement because of the foreign keys. dj-stripe's copies
# are deleted as well, or the last run would mirror into the rows of all the others.
EMPTY = """
    TRUNCATE orders_order, orders_orderline, orders_orderevent, orders_idempotencykey, orders_saga,
        orders_sagastep, orders_return, orders_returnline,
        payments_payment, payments_refund, payments_gatewaycall, payments_webhookinbox,
        payments_discrepancy, payments_reconciliation, payments_seenintent,
        inventory_hold, promos_redemption, shipping_shipment, notifications_notification,
        djstripe_event, djstripe_webhookeventtrigger, djstripe_paymentintent, djstripe_charge,
        djstripe_balancetransaction, djstripe_refund CASCADE
"""
# The movements of sales are deleted with the orders; the stock that was received stays.
REFILL = """
    WITH sold AS (
        DELETE FROM inventory_stockmovement WHERE order_id IS NOT NULL
        RETURNING stock_item_id, quantity
    ), back AS (
        SELECT stock_item_id, sum(quantity) AS units FROM sold GROUP BY 1
    )
    UPDATE inventory_stockitem s
    SET reserved = 0, on_hand = s.on_hand - coalesce(
        (SELECT units FROM back WHERE back.stock_item_id = s.id), 0)
"""


def delete_orders() -> None:
    """Empty the tables of orders; statistics and checkpoint as after a quiet time."""
    for tries_left in range(9, -1, -1):
        try:
            _delete()
            break
        except OperationalError:
            # A deadlock or lock time-out with a process that reads the tables at the moment.
            if not tries_left:
                raise
            time.sleep(1)
    with connection.cursor() as cursor:
        for table in ("inventory_stockitem", "inventory_stockmovement", "promos_promo"):
            cursor.execute(f"VACUUM (ANALYZE) {table}")
        cursor.execute("CHECKPOINT")


def _delete() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        # The ledger is append-only; for this transaction it is not.
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("SET LOCAL lock_timeout = '5s'")
        # In the order of every purchase: stock rows first, then the rest.
        cursor.execute("LOCK TABLE inventory_stockitem IN EXCLUSIVE MODE")
        cursor.execute(EMPTY)
        cursor.execute(REFILL)
        cursor.execute("UPDATE promos_promo SET used = 0")
