"""The workers' clocks are wrong."""

import time
from collections.abc import Iterable

from tools.faults import clock
from tools.faults.matrix.fault import Action, Fault, FaultContext
from tools.faults.matrix.holds import nothing_expired_before_the_cap


def workers_clock(seconds: int) -> Action:
    """Restart both workers with a clock that is `seconds` ahead (or behind)."""

    def inject(context: FaultContext) -> None:
        for name in ("worker", "worker-background"):
            context.shop.restart_with(name, **clock.off_by(seconds))
        context.notes["wrong since"] = time.time()

    return inject


def orders_were_finished(context: FaultContext) -> bool:
    """Whether orders were finished, after ten seconds at least: a worker takes some to start."""
    context.notes["moved"] = context.shop.number(
        "SELECT count(*) FROM orders_orderevent"
        " WHERE status = 'CONFIRMED' AND created_at > to_timestamp(%s)",
        context.notes["wrong since"],
    )
    return bool(context.notes["moved"]) and time.time() > context.notes["wrong since"] + 10


def correct_clocks(context: FaultContext) -> None:
    for name in ("worker", "worker-background"):
        context.shop.restart_with(name, **clock.CORRECT)


def nothing_expired_early(context: FaultContext) -> Iterable[str]:
    if not context.notes["moved"]:
        yield "no order was finished while the workers' clocks were wrong"
    yield from nothing_expired_before_the_cap(context)


FAULTS: tuple[Fault, ...] = (
    Fault(
        name="clock-ahead",
        target="workers",
        action="the workers' clocks are ten minutes ahead",
        expected="nothing expires early, orders go on: PostgreSQL's clock decides",
        inject=workers_clock(600), heal=correct_clocks,
        until=orders_were_finished, check=nothing_expired_early, seconds=60,
        missing=clock.missing, combines=False,
        short_holds=True,
    ),
    Fault(
        name="clock-behind",
        target="workers",
        action="the workers' clocks are ten minutes behind",
        expected="nothing stays longer than it may, orders go on",
        inject=workers_clock(-600), heal=correct_clocks,
        until=orders_were_finished, check=nothing_expired_early, seconds=60,
        missing=clock.missing, combines=False,
        short_holds=True,
    ),
)  # fmt: skip
