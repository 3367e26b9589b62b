"""This shop beside django-oscar: whole purchases by pages, in turn, on one machine."""

from statistics import median, quantiles
from typing import Any

from tools.bench.bench import Bench
from tools.bench.findings import Findings, Plot
from tools.bench.peers import oscar
from tools.bench.scenarios.purchase_by_page import bought_by_page

SHOPPERS = (1, 16)
WEB_PROCESSES = 3  # as many as this shop has
LONGER = 4  # a purchase of the peer takes seconds


def peers(bench: Bench) -> Findings:
    """Purchases a second of 1 and 16 shoppers, the peer's and this shop's in turn."""
    rows: list[dict[str, Any]] = []
    with oscar.running(bench.shop.home, workers=WEB_PROCESSES) as peer:
        oscar.buy(peer, shoppers=WEB_PROCESSES, seconds=bench.warm_up * LONGER)
        for shoppers in (16,) if bench.quick else SHOPPERS:
            theirs, ours, shares = [], [], []
            for number in range(bench.runs):
                bought = oscar.buy(peer, shoppers=shoppers, seconds=bench.seconds * LONGER)
                if bought.failures or not bought.purchases:
                    raise AssertionError(f"django-oscar: {bought.failures[:1] or 'no order'}")
                bench.shop.reset()
                here = bought_by_page(bench, shoppers)
                bench.shop.audit(at_rest=False)
                theirs.append(bought)
                ours.append(here)
                shares.append(here / bought.per_second)
                bench.say(
                    f"{shoppers} shoppers, {number + 1}/{bench.runs}: django-oscar"
                    f" {bought.per_second:.1f}/s, this shop {here:.1f}/s, {shares[-1]:.0f} ×"
                )
            times = sorted(seconds for run in theirs for seconds in run.purchases)
            rows.append(
                {
                    "shoppers": shoppers,
                    "theirs": round(median(run.per_second for run in theirs), 1),
                    "ours": round(median(ours), 1),
                    "ratio": round(median(shares), 1),
                    "theirs_p50_ms": round(median(times) * 1000),
                    "theirs_p99_ms": round(_p99(times) * 1000),
                }
            )
    bench.shop.reset()
    return Findings(
        name="peers",
        title="Beside django-oscar",
        about=(
            "Whole purchases of guests by pages without JavaScript, in turn, on the same PostgreSQL"
            " server, as many web processes. django-oscar has its defaults, no payment, no mail and"
            " no edge in front; this shop has all its processes at work. Wanted: 20 times as many."
        ),
        columns={
            "shoppers": "shoppers",
            "theirs": "django-oscar, purchases a second",
            "ours": "this shop",
            "ratio": "times as many",
            "theirs_p50_ms": "their purchase, p50 ms",
            "theirs_p99_ms": "p99 ms",
        },
        rows=rows,
        plots=[
            Plot(title="times as many purchases", kind="bars", x="shoppers", y="ratio", unit="×",
                 mark=20),
        ],
    )  # fmt: skip


def _p99(times: list[float]) -> float:
    return quantiles(times, n=100, method="inclusive")[98] if len(times) > 1 else times[0]
