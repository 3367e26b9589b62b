"""A whole run as data: what the report is made from."""

import os
import platform
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from tools.faults import watch
from tools.faults.answer_log import AGAIN
from tools.faults.matrix.crash_points import points
from tools.faults.runner import Run


def record(run: Run) -> dict[str, Any]:
    """The whole run, as report.json contains it."""
    rows = [asdict(row) | {"verdict": row.verdict} for row in run.rows]
    ran = [row for row in run.rows if not row.not_run]
    struck = run.struck()
    recoveries = [row.recovery_s for row in ran if row.recovery_s is not None]
    red = run.closing or any(row.wrong for row in ran)
    return {
        "seed": run.seed,
        "began_at": run.began_at,
        "began": datetime.fromtimestamp(run.began_at, UTC).isoformat(timespec="seconds"),
        "seconds": round(run.ended_at - run.began_at, 1),
        "machine": _machine(),
        "verdict": "red" if red else "green",
        "totals": {
            "faults_injected": len(ran),
            "combinations": sum(" + " in row.name for row in ran),
            "not_run": len(run.rows) - len(ran),
            "crash_points_declared": len(points("")),
            "crash_points_struck": len(struck),
            "processes_killed_at_points": sum(struck.values()),
            "orders_accepted": len(run.log.accepted),
            "requests_repeated": sum(attempt.outcome in AGAIN for attempt in run.log.attempts),
            "replays_compared": len(run.log.replays),
            "orders_lost": len(watch.lost(list(run.log.accepted.values()))),
            "orders_doubled": len(
                watch.never_answered(run.shop, run.log.accepted, run.log.unanswered)
            )
            + len(watch.charged_twice(run.shop)),
            "violations": len(run.watcher.violations),
            "invariant_checks": run.watcher.checks,
            "longest_recovery_s": max(recoveries, default=None),
        },
        "attempts": dict(Counter(attempt.outcome for attempt in run.log.attempts)),
        "orders": dict(run.shop.ask("SELECT status, count(*) FROM orders_order GROUP BY 1")),
        "struck": dict(sorted(struck.items())),
        "rows": rows,
        "closing": run.closing,
        "timeline": _timeline(run),
    }


def _timeline(run: Run) -> dict[str, list[int]]:
    """Orders accepted, finished and requests failed, for each second since the beginning."""
    seconds = int(run.ended_at - run.began_at) + 1
    lines = {name: [0] * seconds for name in ("accepted", "finished", "failed")}

    def add(name: str, at: float, count: int = 1) -> None:
        second = int(at - run.began_at)
        if 0 <= second < seconds:
            lines[name][second] += count

    for at in run.log.accepted_at:
        add("accepted", at)
    for attempt in run.log.attempts:
        if attempt.outcome in AGAIN:
            add("failed", attempt.at + attempt.seconds)
    for at, count in run.shop.ask(
        "SELECT extract(epoch FROM date_trunc('second', created_at))::float8, count(*)"
        " FROM (SELECT min(created_at) AS created_at FROM orders_orderevent"
        " WHERE status IN ('CONFIRMED', 'CANCELLED') GROUP BY order_id, status) moved GROUP BY 1"
    ):
        add("finished", at, count)
    return lines


def _machine() -> dict[str, Any]:
    """What the run was made on."""
    with open("/proc/meminfo") as file:
        kilobytes = int(file.readline().split()[1])
    return {
        "cores": os.cpu_count(),
        "memory_gb": round(kilobytes / 1024 / 1024, 1),
        "python": platform.python_version(),
        "kernel": platform.release(),
    }
