"""The measured shop: its real processes, its goods, and its books.

with Shop(home, ports) as shop:
    shop.stop("worker")              only the intake
    shop.reset()                     no orders, full shelves
    shop.depth(), shop.finished()    how far it is
"""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from django.db import OperationalError, connection, transaction

from apps.catalog.models import Category, Product, Variant
from apps.customers.models import User
from apps.inventory import stock
from apps.inventory.stock import default_warehouse
from apps.orders import queue_depth
from apps.promos.codes import normalise
from apps.promos.models import Promo
from apps.sales.models import FlashSale
from bench.place import DATABASE
from storefront import embedded
from storefront.stack import Ports, Stack

HOT = "BENCH-HOT"
UNIFORM = "BENCH-SKU-"  # and four digits
SKUS = 1_000
UNITS = 100_000_000
PROMO = "BENCH10"
BUYER, PASSWORD = "bench@example.com", "slow-morning-bench"
BACKGROUND = ("worker", "worker-background", "beat")

# Everything an order leaves behind, in one statement: the tables know each other.
EMPTY = """
    TRUNCATE orders_order, orders_orderline, orders_orderevent, orders_idempotencykey, orders_saga,
        orders_sagastep, orders_return, orders_returnline,
        payments_payment, payments_refund, payments_gatewaycall, payments_webhookinbox,
        inventory_hold, promos_redemption, shipping_shipment, notifications_notification CASCADE
"""
# The ledger of sales goes with the orders; what was put on the shelf stays.
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


