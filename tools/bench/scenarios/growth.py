"""Whether the shop slows down as it grows: past orders by the million, products by the thousand."""

import time
from typing import Any

from tools.bench import wrk
from tools.bench.bench import Bench
from tools.bench.findings import Findings, Plot
from tools.bench.goods import HOT
from tools.bench.order_history import forget_orders_since, grow_catalog, past_orders
from tools.bench.shop import BACKGROUND
from tools.bench.sql import sql

ORDERS = (0, 1_000_000, 5_000_000)
PRODUCTS = (1_000, 100_000)
RUNS = 5  # at least: single runs of one state differ by a fifth


def growth(bench: Bench) -> Findings:
    """Accepting orders and reading their status with 0, 1 and 5 million past orders."""
    shop = bench.shop
    rows: list[dict[str, Any]] = []
    shop.reset()
    sql("SET statement_timeout = 0")  # the audit reads every past order
    with shop.without(*BACKGROUND):
        there = 0
        for wanted in (0, 20_000) if bench.quick else ORDERS:
            began = time.monotonic()
            past = past_orders(there, wanted, say=bench.say)
            there = wanted
            bench.say(f"{wanted:,} orders behind, after {time.monotonic() - began:.0f} s")
            loads, statuses = [], []
            written = time.time()
            bench.load("checkout", connections=64, skus=HOT, seconds=bench.warm_up)
            runs = bench.runs if bench.quick else max(bench.runs, RUNS)
            for number in range(runs):
                _put_back(bench, there, written)
                load = bench.load("checkout", connections=64, skus=HOT)
                load.require(202, f"{wanted:,}")
                bench.say(f"{wanted:,} behind, {number + 1}/{runs}: {load.per_second(202):,.0f}/s")
                loads.append(load)
                if past:
                    look = bench.load("status", connections=16, orders=",".join(past))
                    look.require(200, "status")
                    statuses.append(look)
            load = wrk.middle(loads, lambda one: one.per_second(202))
            look = wrk.middle(statuses, lambda one: one.per_second()) if statuses else None
            rows.append(
                {
                    "behind": f"{wanted:,} orders",
                    "accepted": round(load.per_second(202)),
                    "p99_ms": round(load.p99_ms, 1),
                    "status": round(look.per_second()) if look else "",
                    "status_p99_ms": round(look.p99_ms, 1) if look else "",
                }
            )
            audited = time.monotonic()
            shop.audit(at_rest=False)
            bench.say(f"audited in {time.monotonic() - audited:.0f} s")
            forget_orders_since(written)
    shop.reset()
    return Findings(
        name="growth",
        title="With years of orders behind",
        about="One hot SKU at 64 shoppers, the intake alone; and the status of random past orders.",
        columns={
            "behind": "behind",
            "accepted": "accepted /s",
            "p99_ms": "p99 ms",
            "status": "statuses /s",
            "status_p99_ms": "p99 ms",
        },
        rows=rows,
        plots=[
            Plot(title="orders accepted a second", kind="bars", x="behind", y="accepted",
                 unit="/s", mark=round(0.9 * rows[0]["accepted"])),
        ],
    )  # fmt: skip


def _put_back(bench: Bench, there: int, written: float) -> None:
    """Delete the orders accepted after `written`.

    Without past orders the tables are emptied instead: after a DELETE of all rows PostgreSQL may
    take them for empty, and keeps plans for empty tables while they fill (1,300 instead of 2,300 a
    second).
    """
    if there:
        forget_orders_since(written)
    else:
        bench.shop.reset()


def catalog(bench: Bench) -> Findings:
    """Home, lists and search with a thousand and a hundred thousand products."""
    rows: list[dict[str, Any]] = []
    paths = {
        "home": "/",
        "API: list": "/api/v1/products/?ordering=price",
        "API: search": "/api/v1/products/?search=mug",
        "category page": "/c/bench/",
        "search page": "/search/?q=mug",
        "search, misspelt": "/search/?q=mugg+stonewear",
        "page 40": "/search/?page=40",
    }
    for wanted in (1_000,) if bench.quick else PRODUCTS:
        bench.say(f"{wanted:,} products")
        grow_catalog(wanted)
        for page, path in paths.items():
            bench.load("browse", connections=16, paths=path, seconds=bench.warm_up)
            loads = [bench.load("browse", connections=16, paths=path) for _ in range(bench.runs)]
            load = wrk.middle(loads, lambda one: one.per_second())
            load.require(200, page)
            bench.say(f"{page}: {load.per_second():,.0f}/s, p99 {load.p99_ms:,.0f} ms")
            rows.append(
                {
                    "products": f"{wanted:,} products",
                    "page": page,
                    "per_second": round(load.per_second()),
                    "p99_ms": round(load.p99_ms, 1),
                }
            )
    return Findings(
        name="catalog",
        title="With a large catalog",
        about="16 visitors on one kind of page.",
        columns={"products": "catalog", "page": "page", "per_second": "a second",
                 "p99_ms": "p99 ms"},
        rows=rows,
        plots=[
            Plot(title="pages a second", kind="bars", x="page", y="per_second", unit="/s",
                 series="products"),
        ],
    )  # fmt: skip
