"""The same shop with a textbook's checkout, and with other ways to reserve: side by side."""

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import Any

import requests
from django.utils import timezone

from apps.payments.gateway import get_gateway
from tools import embedded
from tools.bench import wrk
from tools.bench.bench import Bench
from tools.bench.findings import Findings, Plot
from tools.bench.goods import HOT, flash_sale
from tools.bench.shop import BACKGROUND
from tools.bench.sql import sql
from tools.stack import Ports
from tools.stack.commands import granian

STRATEGIES = ("conditional", "pessimistic", "optimistic")


def textbook(bench: Bench) -> Findings:
    """Orders a minute on one SKU at 350 ms of gateway, by shoppers at once."""
    crowds = (1, 40) if bench.quick else (1, 10, 100)
    rows = []
    with _textbook(bench) as url:
        for shoppers in crowds:
            # The hundredth shopper waits for ninety-nine others: long enough to measure that.
            seconds = 4.0 if bench.quick else 24.0 if shoppers > 50 else 8.0
            runs = []
            for number in range(bench.runs):
                bench.shop.reset()
                load = wrk.run("checkout", url, connections=shoppers, seconds=seconds, skus=HOT)
                run = _Run(load, a_minute=load.per_second(202) * 60, lost=_charged_without_order())
                bench.say(f"textbook, {shoppers} shoppers, {number + 1}/{bench.runs}: {run}")
                runs.append(run)
                _audit_of_the_textbook()
            rows.append(_row("textbook", shoppers, runs))
    for shoppers in crowds:
        runs = []
        for number in range(bench.runs):
            bench.shop.reset()
            began = time.monotonic()
            load = bench.load("checkout", connections=shoppers, skus=HOT, seconds=6)
            bench.shop.drain(look_every=0.1)
            took = time.monotonic() - began
            load.require(202, f"this shop, {shoppers} shoppers")
            run = _Run(load, a_minute=bench.shop.finished() / took * 60, lost=0)
            bench.say(f"this shop, {shoppers} shoppers, {number + 1}/{bench.runs}: {run}")
            runs.append(run)
            bench.shop.audit()
        rows.append(_row("this shop", shoppers, runs))
    return Findings(
        name="textbook",
        title="Against the textbook",
        about=(
            "One SKU, 350 ms at the gateway. The textbook checkout holds the stock's lock"
            " while the gateway works; it has no key, quote, promo, saga, capture and mail."
            " Its orders count when they are answered; this shop's when they are paid, sold and"
            " labelled, over the time until the last of them is. Requests that wait for a lock for"
            " longer than 8 s (the shop's own setting) get an error: with one order each 0.36 s,"
            " that is all but the first twenty-two."
        ),
        columns={
            "checkout": "checkout",
            "shoppers": "shoppers at once",
            "a_minute": "orders a minute",
            "p50_ms": "answer p50 ms",
            "p99_ms": "p99 ms",
            "asked": "answers",
            "errors": "of them errors",
            "timeouts": "none within 20 s",
            "lost": "charged without order",
        },
        rows=rows,
        plots=[
            Plot(title="orders a minute", kind="bars", x="shoppers", y="a_minute", unit="a minute",
                 series="checkout"),
        ],
    )  # fmt: skip


