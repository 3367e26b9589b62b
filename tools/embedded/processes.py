"""Processes of this machine: which run, how one is ended, and how a condition is waited for."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

from tools.embedded.paths import EmbeddedError, Say

STOP_PATIENCE = timedelta(seconds=60)


def command_line(pid: int) -> str:
    """The command line of process `pid`, or "" when it has ended."""
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ""
    return arguments.replace(b"\0", b" ").decode(errors="replace")


def runs(pid: int) -> bool:
    """Whether `pid` is alive; a zombie, whose command line is empty, has ended."""
    return command_line(pid) != ""


def all_pids() -> Iterator[int]:
    """The ids of all processes of this machine."""
    return (int(entry) for entry in os.listdir("/proc") if entry.isdigit())


def end(
    pid: int,
    what: str,
    how: signal.Signals,
    *,
    say: Say,
    patience: timedelta = STOP_PATIENCE,
) -> None:
    """Send `how` to process `pid` and wait; SIGKILL when it has not ended after `patience`.

    Raises EmbeddedError when it does not end of that either.
    """
    for sign, limit in ((how, patience), (signal.SIGKILL, timedelta(seconds=10))):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sign)
            os.kill(pid, signal.SIGCONT)  # a stopped process acts on SIGKILL only
        if within(limit, lambda: not runs(pid)):
            return
        say(f"{what} (pid {pid}) did not stop within {limit.seconds} s")
    raise EmbeddedError(f"{what} (pid {pid}) cannot be stopped")


def within(patience: timedelta, done: Callable[[], bool]) -> bool:
    """Whether `done()` became true within `patience`; asked every 20 ms."""
    deadline = time.monotonic() + patience.total_seconds()
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
