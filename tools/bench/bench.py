"""The length and number of measurements, and what the scenarios share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from tools.bench import wrk
from tools.bench.findings import Row
from tools.bench.shop import Shop
from tools.bench.wrk import Load, Running


@dataclass(frozen=True, slots=True)
class Bench:
    """The measured shop, and how long and how often it is measured. Times in seconds."""

    shop: Shop
    say: Callable[[str], None]
    runs: int = 3
    seconds: float = 4
    warm_up: float = 2
    quick: bool = False

    def load(self, script: str, *, seconds: float | None = None, **given: Any) -> Load:
        """One run of wrk against the shop."""
        return wrk.run(script, self.shop.url, seconds=seconds or self.seconds, **given)

    def start_checkouts(self, *, connections: int, seconds: float, **given: Any) -> Running:
        """Start checkouts in the background of another measurement."""
        return wrk.start(
            "checkout", self.shop.url, connections=connections, seconds=seconds, **given
        )

    def checkouts(
        self, *, connections: int, expected: int = 202, name: str = "", **given: Any
    ) -> Load:
        """Checkouts of `given` at so many connections: warm-up, then the median of the runs.

        After each run the invariants are audited and the orders deleted, so that every run begins
        alike. Raises AssertionError when anything but `expected` is answered.
        """
        loads = []
        self.load("checkout", seconds=self.warm_up, connections=connections, **given)
        for number in range(self.runs):
            self.shop.reset()
            load = self.load("checkout", connections=connections, **given)
            load.require(expected, name)
            self.say(
                f"{name} {connections:>3} connections, {number + 1}/{self.runs}:"
                f" {load.per_second(expected):,.0f}/s, p99 {load.p99_ms:,.0f} ms"
            )
            loads.append(load)
            self.shop.audit(at_rest=False)
        return wrk.middle(loads, lambda load: load.per_second(expected))


def latencies(load: Load, status: int | None = None) -> dict[str, float]:
    """A load as a row of a table."""
    return {
        "per_second": round(load.per_second(status)),
        "p50_ms": round(load.p50_ms, 1),
        "p95_ms": round(load.p95_ms, 1),
        "p99_ms": round(load.p99_ms, 1),
    }


def median_by(rows: Sequence[Row], field: str) -> Row:
    """The run whose `field` is the median: its figures are of one run, not mixed."""
    wanted = median(row[field] for row in rows)
    return min(rows, key=lambda row: abs(row[field] - wanted))


LATENCY_COLUMNS = {
    "per_second": "a second",
    "p50_ms": "p50 ms",
    "p95_ms": "p95 ms",
    "p99_ms": "p99 ms",
}
