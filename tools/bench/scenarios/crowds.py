"""Pages for crowds: strangers, and visitors with a cart, as a share of what /healthz gives."""

from typing import Any

import requests

from apps.catalog.models import Category, Product
from tools.bench.bench import Bench, median_by
from tools.bench.findings import Findings, Plot
from tools.bench.goods import HOT

VISITORS = 16
STRANGERS, WITH_A_CART = "strangers", "with a cart"
WANTED = {STRANGERS: 0.4, WITH_A_CART: 0.15}  # share of /healthz


def crowds(bench: Bench) -> Findings:
    """16 visitors on one page, as fast as they can; /healthz before each, with as many."""
    category = Category.objects.exclude(slug="bench").order_by("path")[0]
    product = Product.objects.exclude(slug__startswith="bench").order_by("id")[0]
    pages = {"home": "/", "category": f"/c/{category.slug}/", "product": f"/p/{product.slug}/"}
    cookie = _cookie_of_a_cart(bench.shop.url)
    rows: list[dict[str, Any]] = []
    for who, given in ((STRANGERS, {}), (WITH_A_CART, {"cookie": cookie})):
        for page, path in pages.items():
            _rates(bench, path, bench.warm_up, given)
            runs = [
                {"page": page, "who": who, "wanted": WANTED[who]}
                | _rates(bench, path, bench.seconds, given)
                for _ in range(bench.runs)
            ]
            rows.append(dict(median_by(runs, "share")))
            bench.say(f"{page}, {who}: {rows[-1]['per_second']}/s, {rows[-1]['share']}")
    return Findings(
        name="crowds",
        title="Pages for crowds",
        about=(
            f"{VISITORS} connections on one page. The share is that of /healthz with as many"
            " connections, just before; wanted are 0.4 for strangers and 0.15 with a cart."
        ),
        columns={
            "page": "page",
            "who": "who",
            "per_second": "a second",
            "share": "share of /healthz",
            "wanted": "wanted",
            "p50_ms": "p50 ms",
            "p99_ms": "p99 ms",
        },
        rows=rows,
        plots=[
            Plot(title="pages a second", kind="bars", x="page", y="per_second", unit="/s",
                 series="who"),
        ],
    )  # fmt: skip


def _rates(bench: Bench, path: str, seconds: float, given: dict[str, str]) -> dict[str, Any]:
    idle = bench.load("browse", connections=VISITORS, paths="/healthz", seconds=2)
    load = bench.load("browse", connections=VISITORS, paths=path, seconds=seconds, **given)
    for one, what in ((idle, "/healthz"), (load, path)):
        one.require(200, what)
    return {
        "per_second": round(load.per_second()),
        "share": round(load.per_second() / idle.per_second(), 3),
        "p50_ms": round(load.p50_ms, 1),
        "p99_ms": round(load.p99_ms, 1),
    }


def _cookie_of_a_cart(url: str) -> str:
    """The session's cookie of a guest with one unit of the hot SKU in the cart."""
    browser = requests.Session()
    browser.get(f"{url}/p/{HOT.lower()}/", timeout=30)
    added = browser.post(
        f"{url}/p/{HOT.lower()}/",
        data={"quantity": 1},
        headers={"Sec-Fetch-Site": "same-origin", "X-Forwarded-For": "10.1.2.3"},
        allow_redirects=False,
        timeout=30,
    )
    if added.status_code != 302:
        raise AssertionError(f"not added: {added.status_code}")
    return "; ".join(
        f"{name}={value}" for name, value in added.cookies.items() if name != "messages"
    )
