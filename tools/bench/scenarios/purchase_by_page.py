"""Whole purchases by pages without JavaScript: six requests from the product to the order."""

from typing import Any

from tools.bench.bench import Bench, median_by
from tools.bench.findings import Findings, Plot
from tools.bench.goods import UNIFORM
from tools.bench.wrk import Load

SHOPPERS = (1, 16, 64)
GOODS = ",".join(f"{UNIFORM}{number:04}" for number in range(1, 101))


def purchase_by_page(bench: Bench) -> Findings:
    """1, 16 and 64 shoppers, each of whom begins anew when the order is placed."""
    rows: list[dict[str, Any]] = []
    bench.shop.reset()
    _buy(bench, SHOPPERS[1], bench.warm_up)
    for shoppers in (16,) if bench.quick else SHOPPERS:
        runs = []
        for number in range(bench.runs):
            bench.shop.reset()
            idle = bench.load("browse", connections=shoppers, paths="/healthz", seconds=2)
            idle.require(200, "/healthz")
            runs.append(_figures(shoppers, _buy(bench, shoppers, bench.seconds), idle))
            bench.say(
                f"{shoppers} by page, {number + 1}/{bench.runs}: {runs[-1]['per_second']}/s,"
                f" {runs[-1]['share']} of /healthz"
            )
            bench.shop.audit(at_rest=False)
        rows.append(dict(median_by(runs, "per_second")))
    bench.shop.reset()
    return Findings(
        name="purchase_by_page",
        title="A purchase by pages",
        about=(
            "Product, add, cart, checkout, address, place, as a browser without JavaScript; each"
            " shopper goes on when the answer is there. Web, workers and sandbox are at work. The"
            " share is that of /healthz with as many connections, just before; wanted are 120 a"
            " second, or a share of 0.04, with 16 shoppers."
        ),
        columns={
            "shoppers": "shoppers",
            "per_second": "purchases a second",
            "share": "share of /healthz",
            "request_p50_ms": "a request, p50 ms",
            "request_p99_ms": "a request, p99 ms",
        },
        rows=rows,
        plots=[
            Plot(title="purchases a second", kind="lines", x="shoppers", y="per_second", unit="/s",
                 mark=120),
        ],
    )  # fmt: skip


def bought_by_page(bench: Bench, shoppers: int) -> float:
    """Purchases a second of so many shoppers, one run."""
    return _buy(bench, shoppers, bench.seconds).per_second(302)


def _buy(bench: Bench, shoppers: int, seconds: float) -> Load:
    load = bench.load("page", connections=shoppers, threads=shoppers, seconds=seconds, skus=GOODS)
    if (others := load.others(200, 302)) or not load.per_second(302):
        raise AssertionError(f"purchases by page: unexpected answers: {others or 'no order'}")
    return load


def _figures(shoppers: int, load: Load, idle: Load) -> dict[str, Any]:
    bought = load.per_second(302)
    return {
        "shoppers": shoppers,
        "per_second": round(bought, 1),
        "share": round(bought / idle.per_second(), 4),
        "request_p50_ms": round(load.p50_ms, 1),
        "request_p99_ms": round(load.p99_ms, 1),
    }
