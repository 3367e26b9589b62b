"""Past orders by the million and a large catalog, written straight into the tables.

Each past order has all the rows that the intake writes and a finished order keeps in those tables,
so that their indexes are as deep and their heaps as wide as they would be. The log of its steps,
its parcel, its mails and events are left out: neither accepting an order nor reading its status
reads them.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from django.db import connection, transaction

from apps.orders.tokens import order_token
from tools.bench.goods import HOT, UNITS, add_stock
from tools.bench.sql import sql

PORTION = 250_000
MOST = 5_000_000  # by so many the first are two years old, and each is younger than the one before

# Their ids: UUIDv7 of the last two years, time in the first 48 bits as in the shop's own ids.
NAMES = """
    DROP TABLE IF EXISTS bench_past;
    CREATE UNLOGGED TABLE bench_past AS
    SELECT n, placed_at, 'P' || lpad(n::text, 9, '0') AS number,
           (lpad(to_hex((extract(epoch FROM placed_at) * 1000)::bigint), 12, '0') || '7'
            || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid AS id
    FROM (SELECT n, now() - make_interval(secs => 63072000.0 * (1 - n / {most}::float8))
                 AS placed_at
          FROM generate_series({first}, {wanted}) AS n) past;
    CREATE INDEX ON bench_past (n);
    ANALYZE bench_past
"""
PAST = "(SELECT * FROM bench_past WHERE n BETWEEN %(first)s AND %(last)s ORDER BY n) AS past"
# Foreign keys are not checked while this is written: two tables at a time are filled, the widest
# first, so that both threads are busy until the end.
ROWS = {
    "orders_orderevent": """
        INSERT INTO orders_orderevent (order_id, seq, status, message, actor, created_at)
        SELECT id, seq, (ARRAY['PENDING', 'CONFIRMED', 'SHIPPED', 'DELIVERED'])[seq], 'Moved.', '',
               placed_at + make_interval(days => seq - 1)
        FROM {past}, generate_series(1, 4) AS seq
    """,
    "orders_order": """
        INSERT INTO orders_order (
            id, number, status, seq, email, mailbox, currency, subtotal_amount, discount_amount,
            shipping_amount, tax_amount, total_amount, shipping_address, shipping_method,
            promo_codes, placed_at, updated_at)
        SELECT id, number, 'DELIVERED', 4, 'buyer' || n %% 500000 || '@example.com',
               'buyer' || n %% 500000 || '@example.com', 'USD', 1800, 0, 599, 0, 2399,
               '{{"name": "Alice Archer", "line1": "12 Pine Street", "city": "Portland",
                 "region": "OR", "postal_code": "97201", "country": "US"}}', 'standard', '[]',
               placed_at, placed_at + interval '3 days'
        FROM {past}
    """,
    "orders_orderline": """
        INSERT INTO orders_orderline (order_id, sku, name, quantity, unit_amount, line_amount)
        SELECT id, %(sku)s, 'Bench', 1, 1800, 1800 FROM {past}
    """,
    # The answer as long as a real one: the key's table is the widest that the intake writes.
    "orders_idempotencykey": """
        INSERT INTO orders_idempotencykey (scope, key, fingerprint, order_id, answer, created_at)
        SELECT 'guest', id::text, decode(md5(number) || md5(id::text), 'hex'), id,
               '{{"order": "' || repeat(md5(number), 20) || '"}}', placed_at
        FROM {past}
    """,
    "orders_saga": """
        INSERT INTO orders_saga (
            order_id, state, step, attempts, epoch, waiting_for, deadline_at, cancel_reason,
            last_error, review_reason, reviewed_from, updated_at)
        SELECT id, 'done', 'notify', 0, 3, '', placed_at + interval '15 minutes', '', '', '', '',
               placed_at
        FROM {past}
    """,
    "payments_payment": """
        INSERT INTO payments_payment (
            id, order_id, status, amount, captured_amount, refunded_amount, currency,
            payment_method, return_url, intent_id, next_action_url, decline_code, message,
            generation, asked_at, created_at)
        SELECT overlay(id::text PLACING 'a' FROM 20 FOR 1)::uuid, id, 'captured', 2399, 2399, 0,
               'USD', 'pm_card_visa', '', 'pi_past_' || number, '', '', '', 1, placed_at, placed_at
        FROM {past}
    """,
    "inventory_hold": """
        INSERT INTO inventory_hold (order_id, stock_item_id, quantity, state, expires_at)
        SELECT id, (SELECT s.id FROM inventory_stockitem s
                    JOIN catalog_variant v ON v.id = s.variant_id WHERE v.sku = %(sku)s),
               1, 'confirmed', placed_at + interval '15 minutes'
        FROM {past}
    """,
}
RESERVED = """
    UPDATE inventory_stockitem s SET reserved = coalesce(
        (SELECT sum(h.quantity) FROM inventory_hold h
         WHERE h.stock_item_id = s.id AND h.state = 'active'), 0)
    WHERE reserved > 0
