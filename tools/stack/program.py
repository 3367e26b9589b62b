"""What the supervisor must know of one process of the shop."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tools.stack.liveness import Liveness


@dataclass(frozen=True, kw_only=True)
class Program:
    """One process of the shop.

    `stop_order` is its place when all are stopped, lowest first: a process that others depend on
    stops last. `patience` is how long it may finish its work before it is killed; being killed is
    safe for every one of them, only slower for the shopper. `nice` is its niceness (0 to 19). It
    listens on a TCP `port` (of the variable `port_name`), or on a unix `socket`, or on neither.
    Several programs that are started and stopped as one share a `group`. `liveness` is how the
    watchdog asks whether it is alive; without it only a stopped process (SIGSTOP) is noticed.
    """

    name: str
    argv: tuple[str, ...]
    stop_order: int
    port_name: str = ""
    port: int | None = None
    socket: Path | None = None
    group: str = ""
    patience: timedelta = timedelta(seconds=20)
    nice: int = 0
    liveness: Liveness | None = None
