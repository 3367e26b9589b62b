"""Pages: of an idle shop, and while a flash sale runs."""

import time
from collections.abc import Mapping
from typing import Any

from apps.catalog.models import Product
from tools.bench.bench import LATENCY_COLUMNS, Bench, latencies
from tools.bench.findings import Findings, Plot
from tools.bench.goods import HOT
from tools.bench.wrk import Load, middle

# The budget of a product page is for a thousand requests a second. As fast as 16 connections can
# request is another question: then the page competes with the checkouts for the processors.
PACE = 1_100  # requests a second
PACED = f"product page, {PACE:,} a second come"


def browse(bench: Bench) -> Findings:
    """16 connections on five kinds of page, alone and beside 64 that buy."""
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
    _browse(bench, pages, alone, "idle", warm_up=True)
    for _ in range(bench.runs):
        _browse(bench, pages, alone, "idle")
    for _ in range(bench.runs):
        bench.shop.reset()
        checkouts = bench.start_checkouts(
            connections=64, seconds=len(pages) * (bench.seconds + 0.2) + 2, skus=HOT
        )
        time.sleep(1)  # until all its connections are busy
        _browse(bench, pages, beside, "during the sale")
        bought.append(checkouts.result())
        bought[-1].require(202, "checkouts beside")
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


def _browse(
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