"""
SOME = "SELECT id FROM bench_past ORDER BY random() LIMIT 100"
PRODUCTS = """
    INSERT INTO catalog_product (slug, name, description, vendor, category_id, tags, published,
                                 featured, price_amount, currency, updated_at)
    SELECT 'bench-many-' || n,
           initcap(a.word) || ' ' || initcap(b.word) || ' by ' || initcap(c.word) || ' No. ' || n,
           '<p>A ' || a.word || ' ' || b.word || ' for slow mornings.</p>', 'Bench',
           (SELECT id FROM catalog_category WHERE slug = 'bench'), '[]', true, false,
           500 + n %% 20000, 'USD', now()
    FROM generate_series(%(first)s, %(last)s) AS n
    CROSS JOIN LATERAL (SELECT (ARRAY['stone', 'pine', 'oat', 'moss', 'clay'])[1 + n %% 5]
                        AS word) a
    CROSS JOIN LATERAL (SELECT (ARRAY['mug', 'kettle', 'lamp', 'bowl', 'blanket', 'teapot',
                                      'candle'])[1 + n %% 7] AS word) b
    CROSS JOIN LATERAL (SELECT substr(translate(md5((n %% 5000)::text), '0123456789', 'ghijklmnop'),
                                      1, 8) AS word) c  -- as many words as a large shop has
    RETURNING id
"""
VARIANTS = """
    INSERT INTO catalog_variant (product_id, sku, name, options, price_amount, currency,
                                 weight_grams, barcode, taxable, requires_shipping, active,
                                 position)
    SELECT id, 'MANY-' || id, '', '{}', price_amount, 'USD', 350, '', true, true, true, 0
    FROM catalog_product WHERE slug LIKE 'bench-many-%%' AND id BETWEEN %s AND %s
    RETURNING id
"""


def past_orders(there: int, wanted: int, *, say: Callable[[str], None]) -> list[str]:
    """Write past orders from `there` up to `wanted`; a hundred of the new ones as `id:token`."""
    if wanted <= there:
        return []
    sql(NAMES.format(first=there + 1, wanted=wanted, most=MOST))
    with ThreadPoolExecutor(2) as pool:
        done = [
            pool.submit(_fill, table, there, wanted)
            for table in (
                "orders_orderevent",
                "orders_order",
                *sorted(set(ROWS) - {"orders_orderevent", "orders_order"}),
            )
        ]
        for one in done:
            say(f"  {one.result()}")
    sql("CHECKPOINT")
    orders = [pk for (pk,) in sql(SOME)]
    sql("DROP TABLE bench_past")
    return [f"{pk}:{order_token(UUID(str(pk)))}" for pk in orders]


def _fill(table: str, there: int, wanted: int) -> str:
    """Runs in a thread of its own, with a database connection of its own."""
    try:
        sql(
            "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;"
            " SET synchronous_commit = off; SET session_replication_role = replica"
        )
        for first in range(there + 1, wanted + 1, PORTION):
            last = min(first + PORTION - 1, wanted)
            with connection.cursor() as cursor:
                cursor.execute(
                    ROWS[table].format(past=PAST), {"first": first, "last": last, "sku": HOT}
                )
        sql(f"VACUUM (ANALYZE) {table}")
    finally:
        connection.close()
    return table


def forget_orders_since(moment: float) -> None:
    """Delete what was accepted after `moment` (a Unix time); the past stays.

    Without workers the intake would refuse orders after a while (orders/intake/wait_estimate.py).
    """
    first = {"first": UUID(int=int(moment * 1000) << 80)}  # ids begin with their milliseconds
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        # Requests of a wrk that has ended may still be in the intake: wait for them.
        cursor.execute("LOCK TABLE inventory_stockitem IN EXCLUSIVE MODE")
        for table in ROWS:
            key = "id" if table == "orders_order" else "order_id"
            cursor.execute(f"DELETE FROM {table} WHERE {key} >= %(first)s", first)  # noqa: S608
        cursor.execute(RESERVED)
    sql("VACUUM (ANALYZE) inventory_stockitem")


def grow_catalog(wanted: int) -> None:
    """Products up to `wanted`, each with a variant in stock. They stay."""
    there = sql("SELECT count(*) FROM catalog_product WHERE slug LIKE 'bench-many-%%'")[0][0]
    if there >= wanted:
        return
    products = [pk for (pk,) in _write(PRODUCTS, {"first": there + 1, "last": wanted})]
    variants = [pk for (pk,) in sql(VARIANTS, min(products), max(products))]
    add_stock(min(variants), max(variants), UNITS // 1000)
    for table in ("catalog_product", "catalog_variant", "inventory_stockitem"):
        sql(f"VACUUM (ANALYZE) {table}")


def _write(statement: str, given: dict[str, object]) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        return cursor.fetchall() if cursor.description else []
