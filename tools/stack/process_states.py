"""The states of the machine's processes, and an end by SIGABRT that leaves their stacks."""

import contextlib
import os
import signal
import time
from collections.abc import Iterable

STACK_SECONDS = 3.0  # in which a process may write its stacks


def abort(pids: Iterable[int], *, patience: float = STACK_SECONDS) -> None:
    """SIGABRT, and SIGKILL for those that have not ended after `patience` seconds."""
    held: dict[int, int] = {}
    try:
        for pid in pids:
            with contextlib.suppress(OSError):
                held[pid] = os.pidfd_open(pid)
                signal.pidfd_send_signal(held[pid], signal.SIGABRT)
                # SIGABRT is delivered first: a stopped process does no work between the two.
                signal.pidfd_send_signal(held[pid], signal.SIGCONT)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline and any(map(_lives, held)):
            time.sleep(0.02)
        for pidfd in held.values():
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    finally:
        for pidfd in held.values():
            os.close(pidfd)


def processes_by_session() -> dict[int, dict[int, str]]:
    """Session → its processes → the state of each (proc_pid_stat(5): R, S, D, T, Z …)."""
    found: dict[int, dict[int, str]] = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        state, session = _state(int(entry))
        if state not in ("", "Z", "X"):
            found.setdefault(session, {})[int(entry)] = state
    return found


def _state(pid: int) -> tuple[str, int]:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            # The name before the last bracket may hold anything.
            words = file.read().rpartition(")")[2].split()
        return words[0], int(words[3])
    except (OSError, IndexError, ValueError):
        return "", 0


def _lives(pid: int) -> bool:
    return _state(pid)[0] not in ("", "Z", "X")
