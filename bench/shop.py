"""The measured shop: its real processes, its goods, and its books.

with Shop(home, ports) as shop:
    shop.stop("worker")              only the intake
    shop.reset()                     no orders, full shelves, whatever was under way
    shop.depth(), shop.finished()    how far it is
"""

import contextlib
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import requests
from django.contrib.auth.hashers import make_password
from django.db import OperationalError, connection, transaction
from rest_framework_simplejwt.tokens import RefreshToken

from apps.catalog.models import Category, Product, Variant
from apps.customers.models import User
from apps.inventory import stock
from apps.inventory.stock import default_warehouse
from apps.orders import audit, queue_depth
from apps.orders.models import Order
from apps.payments.gateway import get_gateway
from apps.promos.codes import normalise
from apps.promos.models import Promo
from apps.sales.models import FlashSale
from bench import wrk
from bench.place import DATABASE, environment
from storefront import embedded
from storefront.stack import Ports, Stack, StackError

HOT = "BENCH-HOT"
UNIFORM = "BENCH-SKU-"  # and four digits
SKUS = 1_000
UNITS = 100_000_000
PROMO = "BENCH10"
# Each may check out sixty times a minute; together they must outdo what is measured.
MEMBERS = 4_000
BACKGROUND = ("worker", "worker-background", "beat")