class Shop:
    """One running shop with its own home."""

    def __init__(
        self,
        home: Path,
        ports: Ports,
        *,
        env: Mapping[str, str] | None = None,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.home = home
        self._say = say
        self._held = contextlib.ExitStack()
        self.stack = Stack(home=home, ports=ports, env=env, seed=True)

    def __enter__(self) -> Self:
        try:
            self._held.enter_context(embedded.serving(self.home))
            embedded.ensure_database(self.home, DATABASE)
            self._say("starting the shop")
            self._held.enter_context(self.stack)
            stock_up()
        except BaseException:
            self._held.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        connection.close()
        self._held.close()

    @property
    def url(self) -> str:
        return self.stack.url

    # --- Processes ------------------------------------------------------------------------------

    @contextlib.contextmanager
    def without(self, *names: str) -> Iterator[None]:
        """Some of the processes switched off for a while."""
        for name in names:
            self.stack.stop_process(name)
        try:
            yield
        finally:
            for name in names:
                self.stack.start_process(name)
            self.stack.wait_ready()

    @contextlib.contextmanager
    def with_environment(self, name: str, **changes: str) -> Iterator[None]:
        """One process with other settings for a while."""
        self.stack.change_environment(name, **changes)
        self.stack.restart(name)
        self.stack.wait_ready()
        try:
            yield
        finally:
            self.stack.change_environment(name, **dict.fromkeys(changes))
            self.stack.restart(name)
            self.stack.wait_ready()

    @contextlib.contextmanager
    def sold_out(self, sku: str) -> Iterator[None]:
        """A SKU of which nothing is left, until the shelf is filled again."""
        self.reset()
        stock.adjust(sku=sku, change=-UNITS, reason="sold out", actor="bench")
        try:
            yield
        finally:
            stock.receive(sku=sku, quantity=UNITS, reason="back again", actor="bench")

    # --- Books ----------------------------------------------------------------------------------

    def reset(self) -> None:
        """No orders, full shelves, statistics as they would be in the morning."""
        for tries_left in range(9, -1, -1):
            try:
                self._empty()
                break
            except OperationalError:
                # A process that looks round at this moment and we wait for each other.
                if not tries_left:
                    raise
                time.sleep(1)
        with connection.cursor() as cursor:
            for table in ("inventory_stockitem", "inventory_stockmovement", "promos_promo"):
                cursor.execute(f"VACUUM (ANALYZE) {table}")
            cursor.execute("CHECKPOINT")

    def _empty(self) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            # The ledger is append-only; for this transaction it is not.
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(EMPTY)
            cursor.execute(REFILL)
            cursor.execute("UPDATE promos_promo SET used = 0")

    def depth(self) -> int:
        """Orders under way."""
        return queue_depth.figures()[0]

    def finished(self) -> int:
        """Orders whose saga is over."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM orders_saga WHERE state IN ('done', 'undone')")
            return int(cursor.fetchone()[0])

    def drain(self, *, patience: timedelta = timedelta(minutes=20)) -> float:
        """Wait until no order is under way; the seconds it took."""
        began = time.monotonic()
        while depth := self.depth():
            if time.monotonic() - began > patience.total_seconds():
                raise TimeoutError(f"{depth} orders are still under way after {patience}")
            time.sleep(0.5)
        return time.monotonic() - began

    def audit(self, *options: str) -> None:
        """Every invariant, or an error that names the violations."""
        done = self.stack.manage("audit", "--json", *options, timeout=900)
        try:
            report = json.loads(done.stdout)
        except ValueError:
            raise AssertionError(f"the audit did not answer: {done.stdout}{done.stderr}") from None
        if not report["clean"]:
            raise AssertionError(
                str([found for found in report["invariants"] if not found["holds"]])
            )


def sql(statement: str, *given: Any) -> list[tuple[Any, ...]]:
    """Rows of a question that the shop itself never asks."""
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        return cursor.fetchall() if cursor.description else []


# --- Goods --------------------------------------------------------------------------------------


def stock_up() -> None:
    """The hot SKU, a thousand others, a code, a buyer. Safe to repeat."""
    if Variant.objects.filter(sku=HOT).exists():
        return
    shelf = Category.objects.filter(slug="bench").first() or Category.add_root(
        name="Bench", slug="bench"
    )
    skus = [HOT, *(f"{UNIFORM}{number:04}" for number in range(1, SKUS + 1))]
    products = Product.objects.bulk_create(
        Product(
            slug=sku.lower(), name=sku.title(), category=shelf, price_amount=1800, published=True
        )
        for sku in skus
    )
    variants = Variant.objects.bulk_create(
        Variant(product=product, sku=sku, price_amount=1800, weight_grams=350)
        for product, sku in zip(products, skus, strict=True)
    )
    put_on_shelf(min(v.pk for v in variants), max(v.pk for v in variants), UNITS)
    Promo.objects.create(
        code=PROMO, normal_code=normalise(PROMO), kind=Promo.Kind.PERCENTAGE, percent_bp=1000
    )
    User.objects.create_user(email=BUYER, password=PASSWORD)


def put_on_shelf(first_variant: int, last_variant: int, units: int) -> None:
    """`units` of each variant of a range into the default warehouse, with their movements."""
    warehouse = default_warehouse().pk
    sql(
        "INSERT INTO inventory_stockitem (warehouse_id, variant_id, on_hand, reserved, version)"
        " SELECT %s, v.id, 0, 0, 0 FROM catalog_variant v WHERE v.id BETWEEN %s AND %s",
        *(warehouse, first_variant, last_variant),
    )
    sql(
        "WITH received AS (INSERT INTO inventory_stockmovement"
        " (id, stock_item_id, kind, quantity, reason, actor)"
        " SELECT gen_random_uuid(), s.id, 'initial', %s, 'bench', 'bench'"
        " FROM inventory_stockitem s WHERE s.variant_id BETWEEN %s AND %s"
        " RETURNING stock_item_id, quantity)"
        " UPDATE inventory_stockitem s SET on_hand = s.on_hand + r.quantity"
        " FROM received r WHERE r.stock_item_id = s.id",
        *(units, first_variant, last_variant),
    )


@contextlib.contextmanager
def flash_sale(*skus: str, gate: bool) -> Iterator[None]:
    """The SKUs in a sale that is on, with or without its gate."""
    from django.utils import timezone

    now = timezone.now()
    sale = FlashSale.objects.create(
        name="Bench", slug="bench", stock_gate=gate, doors_at=now, starts_at=now,
        ends_at=now + timedelta(hours=6),
    )  # fmt: skip
    sale.variants.set(Variant.objects.filter(sku__in=skus))
    time.sleep(3)  # every process looks within two seconds
    try:
        yield
    finally:
        sale.delete()


def machine() -> dict[str, str]:
    """What was measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in lines if "model name" in line), "?")
    cores = sum(line.startswith("processor") for line in lines)
    memory = int(Path("/proc/meminfo").read_text().split()[1]) // 1024
    postgres = str(sql("SHOW server_version")[0][0])
    kernel = subprocess.run(["uname", "-sr"], capture_output=True, text=True, check=False).stdout
    return {
        "processor": f"{cores} × {model}",
        "memory": f"{memory:,} MiB",
        "system": kernel.strip(),
        "python": sys.version.split()[0],
        "postgresql": f"{postgres}, fsync {sql('SHOW fsync')[0][0]},"
        f" synchronous_commit {sql('SHOW synchronous_commit')[0][0]}",
        "load before": Path("/proc/loadavg").read_text().split()[0],
    }
