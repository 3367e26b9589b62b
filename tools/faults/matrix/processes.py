"""Processes are killed, frozen, restarted, missing, or run twice."""

import time

from tools.faults.matrix.crash_points import points_were_reached
from tools.faults.matrix.fault import Fault, FaultContext, nothing


def kill_worker(context: FaultContext) -> None:
    context.shop.stack.kill("worker")


def kill_worker_children(context: FaultContext) -> None:
    for _ in range(3):
        context.shop.kill_child("worker")
        time.sleep(1.0)


def freeze_two_workers(context: FaultContext) -> None:
    context.shop.points.arm_to_freeze("saga.authorize_payment.do.after_ask")
    # This one is frozen while it holds locks on stock rows.
    context.shop.points.arm_to_freeze("saga.confirm_stock.do.before_commit")


def wake_them(context: FaultContext) -> None:
    context.notes["not reached"] = context.shop.points.armed()
    context.shop.points.disarm()
    context.shop.points.thaw()


def deploy(context: FaultContext) -> None:
    for name in ("web", "worker", "worker-background", "beat", "live"):
        context.shop.stack.restart(name)


def stop_beat(context: FaultContext) -> None:
    context.shop.stack.stop_process("beat")


def start_beat(context: FaultContext) -> None:
    context.shop.stack.start_process("beat")


def second_beat(context: FaultContext) -> None:
    context.shop.stack.start_process("beat-2")


def one_beat(context: FaultContext) -> None:
    context.shop.stack.stop_process("beat-2")


WORKERS: tuple[Fault, ...] = (
    Fault(
        name="worker-killed",
        target="workers",
        action="kill -9 for the worker and its children at once",
        expected="started again; leases end, orders go on",
        inject=kill_worker, heal=nothing, seconds=3,
    ),
    Fault(
        name="worker-child-killed",
        target="workers",
        action="kill -9 for three of the worker's children, one a second",
        expected="replaced by their parent; leases end, orders go on",
        inject=kill_worker_children, heal=nothing, seconds=1,
    ),
    Fault(
        name="zombie",
        target="points",
        action="two workers are frozen (SIGSTOP) in a step, and woken (SIGCONT) after their lease",
        expected="another worker has gone on; the frozen worker's write touches no row",
        inject=freeze_two_workers, heal=wake_them, check=points_were_reached, seconds=24,
    ),
)  # fmt: skip

RELEASES: tuple[Fault, ...] = (
    Fault(
        name="deploy",
        target="processes",
        action="every process is stopped by SIGTERM and started again, one after the other",
        expected="requests that are cut off are repeated; nothing accepted is lost",
        inject=deploy, heal=nothing, seconds=1, sells=False,
    ),
    Fault(
        name="sweeper-dead",
        target="beat",
        action="beat does not run",
        expected="messages on commit carry the orders on; only timed work is late",
        inject=stop_beat, heal=start_beat, seconds=7,
    ),
    Fault(
        name="sweeper-doubled",
        target="beat",
        action="a second beat runs",
        expected="everything is enqueued twice and done once",
        inject=second_beat, heal=one_beat, seconds=7,
    ),
)  # fmt: skip
