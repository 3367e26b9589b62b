"""Processes of the machine, as the controls need them."""

import contextlib
import time
from pathlib import Path

from tools.embedded.processes import runs


def children(main: int) -> list[int]:
    """The child processes of process `main`, the youngest first."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                stat = (entry / "stat").read_text()
                if int(stat.rpartition(")")[2].split()[1]) == main:
                    found.append(int(entry.name))
    return sorted(found, reverse=True)


def wait_until_gone(pid: int) -> None:
    """Raises RuntimeError when process `pid` is still there after 30 s."""
    deadline = time.monotonic() + 30
    while runs(pid):
        if time.monotonic() > deadline:
            raise RuntimeError(f"process {pid} does not end")
        time.sleep(0.02)
