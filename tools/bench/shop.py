"""The measured shop: its real processes, emptied before each run.

with Shop(home, ports) as shop:
    with shop.without("worker"): ...   only the intake
    shop.reset()                       no orders, full stock
    shop.depth(), shop.finished()      the progress of the orders
"""

import contextlib
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import requests
from django.db import connection

from apps.catalog.models import Variant
from apps.inventory import stock
from apps.orders.intake import wait_estimate
from apps.orders.models import Order
from tools import embedded
from tools.bench import orders
from tools.bench.emptying import delete_orders
from tools.bench.environment import DATABASE
from tools.bench.goods import HOT, UNITS, stock_up
from tools.bench.sql import sql
from tools.stack import Ports, Stack, StackError

BACKGROUND = ("worker", "worker-background", "beat")


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
        self._stopped: set[str] = set()
        self._fresh = True  # the workers were started, and have not finished an order yet
        # Some processes are frozen while others are measured: no watchdog.
        self.stack = Stack(home=home, ports=ports, env=env, seed=True, watch=None)

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
        """Stop some processes for the length of the block; those that are stopped stay so."""
        wanted = [name for name in names if name not in self._stopped]
        with ThreadPoolExecutor() as pool:
            list(pool.map(self.stack.stop_process, wanted))
        self._stopped.update(wanted)
        try:
            yield
        finally:
            self._stopped.difference_update(wanted)
            self._fresh = self._fresh or "worker" in wanted
            for name in wanted:
                self.stack.start_process(name)
            self.stack.wait_ready()

    @contextlib.contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """Freeze one process (SIGSTOP) for the length of the block; it keeps its memory."""
        self.stack.kill(name, signal.SIGSTOP)
        try:
            yield
        finally:
            self.stack.kill(name, signal.SIGCONT)

    @contextlib.contextmanager
    def with_environment(self, name: str, **changes: str) -> Iterator[None]:
        """Restart one process with other settings for the length of the block."""
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
        """No unit of this SKU for the length of the block."""
        self.reset()
        stock.adjust(sku=sku, change=-UNITS, reason="sold out", actor="bench")
        try:
            yield
        finally:
            stock.receive(sku=sku, quantity=UNITS, reason="back again", actor="bench")

    # --- Orders ---------------------------------------------------------------------------------

    def place_order(self) -> dict[str, Any]:
        """Order one unit of the hot SKU; the body of the 202."""
        return orders.place_order(self.url)

    def reset(self) -> None:
        """Delete all orders, restore the stock, update the statistics.

        Orders under way are deleted as well, here and at the gateway: the workers are stopped
        meanwhile, or they would go on with orders that do not exist any more.
        """
        while True:
            with self.without(*BACKGROUND) if self.depth() else contextlib.nullcontext():
                self._delete_orders()
            if not self._has_late_orders():
                break
        if self._fresh and "worker" not in self._stopped:
            # Finish one order first: workers that are still starting are not measured.
            self.place_order()
            self.drain(patience=timedelta(minutes=3), look_every=0.1)
            self._delete_orders()
            self._fresh = False

    def _has_late_orders(self) -> bool:
        """Whether the intake still accepted requests of a wrk that has ended."""
        time.sleep(0.2)
        return Order.objects.exists()

    def _delete_orders(self) -> None:
        # The sandbox first: the audit compares its intents, and it must send no more webhooks.
        url = f"{self.stack.sandbox_url}/_sandbox/reset"
        requests.post(url, json={}, timeout=30).raise_for_status()
        delete_orders()
        shutil.rmtree(self.home / "mail", ignore_errors=True)

    def depth(self) -> int:
        """Orders under way."""
        return wait_estimate.figures()[0]

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
        """Check every invariant; `at_rest` also those about overdue work and the gateway."""
        orders.audit_invariants(at_rest=at_rest)


def refuse_a_real_shop() -> None:
    """Raise StackError for a database (DATABASE_URL) with orders that are not the benchmarks'.

    The database is emptied: it must be a measured one, or have no orders.
    """
    ((found,),) = sql("SELECT to_regclass('orders_order')::text")
    if found and Order.objects.exists() and not Variant.objects.filter(sku=HOT).exists():
        raise StackError("DATABASE_URL is a shop with orders, which the benchmarks would delete")