# Everything an order leaves behind, in one statement: the tables know each other. dj-stripe's
# copies go as well, or the last run would mirror into what all the others left.
EMPTY = """
    TRUNCATE orders_order, orders_orderline, orders_orderevent, orders_idempotencykey, orders_saga,
        orders_sagastep, orders_return, orders_returnline,
        payments_payment, payments_refund, payments_gatewaycall, payments_webhookinbox,
        payments_discrepancy, payments_reconciliation, payments_seenintent,
        inventory_hold, promos_redemption, shipping_shipment, notifications_notification,
        djstripe_event, djstripe_paymentintent, djstripe_charge CASCADE
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
        self._away: set[str] = set()
        self._fresh = True  # the workers were started, and have not been seen at work yet
        self.stack = Stack(home=home, ports=ports, env=env, seed=True)

    def __enter__(self) -> Self:
        try:
            if self.stack.database_url == embedded.database_url(self.home, DATABASE):
                self._held.enter_context(embedded.serving(self.home, redis=False))
                embedded.ensure_database(self.home, DATABASE)
            else:
                refuse_a_real_shop()
            self._say("starting the shop")
            self._held.enter_context(self.stack)
            stock_up()
            self.reset()
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
        """Some of the processes switched off for a while; those that are off already stay so."""
        wanted = [name for name in names if name not in self._away]
        with ThreadPoolExecutor() as hands:
            list(hands.map(self.stack.stop_process, wanted))
        self._away.update(wanted)
        try:
            yield
        finally:
            self._away.difference_update(wanted)
            self._fresh = self._fresh or "worker" in wanted
            for name in wanted:
                self.stack.start_process(name)
            self.stack.wait_ready()

    @contextlib.contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """One process held still for a while; afterwards it goes on at once, warm as it was."""
        self.stack.kill(name, signal.SIGSTOP)
        try:
            yield
        finally:
            self.stack.kill(name, signal.SIGCONT)

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

    # --- Orders ---------------------------------------------------------------------------------

    def place_order(self) -> dict[str, Any]:
        """One of the hot SKU, by a guest; the body of the 202."""
        key = uuid4()
        answer = requests.post(
            f"{self.url}/api/v1/checkouts/",
            json={
                "lines": [{"sku": HOT, "quantity": 1}],
                "email": "page@example.com",
                "shipping_address": {
                    "name": "Alice Archer",
                    "line1": "12 Pine Street",
                    "city": "Portland",
                    "region": "OR",
                    "postal_code": "97201",
                    "country": "US",
                },
                "shipping_method": "standard",
                "payment_method": "pm_card_visa",
            },
            headers={
                "Idempotency-Key": key.hex,
                "X-Forwarded-For": f"10.1.{key.bytes[0]}.{key.bytes[1]}",
            },
            timeout=30,
        )
        if answer.status_code != 202:
            raise AssertionError(f"not accepted: {answer.status_code} {answer.text[:200]}")
        accepted: dict[str, Any] = answer.json()
        return accepted

    # --- Books ----------------------------------------------------------------------------------

    def reset(self) -> None:
        """No orders, full shelves, statistics as they would be in the morning.

        Orders that are under way are dropped, here and at the gateway: the workers are away for
        as long as that takes, or they would go on with what is not there any more.
        """
        while True:
            with self.without(*BACKGROUND) if self.depth() else contextlib.nullcontext():
                self._put_away()
            if not self._has_late_orders():
                break
        if self._fresh and "worker" not in self._away:
            # One order to its end: workers that still start up are not measured.
            self.place_order()
            self.drain(patience=timedelta(minutes=3), look_every=0.1)
            self._put_away()
            self._fresh = False

    def _has_late_orders(self) -> bool:
        """Of shoppers whose wrk has left: the intake lets them through."""
        time.sleep(0.2)
        return Order.objects.exists()

    def _put_away(self) -> None:
        self._forget_at_the_gateway()
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
        shutil.rmtree(self.home / "mail", ignore_errors=True)

    def _forget_at_the_gateway(self) -> None:
        """Its intents and the webhooks that it still wants to send; the audit compares them."""
        url = f"{self.stack.sandbox_url}/_sandbox/reset"
        requests.post(url, json={}, timeout=30).raise_for_status()

    def _empty(self) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            # The ledger is append-only; for this transaction it is not.
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute("SET LOCAL lock_timeout = '5s'")
            # As every purchase does: shelves first, then the rest.
            cursor.execute("LOCK TABLE inventory_stockitem IN EXCLUSIVE MODE")
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

    def drain(
        self, *, patience: timedelta = timedelta(minutes=20), look_every: float = 0.5
    ) -> float:
        """Wait until no order is under way; the seconds it took."""
        began = time.monotonic()
        while depth := self.depth():
            if time.monotonic() - began > patience.total_seconds():
                raise TimeoutError(f"{depth} orders are still under way after {patience}")
            time.sleep(look_every)
        return time.monotonic() - began

    def audit(self, *, at_rest: bool = True) -> None:
        """Every invariant of `manage.py audit`, or an error that names the violations.

        At rest nothing is under way: then the gateway's books must agree as well, and nothing may
        be overdue. Safety must hold at any instant.
        """
        found = list(audit.check(liveness=at_rest))
        if at_rest:
            found.append(audit.check_gateway(get_gateway()))
        if wrong := [one for one in found if not one.holds]:
            raise AssertionError(
                "; ".join(
                    f"invariant {one.number}, {one.name}: {one.violations} violations,"
                    f" {', '.join(one.examples[:3])}"
                    for one in wrong
                )
            )


def sql(statement: str, *given: Any) -> list[tuple[Any, ...]]:
    """Rows of a question that the shop itself never asks."""
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        return cursor.fetchall() if cursor.description else []


def refuse_a_real_shop() -> None:
    """A database that was given (DATABASE_URL) is emptied: it must be ours, or have no orders."""
    ((found,),) = sql("SELECT to_regclass('orders_order')::text")
    if found and Order.objects.exists() and not Variant.objects.filter(sku=HOT).exists():
        raise StackError("DATABASE_URL is a shop with orders, which the benchmarks would delete")


# --- Goods --------------------------------------------------------------------------------------


def stock_up() -> None:
    """The hot SKU, a thousand others, a code, members. Safe to repeat and to interrupt."""
    if not Variant.objects.filter(sku=HOT).exists():
        with transaction.atomic():
            _fill_the_shelves()
    if not User.objects.filter(email__startswith="member").exists():
        password = make_password(None)
        User.objects.bulk_create(
            User(email=f"member{number}@example.com", password=password)
            for number in range(MEMBERS)
        )


def _fill_the_shelves() -> None:
    shelf = Category.objects.filter(slug="bench").first() or Category.objects.add_root(
        {"name": "Bench", "slug": "bench"}
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


def member_tokens(path: Path) -> Path:
    """A file with a JWT of every member, one a line, good for long enough to measure."""
    tokens = []
    for member in User.objects.filter(email__startswith="member").order_by("pk"):
        token = RefreshToken.for_user(member).access_token
        token.set_exp(lifetime=timedelta(hours=2))
        tokens.append(str(token))
    path.write_text("\n".join(tokens))
    return path


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
        "gateway": f"sandbox, {environment()['SANDBOX_LATENCY_MS']} ms a call",
        "settings": "production's: rate limits on, behind one proxy, no debug pages",
        "load generator": f"wrk {wrk.version()}, on the same machine",
        "load before": f"{Path('/proc/loadavg').read_text().split()[0]} (one minute's average)",
    }
