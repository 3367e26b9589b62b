"""A small table kept in the process's memory for a few seconds: shipping rates, tax rates.

The checkout prices thousands of orders a second from tables that change a few times a month. A
`TTLCache` reads such a table at most once in `max_age` per process. A change made in this process
is visible at once (`forget`), one made elsewhere within `max_age`. Code that needs more than that
reads the table itself.
"""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Generic, TypeVar

T = TypeVar("T")


class TTLCache(Generic[T]):
    """What `load` returned, at most `max_age` old.

    One thread reloads. Meanwhile the others get the old value, so that they do not queue behind a
    slow database. An error of `load` reaches the thread that loads: no price is made from a
    table that is known to be too old.
    """

    def __init__(self, load: Callable[[], T], *, max_age: timedelta) -> None:
        self._load = load
        self._max_age = max_age.total_seconds()
        self._loading = threading.Lock()
        self._kept: tuple[T, float] | None = None  # value, monotonic time before it was loaded
        self._generation = 0

    def get(self) -> T:
        kept = self._kept
        if kept is not None and time.monotonic() - kept[1] < self._max_age:
            return kept[0]
        if not self._loading.acquire(blocking=kept is None):
            assert kept is not None
            return kept[0]
        try:
            kept = self._kept
            if kept is not None and time.monotonic() - kept[1] < self._max_age:
                return kept[0]  # another thread loaded it while this one waited
            generation, began = self._generation, time.monotonic()
            value = self._load()
            # `value` may lack a change that was made during the load: return it, do not keep it.
            if generation == self._generation:
                self._kept = (value, began)
            return value
        finally:
            self._loading.release()

    def forget(self, **_signal: object) -> None:
        """Load again at the next use; may be connected to Django's signals."""
        self._generation += 1
        self._kept = None
