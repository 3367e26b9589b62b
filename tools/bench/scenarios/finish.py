"""The whole shop: what it finishes while orders keep coming, and after a burst."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from tools.bench.bench import Bench
from tools.bench.findings import Findings, Plot
from tools.bench.goods import HOT
from tools.bench.sql import sql
from tools.bench.wrk import Load, Running

RATE = 250  # orders a second that come steadily: a quarter more than the budget
PATIENCE = 900.0  # seconds
SETTLING = 6.0  # seconds until the first orders are finished and the queue is steady

# The state of the work. Mirroring and mail may lag: the report shows by how much.
PROGRESS = """
    SELECT (SELECT count(*) FROM orders_saga WHERE state IN ('forward', 'undoing')),
           (SELECT count(*) FROM orders_saga WHERE state = 'done'),
           (SELECT count(*) FROM notifications_notification WHERE state = 'due'),
           (SELECT count(*) FROM payments_webhookinbox WHERE mirrored_at IS NULL)
"""
# From the acceptance to paid and sold, by the database's clock.
TOOK = """
    SELECT coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY took), 0)::float8,
           coalesce(percentile_cont(0.99) WITHIN GROUP (ORDER BY took), 0)::float8
    FROM (SELECT extract(epoch FROM e.created_at - o.placed_at) AS took
          FROM orders_order o JOIN orders_orderevent e ON e.order_id = o.id
          WHERE e.status = 'CONFIRMED') t
