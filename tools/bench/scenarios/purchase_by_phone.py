"""Whole purchases by phone: the product, a cart, a line, the ways to ship, the order.

One shopper is one connection, who begins the next purchase when the order is accepted. All of the
shop's processes are at work, so that orders are finished beside those that come.
"""

from collections.abc import Sequence
from statistics import median, quantiles
from typing import Any

from tools.bench.bench import Bench
from tools.bench.findings import Findings, Plot, Row
from tools.bench.goods import HOT, member_tokens
from tools.bench.scenarios.phone_calls import ANY
from tools.bench.wrk import Load

SHOPPERS = (1, 16, 64)


def purchase(bench: Bench) -> Findings:
    """1, 16 and 64 shoppers; one SKU or a thousand; guests and customers."""
    rows: list[Row] = []
    members = member_tokens(bench.shop.home / "tokens")
    kinds: tuple[tuple[str, dict[str, Any]], ...] = (
        ("guests, one hot SKU", {"skus": HOT}),
        ("guests, 1,000 SKUs", {"skus": ANY}),
        ("customers, 1,000 SKUs", {"skus": ANY, "tokens": members}),
    )
    _buy(bench, 16, bench.warm_up, skus=ANY)
    for who, given in kinds:
        for shoppers in (16,) if bench.quick else SHOPPERS:
            rows.append({"who": who, "shoppers": shoppers} | _measured(bench, who, shoppers, given))
    bench.shop.reset()
    return Findings(
        name="purchase",
        title="A purchase by phone",
        about=(
            "GET product, POST cart, PUT line, GET shipping methods, POST checkout with the cart;"
            " each shopper goes on when the answer is there, and begins anew with a 202. Web,"
            " workers and sandbox are at work. The share is that of /healthz with as many"
            " connections, just before."
        ),
        columns={
            "who": "who buys what",
            "shoppers": "shoppers",
            "per_second": "purchases a second",
            "share": "share of /healthz",
            "p50_ms": "p50 ms",
            "p99_ms": "p99 ms",
            "request_p50_ms": "a request, p50 ms",
        },
        rows=rows,
        plots=[
            Plot(title="purchases a second", kind="lines", x="shoppers", y="per_second", unit="/s",
                 series="who", mark=250),
        ],
    )  # fmt: skip


def _measured(bench: Bench, who: str, shoppers: int, given: dict[str, Any]) -> Row:
    """The median run of these shoppers; the invariants are audited after each."""
    runs: list[dict[str, Any]] = []
    for number in range(bench.runs):
        bench.shop.reset()
        idle = bench.load("browse", connections=shoppers, paths="/healthz", seconds=2)
        idle.require(200, "/healthz")
        load = _buy(bench, shoppers, bench.seconds, **given)
        runs.append(_figures(load, idle))
        bench.say(
            f"{who}, {shoppers}, {number + 1}/{bench.runs}: {runs[-1]['per_second']}/s,"
            f" p50 {runs[-1]['p50_ms']} ms, {runs[-1]['share']} of /healthz"
        )
        bench.shop.audit(at_rest=False)
    wanted = median(run["per_second"] for run in runs)
    return min(runs, key=lambda run: abs(run["per_second"] - wanted))


def _buy(bench: Bench, shoppers: int, seconds: float, **given: Any) -> Load:
    if "tokens" in given:
        given["shoppers"] = shoppers
    load = bench.load(
        "phone", call="purchase", connections=shoppers, threads=shoppers, seconds=seconds, **given
    )
    if (others := load.others(200, 201, 202)) or not load.per_second(202):
        raise AssertionError(f"purchases by phone: unexpected answers: {others or 'no order'}")
    return load


def _figures(load: Load, idle: Load) -> dict[str, Any]:
    bought = load.per_second(202)
    return {
        "per_second": round(bought),
        "share": round(bought / idle.per_second(), 3),
        "p50_ms": round(median(load.durations), 1),
        "p99_ms": round(_percentile(load.durations, 99), 1),
        "request_p50_ms": round(load.p50_ms, 1),
    }


def _percentile(durations: Sequence[float], percent: int) -> float:
    if len(durations) < 2:
        return max(durations, default=0.0)
    return quantiles(durations, n=100, method="inclusive")[percent - 1]
