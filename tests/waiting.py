"""Waiting for what another thread or process does."""

import time
from collections.abc import Callable

PATIENCE = 180.0  # seconds; never reached where all is well, however slow the machine


def until(
    condition: Callable[[], object],
    what: str = "it is so",
    *,
    patience: float = PATIENCE,
    every: float = 0.01,
    why: Callable[[], str] = str,
) -> float:
    """Wait until `condition` holds, and return for how many seconds that was.

    Looks every `every` seconds. Raises AssertionError after `patience` seconds; its text names
    `what` was waited for and adds what `why` returns, which is called only then.
    """
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > patience:
            reason = f": {why()}" if why is not str else ""
            raise AssertionError(f"waited {patience:.0f} s in vain until {what}{reason}")
        time.sleep(every)
    return time.monotonic() - began
