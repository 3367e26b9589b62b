"""A wrong wall clock for one process, by libfaketime (Debian package `faketime`).

The monotonic clock stays right, as on a machine whose clock was set wrong. One flaw of libfaketime
0.9.10 shows on a busy machine: a sleep that is over before it begins fails with EINVAL, and a
thread of short sleeps (that of apps/core/dispatch, for example) may end by it. Then the periodic
sweep carries the orders on.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path

# The one for programs with threads.
LIBRARY = "libfaketimeMT.so.1"
NAMES = ("LD_PRELOAD", "FAKETIME", "DONT_FAKE_MONOTONIC", "NO_FAKE_STAT")
CORRECT: Mapping[str, None] = dict.fromkeys(NAMES)


def off_by(seconds: int) -> dict[str, str]:
    """The environment of a process whose clock is ahead by `seconds`, or behind by as many."""
    values = (str(_library()), f"{seconds:+d}", "1", "1")
    return dict(zip(NAMES, values, strict=True))


@cache
def missing() -> str:
    """Why no clock can be changed on this machine; "" when it can, which is tried."""
    if _library() is None:
        return "libfaketime is not installed (apt-get install faketime)"
    shown = subprocess.run(
        [sys.executable, "-c", "import time; print(time.time())"],
        env=os.environ | off_by(600),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    ).stdout
    try:
        works = abs(float(shown) - time.time() - 600) < 60
    except ValueError:
        works = False
    return "" if works else "libfaketime has no effect on this machine"


def _library() -> Path | None:
    for folder in Path("/usr/lib").glob("*-linux-*/faketime"):
        if (folder / LIBRARY).exists():
            return folder / LIBRARY
    return None
