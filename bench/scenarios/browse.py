"""Looking around: idle, and while a flash sale runs over the shop."""

from typing import Any

from apps.catalog.models import Product
from bench.bench import LATENCY_COLUMNS, Bench, latencies
from bench.findings import Findings, Plot
from bench.shop import HOT
from bench.wrk import middle


def browse(bench: Bench) -> Findings:
    """16 visitors on four kinds of page, with nobody else and with 64 who buy."""
    slug = (
        Product.objects.exclude(slug__startswith="bench")
        .order_by("id")
        .values_list("slug", flat=True)[0]
    )
    pages = {
        "product page": f"/p/{slug}/",
        "home": "/",
        "search": "/search/?q=mug",
        "API: product": f"/api/v1/products/{slug}/",
        "API: list": "/api/v1/products/",
    }
    rows: list[dict[str, Any]] = []
    for when, buyers in (("idle", 0), ("during the sale", 64)):
        for page, path in pages.items():
            bench.load("browse", connections=16, paths=path, seconds=bench.warm_up)
            loads = []
            for _ in range(bench.runs):
                bench.shop.reset()
                crowd = (
                    bench.start_checkouts(connections=buyers, seconds=bench.seconds + 2, skus=HOT)
                    if buyers
                    else None
                )
                load = bench.load("browse", connections=16, paths=path)
                if crowd is not None:
                    crowd.result()
                if others := load.others(200):
                    raise AssertionError(f"{page}: answers that nobody expected: {others}")
                bench.say(f"{page} {when}: {load.per_second():,.0f}/s, p99 {load.p99_ms:,.0f} ms")
                loads.append(load)
            row = {"page": page, "when": when}
            rows.append(row | latencies(middle(loads, lambda load: load.per_second())))
        bench.shop.drain()
        bench.shop.audit()
    return Findings(
        name="browse",
        title="Looking around",
        about="16 visitors, each on one kind of page, alone and beside 64 shoppers who all press.",
        columns={"page": "page", "when": "when"} | LATENCY_COLUMNS,
        rows=rows,
        plots=[
            Plot(title="pages a second", kind="bars", x="page", y="per_second", unit="/s",
                 series="when", mark=1000),
        ],
    )  # fmt: skip
