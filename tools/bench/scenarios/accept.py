"""Accepting orders: the whole endpoint, one hot SKU against a thousand, few shoppers and many."""

from typing import Any

from tools.bench.bench import LATENCY_COLUMNS, Bench, latencies
from tools.bench.findings import Findings, Plot
from tools.bench.goods import HOT, PROMO, SKUS, UNIFORM, member_tokens
from tools.bench.shop import BACKGROUND

ANY = f"{UNIFORM}..{SKUS}"


def accept(bench: Bench) -> Findings:
    """Without workers: what the intake alone can accept; `finish` measures the whole shop."""
    rows: list[dict[str, Any]] = []
    connections = (16,) if bench.quick else (1, 16, 64, 256)
    with bench.shop.without(*BACKGROUND):
        for goods, skus in (("one hot SKU", HOT), ("1,000 SKUs", ANY)):
            for count in connections:
                load = bench.checkouts(connections=count, skus=skus, name=goods)
                rows.append({"goods": goods, "connections": count} | latencies(load, 202))
        many = connections[-1] if bench.quick else 64
        for goods, given in (
            ("one hot SKU, with a code", {"skus": HOT, "promo": PROMO}),
            ("four lines of 1,000 SKUs", {"skus": ANY, "lines": 4}),
            (
                "one hot SKU, signed in",
                {"skus": HOT, "tokens": member_tokens(bench.shop.home / "tokens")},
            ),
        ):
            load = bench.checkouts(connections=many, name=goods, **given)
            rows.append({"goods": goods, "connections": many} | latencies(load, 202))
        bench.shop.reset()
    return Findings(
        name="accept",
        title="Orders accepted",
        about=(
            "POST /checkouts/ with JSON, rate limits, quote and intake; each 202 is on disk. The"
            " workers are switched off, so that this is the intake alone; the flash sale below has"
            " them at work. Each request comes from an address of its own."
        ),
        columns={"goods": "what is bought", "connections": "connections"} | LATENCY_COLUMNS,
        rows=rows,
        plots=[
            Plot(title="orders accepted a second", kind="lines", x="connections", y="per_second",
                 unit="/s", series="goods", mark=1500),
            Plot(title="p99 of the answers", kind="lines", x="connections", y="p99_ms", unit="ms",
                 series="goods", mark=150),
        ],
        share_of_raw="per_second",
    )  # fmt: skip