def strategies(bench: Bench) -> Findings:
    """Ways to reserve, with and without the gate, on a SKU with enough and on one sold out."""
    rows: list[dict[str, Any]] = []
    for strategy in STRATEGIES:
        with (
            bench.shop.with_environment("web", INVENTORY_STRATEGY=strategy),
            bench.shop.without(*BACKGROUND),
        ):
            for gate in (False, True):
                name = f"{strategy}, gate {'on' if gate else 'off'}"
                with flash_sale(HOT, gate=gate):
                    load = bench.checkouts(connections=64, skus=HOT, name=name)
                    with bench.shop.sold_out(HOT):
                        refused = bench.checkouts(
                            connections=64, skus=HOT, expected=409, name=f"{name}, sold out"
                        )
                rows.append(
                    {
                        "strategy": strategy,
                        "gate": "on" if gate else "off",
                        "accepted": round(load.per_second(202)),
                        "p99_ms": round(load.p99_ms, 1),
                        "refused": round(refused.per_second(409)),
                        "refused_p99_ms": round(refused.p99_ms, 1),
                    }
                )
    return Findings(
        name="strategies",
        title="Ways to reserve",
        about="One hot SKU, 64 shoppers, the intake alone: while there is enough, and sold out.",
        columns={
            "strategy": "strategy",
            "gate": "gate",
            "accepted": "accepted /s",
            "p99_ms": "p99 ms",
            "refused": "refused /s when sold out",
            "refused_p99_ms": "p99 ms",
        },
        rows=rows,
        plots=[
            Plot(title="refused a second, sold out", kind="bars", x="strategy", y="refused",
                 unit="/s", series="gate", mark=5000),
        ],
    )  # fmt: skip


@contextlib.contextmanager
def _textbook(bench: Bench) -> Iterator[str]:
    """The textbook's checkout on the shop's database, served in the same way as the shop."""
    port = Ports.free().edge
    process = subprocess.Popen(
        granian("wsgi", "tools.bench.textbook.wsgi:application", port, "--workers", "2",
                "--blocking-threads", "32", "--backlog", "2048"),
        cwd=embedded.PROJECT,
        env=bench.shop.stack.environment | {"PYTHONPATH": str(embedded.PROJECT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(requests.ConnectionError):
                requests.get(url, timeout=5)
                break
            if time.monotonic() > deadline:
                raise TimeoutError("the textbook's checkout does not start")
            time.sleep(0.2)
        yield url
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait(30)


@dataclass(frozen=True, slots=True)
class _Run:
    """One run of a checkout: its orders a minute, and cards charged for no order."""

    load: wrk.Load
    a_minute: float
    lost: int

    def __str__(self) -> str:
        return (
            f"{self.a_minute:,.0f} a minute, p99 {self.load.p99_ms:,.0f} ms,"
            f" errors {self.load.others(202) or 'none'}"
        )


def _charged_without_order() -> int:
    """Intents with money reserved that belong to no order."""
    since = timezone.now() - timedelta(hours=1)
    intents = {intent.id for intent in get_gateway().list_intents(created_after=since)}
    known = {intent_id for (intent_id,) in sql("SELECT intent_id FROM payments_payment")}
    return len(intents - known)


def _audit_of_the_textbook() -> None:
    """The invariants that it has: every sold unit left the stock once."""
    ((orders,),) = sql("SELECT count(*) FROM orders_order")
    ((gone,),) = sql(
        "SELECT -sum(quantity) FROM inventory_stockmovement WHERE order_id IS NOT NULL"
    )
    ((wrong,),) = sql(
        "SELECT count(*) FROM (SELECT s.id FROM inventory_stockitem s"
        " LEFT JOIN inventory_stockmovement m ON m.stock_item_id = s.id"
        " GROUP BY s.id HAVING s.on_hand <> coalesce(sum(m.quantity), 0)) w"
    )
    if wrong or orders != (gone or 0):
        raise AssertionError(f"the textbook sold {orders} and {gone} left; {wrong} items are off")


def _row(checkout: str, shoppers: int, runs: list[_Run]) -> dict[str, Any]:
    wanted = median(run.a_minute for run in runs)
    run = min(runs, key=lambda run: abs(run.a_minute - wanted))
    errors = run.load.others(202)
    timeouts = errors.pop("timeout", 0)
    return {
        "checkout": checkout,
        "shoppers": shoppers,
        "a_minute": round(run.a_minute),
        "p50_ms": round(run.load.p50_ms),
        "p99_ms": round(run.load.p99_ms),
        "asked": run.load.requests,
        "errors": sum(errors.values()),
        "timeouts": timeouts,
        "lost": run.lost,
    }
