"""Ends what an earlier stack left running when it was killed.

Every process of a stack carries a mark in its environment, children included. Two dangers: a parent
that is still alive (Granian's, Celery's) starts a new child for each one that is killed, so the
search is repeated until it finds nothing. And a process that was killed gives up its memory, its
environment with it, before its sockets: a search for the mark alone would miss it while it still
holds the port. A pidfd tells when the last of its threads has ended.
"""

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

# In the environment of every process of a stack: how the next one recognises what was left.
MARK = "STOREFRONT_STACK"
PATIENCE = timedelta(seconds=20)


def end_leftovers(home: Path) -> int:
    """Kill what an earlier stack of `home` left running, and wait until it has ended.

    Returns how many processes that were. Call it only while holding the home: it tells leftovers
    by the mark in their environment.
    """
    return end_marked(f"{MARK}={home}")


def end_marked(mark: str) -> int:
    """Kill every process with `mark` (`NAME=value`) in its environment; how many those were."""
    deadline = time.monotonic() + PATIENCE.total_seconds()
    ended: set[int] = set()
    while found := _marked(mark.encode()):
        ended.update(found)
        end_processes(found, deadline)
        if time.monotonic() > deadline:
            break
    return len(ended)


def _marked(mark: bytes) -> list[int]:
    pids = (int(entry) for entry in os.listdir("/proc") if entry.isdigit())
    return [pid for pid in pids if pid != os.getpid() and mark in _environment(pid)]


def _environment(pid: int) -> list[bytes]:
    """What process `pid` was started with; empty when it has ended or is another user's."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def end_processes(pids: Iterable[int], deadline: float | None = None) -> None:
    """Kill these processes, and wait until they have ended or `deadline` (monotonic) has come."""
    if deadline is None:
        deadline = time.monotonic() + PATIENCE.total_seconds()
    with contextlib.ExitStack() as held:
        waiting = select.poll()
        left = 0
        for pid in pids:
            with contextlib.suppress(OSError):
                pidfd = os.pidfd_open(pid)
                held.callback(os.close, pidfd)
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                waiting.register(pidfd, select.POLLIN)
                left += 1
        while left and time.monotonic() < deadline:
            for pidfd, _ in waiting.poll(100):
                waiting.unregister(pidfd)
                left -= 1