"""


@dataclass(frozen=True, slots=True)
class Moment:
    """The shop `second` seconds after the orders began to come."""

    second: float
    under_way: int
    done: int
    mails: int
    unmirrored: int


@dataclass(frozen=True, slots=True)
class Run:
    """One load and its result. `finished` is a rate a second."""

    load: Load
    finished: float
    growth: float  # of the queue, orders a second, while orders came
    deepest: int
    drained: float  # seconds from the last order's acceptance until the last was finished
    confirmed: tuple[float, float]  # p50 and p99, seconds
    course: list[Moment]


def finish(bench: Bench) -> Findings:
    """Orders at 250 a second, then as many as the shop accepts for ten seconds."""
    rate, steady, burst = (60, 5.0, 1.0) if bench.quick else (RATE, 30.0, 10.0)
    runs = {
        "steady": _repeated(bench, "steady", lambda: _steadily(bench, rate, steady)),
        "burst": _repeated(bench, "burst", lambda: _at_once(bench, burst)),
    }
    words = {
        "steady": f"{rate} a second for {steady:.0f} s",
        "burst": f"as many as are accepted for {burst:.0f} s",
    }
    return Findings(
        name="finish",
        title="Orders finished",
        about=(
            "From the press of the button to paid, sold, labelled and told, with 350 ms at the"
            " gateway, its webhooks included: web, workers, sandbox and load at work together."
            f" While orders come steadily, finished counts from second {SETTLING:.0f} to the last"
            " that came; after a burst, from its end until nothing is left."
        ),
        columns={
            "what": "orders come",
            "accepted": "accepted /s",
            "accept_p99": "accept p99 ms",
            "finished": "finished /s",
            "growth": "queue grows by /s",
            "confirmed_p50": "confirmed p50 s",
            "confirmed_p99": "p99 s",
            "depth": "deepest queue",
            "drained": "drained in s",
        },
        rows=[
            {
                "kind": kind,
                "what": words[kind],
                "accepted": round(run.load.per_second(202)),
                "accept_p99": round(run.load.p99_ms, 1),
                "finished": round(run.finished),
                "growth": round(run.growth, 1),
                "confirmed_p50": round(run.confirmed[0], 2),
                "confirmed_p99": round(run.confirmed[1], 2),
                "depth": run.deepest,
                "drained": round(run.drained, 1),
            }
            for kind, run in runs.items()
        ],
        plots=[
            Plot(title=f"{words[kind]}: {what}", kind="lines", x="second", y="count", unit="",
                 series="of", where={"kind": kind, "what": what})
            for kind in runs
            for what in ("the queue", "what may lag")
        ],
        plotted=[
            {"kind": kind, "second": round(moment.second, 1)} | line
            for kind, run in runs.items()
            for moment in run.course
            for line in (
                {"what": "the queue", "of": "orders under way", "count": moment.under_way},
                {"what": "what may lag", "of": "events not mirrored", "count": moment.unmirrored},
                {"what": "what may lag", "of": "mails not sent", "count": moment.mails},
            )
        ],
        notes=[
            f"{words[kind]}: when the last order was through, {run.course[-1].mails:,} mails were"
            f" not sent and {run.course[-1].unmirrored:,} of the gateway's events not mirrored."
            for kind, run in runs.items()
        ],
    )  # fmt: skip


def _repeated(bench: Bench, name: str, once: Callable[[], Run]) -> Run:
    """The median run by what was finished; after each the invariants are audited."""
    runs = []
    for number in range(bench.runs):
        bench.shop.reset()
        run = once()
        run.load.require(202, name)
        bench.say(
            f"{name} {number + 1}/{bench.runs}: {run.load.per_second(202):,.0f}/s accepted,"
            f" {run.finished:,.0f}/s finished, {run.deepest:,} under way at most,"
            f" drained in {run.drained:.0f} s"
        )
        runs.append(run)
        bench.shop.audit()
    wanted = median(run.finished for run in runs)
    return min(runs, key=lambda run: abs(run.finished - wanted))


def _steadily(bench: Bench, rate: int, seconds: float) -> Run:
    # So many connections that the rate holds although each waits for its answer.
    running = bench.start_checkouts(connections=100, seconds=seconds, skus=HOT, rate=rate)
    watch = _Watch(seconds)
    settled = [moment for moment in watch.course if moment.second >= min(SETTLING, seconds / 2)]
    first, last = settled[0], settled[-1]
    load, drained = watch.to_the_end(running)
    between = last.second - first.second
    return Run(
        load=load,
        finished=(last.done - first.done) / between,
        growth=(last.under_way - first.under_way) / between,
        deepest=watch.deepest,
        drained=drained,
        confirmed=sql(TOOK)[0],
        course=watch.course,
    )


def _at_once(bench: Bench, seconds: float) -> Run:
    running = bench.start_checkouts(connections=64, seconds=seconds, skus=HOT)
    watch = _Watch(seconds)
    at_the_peak = watch.course[-1]
    load, drained = watch.to_the_end(running)
    return Run(
        load=load,
        finished=(watch.course[-1].done - at_the_peak.done) / drained,
        growth=at_the_peak.under_way / seconds,
        deepest=watch.deepest,
        drained=drained,
        confirmed=sql(TOOK)[0],
        course=watch.course,
    )


class _Watch:
    """Samples the progress each second while orders come; then `to_the_end`."""

    def __init__(self, seconds: float) -> None:
        self._began = time.monotonic()
        self.course = [self._sample()]
        while (elapsed := time.monotonic() - self._began) < seconds:
            time.sleep(min(1.0, seconds - elapsed))
            self.course.append(self._sample())

    @property
    def deepest(self) -> int:
        return max(moment.under_way for moment in self.course)

    def to_the_end(self, running: Running) -> tuple[Load, float]:
        """The load's result, and the seconds from its end until all orders were finished."""
        load = running.result()
        stopped = self.course[-1].second
        while True:
            self.course.append(self._sample())
            late = self.course[-1].second - stopped
            if not self.course[-1].under_way:
                return load, late
            if late > PATIENCE:
                raise TimeoutError(f"{self.course[-1].under_way} orders are still under way")
            time.sleep(0.5)

    def _sample(self) -> Moment:
        under_way, done, mails, unmirrored = sql(PROGRESS)[0]
        return Moment(time.monotonic() - self._began, under_way, done, mails, unmirrored)
