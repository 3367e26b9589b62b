"""Years of business, written in minutes: past orders and a large catalogue, straight into tables.

Each past order has all the rows that a finished one has, so that indexes are as deep and tables as
wide as they would be; only the ledger of stock is left out, which `reset` would have to undo.
"""

from collections.abc import Callable
from uuid import UUID

from apps.orders.tokens import order_token
from bench.shop import HOT, UNITS, put_on_shelf, sql

PORTION = 200_000

# UUIDv7 of the last two years: time in the first 48 bits, as the shop's own ids have it.
ORDERS = """
    WITH past AS (
        SELECT n, now() - make_interval(secs => 63072000.0 * (1 - n / %(most)s::float8)) AS placed_at
        FROM generate_series(%(first)s, %(last)s) AS n
    ), named AS (
        SELECT n, placed_at,
               (lpad(to_hex((extract(epoch FROM placed_at) * 1000)::bigint), 12, '0') || '7'
                || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text || 'x'), 1, 15))::uuid
                   AS id
        FROM past
    )
    INSERT INTO orders_order (
        id, number, status, seq, email, currency, subtotal_amount, discount_amount,
        shipping_amount, tax_amount, total_amount, shipping_address, shipping_method, promo_codes,
        placed_at, updated_at)
    SELECT id, 'P' || lpad(n::text, 9, '0'), 'DELIVERED', 4,
           'buyer' || n %% 500000 || '@example.com', 'USD', 1800, 0, 599, 0, 2399,
           '{"name": "Alice Archer", "line1": "12 Pine Street", "city": "Portland",
             "region": "OR", "postal_code": "97201", "country": "US"}', 'standard', '[]',
           placed_at, placed_at + interval '3 days'
    FROM named
"""
MORE = (
    """
    INSERT INTO orders_orderline (order_id, sku, name, quantity, unit_amount, line_amount)
    SELECT id, %(sku)s, 'Bench', 1, 1800, 1800 FROM {}
    """,
    """
    INSERT INTO orders_orderevent (order_id, seq, status, message, actor, created_at)
    SELECT id, seq, (ARRAY['PENDING', 'CONFIRMED', 'SHIPPED', 'DELIVERED'])[seq], 'Moved.', '',
           placed_at + make_interval(days => seq)
    FROM {}, generate_series(1, 4) AS seq
    """,
    """
    INSERT INTO orders_idempotencykey (scope, key, fingerprint, order_id, answer, created_at)
    SELECT 'guest', id::text, decode(md5(number) || md5(number), 'hex'), id, '{{}}', placed_at
    FROM {}
    """,
    """
    INSERT INTO orders_saga (
        order_id, state, step, attempts, epoch, waiting_for, deadline_at, cancel_reason,
        last_error, review_reason, reviewed_from, updated_at)
    SELECT id, 'done', 'notify', 0, 3, '', placed_at + interval '15 minutes', '', '', '', '',
           placed_at
    FROM {}
    """,
    """
    INSERT INTO orders_sagastep (saga_id, step, direction, outcome, attempt, epoch, detail)
    SELECT id, step, 'do', 'done', 1, 3, ''
    FROM {}, unnest(ARRAY['authorize_payment', 'confirm_stock', 'capture_payment',
                          'create_shipment', 'notify']) AS step
    """,
    """
    INSERT INTO payments_payment (
        id, order_id, status, amount, captured_amount, refunded_amount, currency, payment_method,
        return_url, intent_id, next_action_url, decline_code, message, generation, asked_at,
        created_at)
    SELECT gen_random_uuid(), id, 'captured', 2399, 2399, 0, 'USD', 'pm_card_visa', '',
           'pi_past_' || number, '', '', '', 1, placed_at, placed_at
    FROM {}
    """,
    """
    INSERT INTO inventory_hold (order_id, stock_item_id, quantity, state, expires_at)
    SELECT id, (SELECT s.id FROM inventory_stockitem s JOIN catalog_variant v ON v.id = s.variant_id
                WHERE v.sku = %(sku)s), 1, 'confirmed', placed_at + interval '15 minutes'
    FROM {}
    """,
)
WRITTEN = "(SELECT * FROM orders_order WHERE number BETWEEN %(from)s AND %(to)s) AS written"
SOME = """
    SELECT id FROM orders_order WHERE number LIKE 'P%%'
    AND number = ANY(SELECT 'P' || lpad((1 + random() * %s)::int::text, 9, '0')
                     FROM generate_series(1, 100))
"""
PRODUCTS = """
    INSERT INTO catalog_product (slug, name, description, vendor, category_id, tags, published,
                                 featured, price_amount, currency, updated_at)
    SELECT 'bench-many-' || n, initcap(a.word) || ' ' || initcap(b.word) || ' No. ' || n,
           '<p>A ' || a.word || ' ' || b.word || ' for slow mornings.</p>', 'Bench',
           (SELECT id FROM catalog_category WHERE slug = 'bench'), '[]', true, false,
           500 + n %% 20000, 'USD', now()
    FROM generate_series(%(first)s, %(last)s) AS n
    CROSS JOIN LATERAL (SELECT (ARRAY['stone', 'pine', 'oat', 'moss', 'clay'])[1 + n %% 5]
                        AS word) a
    CROSS JOIN LATERAL (SELECT (ARRAY['mug', 'kettle', 'lamp', 'bowl', 'blanket', 'teapot',
                                      'candle'])[1 + n %% 7] AS word) b
    RETURNING id
"""
VARIANTS = """
    INSERT INTO catalog_variant (product_id, sku, name, options, price_amount, currency,
                                 weight_grams, barcode, taxable, requires_shipping, active, position)
    SELECT id, 'MANY-' || id, '', '{}', price_amount, 'USD', 350, '', true, true, true, 0
    FROM catalog_product WHERE slug LIKE 'bench-many-%%' AND id BETWEEN %s AND %s
    RETURNING id
"""


