"""Processes of the machine: alive, frozen, or thawed."""

import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path


def process_state(pid: int) -> str:
    """`R`, `S`, `T` (frozen), `Z` … of proc(5); empty when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def is_alive(pid: int) -> bool:
    return process_state(pid) not in ("", "Z", "X")


def thaw(pids: Iterable[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
