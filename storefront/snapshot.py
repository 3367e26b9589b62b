"""A small table kept in the process's memory for a few seconds: shipping rates, tax rates.

The checkout prices thousands of orders a second from tables that change a few times a month. A
`Snapshot` reads such a table at most once in `max_age` per process. A change made in this process
is seen at once (`forget`), one made elsewhere within `max_age`; whoever needs more than that reads
the table itself.
"""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Generic, TypeVar

T = TypeVar("T")


class Snapshot(Generic[T]):
    """What `load` answered, at most `max_age` old.

    One thread reloads; meanwhile the others are served what there is, so that a slow database
    makes no queue here. An error of `load` reaches the thread that loads: a price is never made
    from a table known to be too old.
    """

    def __init__(self, load: Callable[[], T], *, max_age: timedelta) -> None:
        self._load = load
        self._max_age = max_age.total_seconds()
        self._loading = threading.Lock()
        self._held: tuple[T, float] | None = None  # value, monotonic second it was asked for
        self._generation = 0

    def get(self) -> T:
        held = self._held
        if held is not None and time.monotonic() - held[1] < self._max_age:
            return held[0]
        if not self._loading.acquire(blocking=held is None):
            assert held is not None
            return held[0]
        try:
            held = self._held
            if held is not None and time.monotonic() - held[1] < self._max_age:
                return held[0]  # someone else loaded while this thread waited
            generation, asked_at = self._generation, time.monotonic()
            value = self._load()
            # A change that came while we read may be missing in `value`: use it, do not keep it.
            if generation == self._generation:
                self._held = (value, asked_at)
            return value
        finally:
            self._loading.release()

    def forget(self, **_signal: object) -> None:
        """Read anew on the next use; may be connected to Django's signals."""
        self._generation += 1
        self._held = None
