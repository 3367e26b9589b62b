"""Looking around: idle, and while a flash sale runs over the shop."""

import time
from collections.abc import Mapping
from typing import Any

from apps.catalog.models import Product
from bench.bench import LATENCY_COLUMNS, Bench, latencies
from bench.findings import Findings, Plot
from bench.shop import HOT
from bench.wrk import Load, middle

# What is promised of a product's page is promised at a thousand looks a second; as fast as 16
# visitors can look is another question, and then the page fights the checkouts for the processors.
PACE = 1_100  # looks a second
PACED = f"product page, {PACE:,} a second come"


def browse(bench: Bench) -> Findings:
    """16 visitors on five kinds of page, with nobody else and beside 64 who buy."""
    slug = (
        Product.objects.exclude(slug__startswith="bench")
        .order_by("id")
        .values_list("slug", flat=True)[0]
    )
    pages = {
        PACED: f"/p/{slug}/",
        "product page": f"/p/{slug}/",
        "home": "/",
        "search": "/search/?q=mug",
        "API: product": f"/api/v1/products/{slug}/",
        "API: list": "/api/v1/products/",
    }
    alone, beside = ({page: [] for page in pages} for _ in range(2))
    bought: list[Load] = []
    bench.shop.reset()
    _look_around(bench, pages, alone, "idle", warm_up=True)
    for _ in range(bench.runs):
        _look_around(bench, pages, alone, "idle")
    for _ in range(bench.runs):
        bench.shop.reset()
        crowd = bench.start_checkouts(
            connections=64, seconds=len(pages) * (bench.seconds + 0.2) + 2, skus=HOT
        )
        time.sleep(1)  # until it is a crowd
        _look_around(bench, pages, beside, "during the sale")
        bought.append(crowd.result())
        bought[-1].require(202, "the crowd")
        bench.shop.audit(at_rest=False)
    bench.shop.reset()
    rows: list[dict[str, Any]] = [
        {"page": page, "when": when}
        | latencies(middle(loads[page], _p99 if page == PACED else Load.per_second))
        for when, loads in (("idle", alone), ("during the sale", beside))
        for page in pages
    ]
    crowd_load = middle(bought, lambda load: load.per_second(202))
    return Findings(
        name="browse",
        title="Looking around",
        about=(
            "16 visitors who all look at one kind of page, as fast as they can (the product page"
            " at a fixed pace, too), alone, and beside 64 shoppers who press again and again while"
            " the workers carry their orders on."
        ),
        columns={"page": "page", "when": "when"} | LATENCY_COLUMNS,
        rows=rows,
        plots=[
            Plot(title="pages a second", kind="bars", x="page", y="per_second", unit="/s",
                 series="when", mark=1000),
        ],
        notes=[
            f"During the sale {crowd_load.per_second(202):,.0f} orders a second were accepted, p99"
            f" {crowd_load.p99_ms:,.0f} ms, beside the visitors."
        ],
    )  # fmt: skip


def _p99(load: Load) -> float:
    return load.p99_ms


def _look_around(
    bench: Bench,
    pages: Mapping[str, str],
    loads: Mapping[str, list[Load]],
    when: str,
    *,
    warm_up: bool = False,
) -> None:
    for page, path in pages.items():
        seconds = bench.warm_up if warm_up else bench.seconds
        pace = {"rate": PACE} if page == PACED else {}
        load = bench.load("browse", connections=16, paths=path, seconds=seconds, **pace)
        if not warm_up:
            load.require(200, page)
            loads[page].append(load)
            bench.say(f"{page} {when}: {load.per_second():,.0f}/s, p99 {load.p99_ms:,.0f} ms")