def past_orders(there: int, wanted: int, *, say: Callable[[str], None]) -> list[str]:
    """Write past orders up to `wanted`; a hundred of them as `id:token`."""
    for first in range(there + 1, wanted + 1, PORTION):
        last = min(first + PORTION - 1, wanted)
        given = {"first": first, "last": last, "most": max(wanted, 1), "sku": HOT}
        span = {"from": f"P{first:09}", "to": f"P{last:09}"}
        _write(ORDERS, given)
        for statement in MORE:
            _write(statement.format(WRITTEN), given | span)
        say(f"  {last:,}")
    if wanted == 0:
        return []
    for table in (
        *("orders_order", "orders_orderline", "orders_orderevent", "orders_idempotencykey"),
        *("orders_saga", "orders_sagastep", "payments_payment", "inventory_hold"),
    ):
        sql(f"VACUUM (ANALYZE) {table}")  # noqa: S608  (names from above)
    sql("CHECKPOINT")
    return [f"{pk}:{order_token(UUID(str(pk)))}" for (pk,) in sql(SOME, wanted)]


def grow_catalogue(wanted: int) -> None:
    """Products up to `wanted`, each with a variant in stock. They stay."""
    there = sql("SELECT count(*) FROM catalog_product WHERE slug LIKE 'bench-many-%%'")[0][0]
    if there >= wanted:
        return
    products = [pk for (pk,) in _write(PRODUCTS, {"first": there + 1, "last": wanted})]
    variants = [pk for (pk,) in sql(VARIANTS, min(products), max(products))]
    put_on_shelf(min(variants), max(variants), UNITS // 1000)
    for table in ("catalog_product", "catalog_variant", "inventory_stockitem"):
        sql(f"VACUUM (ANALYZE) {table}")  # noqa: S608  (names from above)


def _write(statement: str, given: dict[str, object]) -> list[tuple[object, ...]]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        return cursor.fetchall() if cursor.description else []
