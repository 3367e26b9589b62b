"""The calls of a purchase by phone, each alone, beside what the servers give without any work.

`/healthz` passes the edge, Granian and Django and does nothing: what a call costs beyond it is its
own. The share says so, and is comparable between machines; the figures beside it are not.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import requests

from apps.cart import carts
from tools.bench.bench import LATENCY_COLUMNS, Bench, latencies, median_by
from tools.bench.findings import Findings, Plot
from tools.bench.goods import SKUS, UNIFORM
from tools.bench.shop import BACKGROUND
from tools.bench.wrk import Load

ANY = f"{UNIFORM}..{SKUS}"
CONNECTIONS = 16
MANY_CARTS = 500  # a cart may be changed 240 times a minute
ORDERS_A_SECOND = 1_000  # that a run may take carts for: more than are accepted
# A call of lua/phone.lua, its name here, and the status of its answer.
CALLS = (
    ("product", "GET product", 200),
    ("open", "POST cart", 201),
    ("line", "PUT line", 200),
    ("cart", "GET cart", 200),
    ("methods", "GET shipping methods", 200),
    ("order", "POST checkout with a cart", 202),
)


def calls(bench: Bench) -> Findings:
    """16 connections on each call, without workers, and its share of `/healthz`."""
    found: dict[str, list[dict[str, Any]]] = {}
    with bench.shop.without(*BACKGROUND):
        if not bench.quick:
            _look_at_all_products(bench)
        for number in range(bench.runs + 1):  # the first is the warm-up
            for name, load, idle in _one_round(bench, bench.seconds if number else bench.warm_up):
                if number:
                    share = round(load.per_second() / idle.per_second(), 2)
                    found.setdefault(name, []).append({"share": share} | latencies(load))
                    bench.say(
                        f"{name}: {load.per_second():,.0f}/s, p99 {load.p99_ms:,.0f} ms,"
                        f" {share} of /healthz"
                    )
        bench.shop.reset()
    return Findings(
        name="calls",
        title="The API's calls",
        about=(
            f"{CONNECTIONS} phones that send one call of a purchase again and again, 1,000 SKUs,"
            " guests, each request from an address of its own. The share is that of /healthz,"
            " which passes the same servers and does nothing, measured just before each call."
        ),
        columns={"call": "call", "share": "share of /healthz"} | LATENCY_COLUMNS,
        rows=[{"call": name} | median_by(runs, "share") for name, runs in found.items()],
        plots=[
            Plot(title="share of /healthz", kind="bars", x="call", y="share", unit=""),
        ],
    )


def _look_at_all_products(bench: Bench) -> None:
    """Fill the cache of the catalog: what a first visitor waits for is not measured."""
    with requests.Session() as visitor, ThreadPoolExecutor(CONNECTIONS) as pool:

        def look(number: int) -> None:
            slug = f"{UNIFORM}{number:04}".lower()
            url = f"{bench.shop.url}/api/v1/products/{slug}/"
            visitor.get(url, timeout=30).raise_for_status()

        list(pool.map(look, range(1, SKUS + 1)))  # list(): an error is raised here


def _one_round(bench: Bench, seconds: float) -> Iterator[tuple[str, Load, Load]]:
    """Each call with its name, its load, and that of /healthz just before."""
    some = guests_carts(bench.shop.home / "carts", MANY_CARTS)
    for call, name, status in CALLS:
        given: dict[str, Any] = {"call": call, "skus": ANY}
        if call == "order":
            bench.shop.reset()
            count = round(ORDERS_A_SECOND * seconds)
            given["carts"] = guests_carts(bench.shop.home / "carts-to-order", count)
        elif call not in ("product", "open"):
            given["carts"] = some
        idle = _idle(bench)
        load = bench.load("phone", connections=CONNECTIONS, seconds=seconds, **given)
        load.require(status, name)
        yield name, load, idle
    bench.shop.reset()
    idle = _idle(bench)
    load = bench.load("checkout", connections=CONNECTIONS, seconds=seconds, skus=ANY)
    load.require(202, "buy now")
    yield "POST checkout, buy now", load, idle


def _idle(bench: Bench) -> Load:
    load = bench.load("browse", connections=CONNECTIONS, paths="/healthz", seconds=2)
    load.require(200, "/healthz")
    return load


def guests_carts(path: Path, count: int) -> Path:
    """Write `count` guests' carts to `path`, "id token" a line; each has one unit of a SKU."""
    lines = []
    for number in range(count):
        sku = f"{UNIFORM}{number % SKUS + 1:04}"
        cart = carts.set_line(carts.create_guest(), sku, 1)
        lines.append(f"{cart.id} {cart.token}")
    path.write_text("\n".join(lines))
    return path
