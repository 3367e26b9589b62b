"""A limit on how many threads compute at once: of those that handle checkouts, two do.

Python lets one thread of a process run at a time. Behind each commit of the intake thirty checkouts
wake at once, and a thread that only answers a page would have to compete with all of them for
Python's lock. A thread that waits for a free slot does not compete.

A slot is a courtesy and protects no data: a thread that waits for something else releases its slot
meanwhile, and a thread that does not get a slot soon (Redis does not answer, and those that hold
the slots wait for it) continues without one.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue


class ConcurrencyLimit:
    """`slots` threads at once; after `patience` seconds of waiting a thread continues anyway."""

    def __init__(self, slots: int, *, patience: float = 0.05) -> None:
        self._free: SimpleQueue[None] = SimpleQueue()  # its get() waits without Python's lock
        self._patience = patience
        self._thread = threading.local()
        for _ in range(slots):
            self._free.put(None)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Run the block in a slot."""
        self._acquire()
        try:
            yield
        finally:
            self._release()

    @contextmanager
    def released(self) -> Iterator[None]:
        """Inside `held`: run the block, a wait, without the slot. Elsewhere it does nothing."""
        if not self._has_slot:
            yield
            return
        self._release()
        try:
            yield
        finally:
            self._acquire()

    @property
    def _has_slot(self) -> bool:
        return getattr(self._thread, "has_slot", False)

    def _acquire(self) -> None:
        try:
            self._free.get(timeout=self._patience)
        except Empty:
            return
        self._thread.has_slot = True

    def _release(self) -> None:
        if self._has_slot:
            self._thread.has_slot = False
            self._free.put(None)


CHECKOUT_SLOTS = ConcurrencyLimit(2)
