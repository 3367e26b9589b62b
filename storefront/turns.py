"""Few at a time: of the many threads that have something to compute, two do.

Python lets one thread of a process run. Behind each commit of the intake thirty checkouts wake at
once, and who only wants to see a page would be one among them who ask for Python's lock. So they
take turns: who waits for hers does not ask. A turn is a courtesy and guards nothing: a thread that
waits for something else gives it back meanwhile, and where a turn does not come soon (Redis is
silent, and those whose turn it is wait for it) everybody goes on without.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue


class Turns:
    """So many threads at once."""

    def __init__(self, at_once: int, *, patience: float = 0.05) -> None:
        self._free: SimpleQueue[None] = SimpleQueue()  # its get() waits without Python's lock
        self._patience = patience  # seconds
        self._thread = threading.local()
        for _ in range(at_once):
            self._free.put(None)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Compute, when it is this thread's turn."""
        self._take()
        try:
            yield
        finally:
            self._give_back()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Wait for something else inside `taken`, and let others compute; elsewhere nothing."""
        if not self._is_taken:
            yield
            return
        self._give_back()
        try:
            yield
        finally:
            self._take()

    @property
    def _is_taken(self) -> bool:
        return getattr(self._thread, "is_taken", False)

    def _take(self) -> None:
        try:
            self._free.get(timeout=self._patience)
        except Empty:
            return
        self._thread.is_taken = True

    def _give_back(self) -> None:
        if self._is_taken:
            self._thread.is_taken = False
            self._free.put(None)


CHECKOUTS = Turns(2)
