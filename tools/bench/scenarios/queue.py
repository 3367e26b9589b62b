"""The queue position and wait that a 202 announces, compared with what came true."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

from tools.bench.bench import Bench
from tools.bench.findings import Findings, Plot
from tools.bench.goods import HOT
from tools.bench.sql import sql

# The 202 is stored for replays of its key, so it can be read from there after the load.
PROMISES = """
    SELECT k.answer, extract(epoch FROM o.placed_at)::float8,
           extract(epoch FROM s.updated_at)::float8
    FROM orders_idempotencykey k
    JOIN orders_order o ON o.id = k.order_id JOIN orders_saga s ON s.order_id = o.id
    WHERE s.state = 'done'
    ORDER BY o.placed_at, o.number
"""
TOO_FAR = 2.0  # factor between announced and true, in both directions
# No order was finished before: the rate is a guess (apps/orders/intake/wait_estimate.py).
FIRST = "all at once, the first since the start"
# The wait is announced in whole seconds: a smaller difference means nothing.
A_MOMENT = 1.0


@dataclass(frozen=True, slots=True)
class Promise:
    """One order: what its 202 announced, and what was true. Times in seconds."""

    at: float
    ended: float
    position: int
    wait: float
    true_position: int
    true_wait: float


def queue(bench: Bench) -> Findings:
    """The first burst after a start, the next one, lasting overload, and an ordinary load."""
    burst, long = (4.0, 8.0) if bench.quick else (6.0, 15.0)
    at_once = {"connections": 64, "seconds": burst}
    rows: list[dict[str, Any]] = []
    timeline: list[dict[str, Any]] = []
    for what, load in (
        (FIRST, at_once),
        ("all at once", at_once),
        ("more than is finished, for long", {"connections": 100, "seconds": long, "rate": 300}),
        ("what can be finished", {"connections": 50, "seconds": long, "rate": 90}),
    ):
        runs: list[list[Promise]] = []
        for number in range(bench.runs):
            bench.shop.reset()
            if what == FIRST:
                bench.shop.stack.restart("web")
                bench.shop.stack.wait_ready()
                bench.load("browse", connections=16, paths="/", seconds=bench.warm_up)
            began = time.time()
            came = bench.load("checkout", skus=HOT, **load)
            came.require(202, what)
            bench.shop.drain()
            runs.append(kept())
            bench.shop.audit()
            if not number:
                timeline += _moments(what, began, runs[0])
        told = judged(runs)
        rows.append({"what": what} | told)
        bench.say(
            f"queue, {what}: {told['orders']} orders, within a factor of two:"
            f" wait {told['wait_within']} %, place {told['place_within']} %"
        )
    return Findings(
        name="queue",
        title="What is promised about the queue",
        about=(
            "Each 202 says how many orders are before it and how long it takes. Here each is held"
            " against what came true: how many were under way when it was placed, and how long it"
            " was until it was paid, sold, labelled and told. Ratios are promised to true: 1 is"
            f" exact. Within {TOO_FAR:.0f}: not less than half and not more than twice, or not a"
            " second away."
        ),
        columns={
            "what": "orders come",
            "orders": "orders",
            "pace_during": "finished /s meanwhile",
            "pace_after": "afterwards",
            "true_p50": "true wait p50 s",
            "true_p99": "p99 s",
            "wait_p10": "wait, promised to true: p10",
            "wait_p50": "p50",
            "wait_p90": "p90",
            "wait_within": "within 2, %",
            "place_p10": "place, promised to true: p10",
            "place_p50": "p50",
            "place_p90": "p90",
            "place_within": "within 2, %",
        },
        rows=rows,
        plots=[
            Plot(title="wait of those accepted in this second", kind="lines", x="second",
                 y="wait", unit="s", series="line"),
        ],
        plotted=timeline,
    )  # fmt: skip


def kept() -> list[Promise]:
    """The announcement for every finished order, in the order of acceptance."""
    found = sql(PROMISES)
    ends = sorted(ended for _, _, ended in found)
    over, made = 0, []
    for before, (answer, placed, ended) in enumerate(found):
        while over < len(ends) and ends[over] <= placed:
            over += 1
        queue_ = json.loads(answer)["queue"]
        made.append(
            Promise(
                at=placed,
                ended=ended,
                position=queue_["position"],
                wait=queue_["estimated_wait_seconds"],
                true_position=before - over,
                true_wait=ended - placed,
            )
        )
    return made


def judged(runs: Sequence[Sequence[Promise]]) -> dict[str, Any]:
    """The announcements of all runs as a row of the table."""
    found = [one for run in runs for one in run]
    during, after = zip(*map(_paces, runs), strict=True)
    waits = [one.wait / max(one.true_wait, 0.01) for one in found]
    # One more on both sides: a position of 0 has no ratio.
    places = [(one.position + 1) / (one.true_position + 1) for one in found]
    true = quantiles([one.true_wait for one in found], n=100)
    well_told = sum(
        within(one.wait, one.true_wait) or abs(one.wait - one.true_wait) <= A_MOMENT
        for one in found
    )
    well_placed = sum(within(one.position + 1, one.true_position + 1) for one in found)
    return {
        "orders": len(found),
        "pace_during": round(median(during)),
        "pace_after": round(median(after)),
        "true_p50": round(true[49], 1),
        "true_p99": round(true[98], 1),
        **_spread("wait", waits),
        "wait_within": round(100 * well_told / len(found), 1),
        **_spread("place", places),
        "place_within": round(100 * well_placed / len(found), 1),
    }


def _paces(run: Sequence[Promise]) -> tuple[float, float]:
    """Orders finished a second while more came, and when no more came."""
    first, last = run[0].at, run[-1].at
    late = [one.ended for one in run if one.ended > last]
    during = (len(run) - len(late)) / max(last - first, 0.1)
    return during, len(late) / max(max(late, default=last) - last, 0.1)


def within(promised: float, true: float) -> bool:
    return true / TOO_FAR <= promised <= true * TOO_FAR


def _spread(name: str, ratios: list[float]) -> dict[str, float]:
    tenths = quantiles(ratios, n=10)
    return {
        f"{name}_p10": round(tenths[0], 2),
        f"{name}_p50": round(tenths[4], 2),
        f"{name}_p90": round(tenths[8], 2),
    }


def _moments(what: str, began: float, found: Sequence[Promise]) -> list[dict[str, Any]]:
    """Means of each second, as lines to draw."""
    seconds: dict[int, list[Promise]] = {}
    for one in found:
        seconds.setdefault(round(one.at - began), []).append(one)
    drawn = []
    for second, some in sorted(seconds.items()):
        for line, value in (
            ("promised", sum(one.wait for one in some) / len(some)),
            ("true", sum(one.true_wait for one in some) / len(some)),
        ):
            drawn.append({"line": f"{what}: {line}", "second": second, "wait": round(value, 2)})
    return drawn
