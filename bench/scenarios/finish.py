"""The whole shop at work: what it carries through at the gateway's own pace, and after a burst."""

import time
from typing import Any

from bench.bench import Bench
from bench.findings import Findings, Plot
from bench.shop import HOT, sql

# Moments of an order, by the database's clock.
TOOK = """
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY took),
           percentile_cont(0.99) WITHIN GROUP (ORDER BY took), count(*)
    FROM (SELECT extract(epoch FROM e.created_at - o.placed_at) AS took
          FROM orders_order o JOIN orders_orderevent e ON e.order_id = o.id
          WHERE e.status = 'CONFIRMED' AND o.placed_at > now() - make_interval(secs => %s)) t
"""


def finish(bench: Bench) -> Findings:
    """Orders steadily at 200 a second, then all at once for ten seconds."""
    shop = bench.shop
    rows: list[dict[str, Any]] = []
    timeline: list[dict[str, Any]] = []
    steady = 10.0 if bench.quick else 60.0
    notes = []

    shop.reset()
    # 50 shoppers who each come back after a quarter of a second.
    began = time.monotonic()
    running = bench.start_checkouts(connections=50, seconds=steady, skus=HOT, pause=240)
    while time.monotonic() - began < steady:
        timeline.append(_moment("steady", began, shop))
        time.sleep(1)
    load = running.result()
    took = time.monotonic() - began
    depth = shop.depth()
    finished = shop.finished() / took
    p50, p99, _ = sql(TOOK, took + 5)[0]
    rows.append(
        {
            "what": f"steadily for {steady:.0f} s",
            "accepted": round(load.per_second(202)),
            "accept_p99": round(load.p99_ms, 1),
            "finished": round(finished),
            "confirmed_p50": _seconds(p50),
            "confirmed_p99": _seconds(p99),
            "depth": depth,
        }
    )
    shop.drain()
    shop.audit()

    shop.reset()
    burst = 3.0 if bench.quick else 10.0
    began = time.monotonic()
    running = bench.start_checkouts(connections=64, seconds=burst, skus=HOT)
    while time.monotonic() - began < burst:
        timeline.append(_moment("burst", began, shop))
        time.sleep(1)
    load = running.result()
    deepest, at_first, drained_from = shop.depth(), shop.finished(), time.monotonic()
    while shop.depth():
        timeline.append(_moment("burst", began, shop))
        time.sleep(1)
    drained = time.monotonic() - drained_from
    p50, p99, _ = sql(TOOK, 3600)[0]
    rows.append(
        {
            "what": f"burst of {burst:.0f} s, then the rest",
            "accepted": round(load.per_second(202)),
            "accept_p99": round(load.p99_ms, 1),
            "finished": round((shop.finished() - at_first) / drained),
            "confirmed_p50": _seconds(p50),
            "confirmed_p99": _seconds(p99),
            "depth": deepest,
        }
    )
    notes.append(
        f"{deepest:,} orders were under way after the burst, and done {drained:.0f} s later."
    )
    # Mirroring into dj-stripe's tables may lag behind; how far it does is said.
    unmirrored = sql("SELECT count(*) FROM payments_webhookinbox WHERE mirrored_at IS NULL")[0][0]
    notes.append(f"{unmirrored:,} events were not mirrored yet when the last order was done.")
    shop.audit()
    return Findings(
        name="finish",
        title="Orders finished",
        about=(
            "From the press of the button to paid, sold, labelled and told, with 350 ms at the"
            " gateway, its webhooks included. Everything at work: web, workers, sandbox, load."
        ),
        columns={
            "what": "orders come",
            "accepted": "accepted /s",
            "accept_p99": "accept p99 ms",
            "finished": "finished /s",
            "confirmed_p50": "confirmed p50 s",
            "confirmed_p99": "p99 s",
            "depth": "under way at the end",
        },
        rows=rows,
        plots=[
            Plot(title="orders under way", kind="lines", x="second", y="depth", unit="orders",
                 series="phase"),
        ],
        plotted=timeline,
        notes=notes,
    )  # fmt: skip


def _moment(phase: str, began: float, shop: Any) -> dict[str, Any]:
    return {"phase": phase, "second": round(time.monotonic() - began, 1), "depth": shop.depth()}


def _seconds(value: Any) -> float:
    return round(float(value or 0), 2)
