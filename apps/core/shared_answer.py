"""A result that one thread at a time computes and all threads share for a moment.

A caller that comes while it is computed gets the previous result at once. Otherwise many requests
for a slow result (a server that it depends on is frozen) would occupy every thread of the process,
and no shopper would be served.
"""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SharedAnswer(Generic[T]):
    """`answer()` returns what `compute` returned at most `good_for` seconds ago.

    While a new answer is computed, the others get the previous one up to an age of `at_most`
    seconds; after that they wait. An error of `compute` is raised to the caller that computed, and
    is not kept.
    """

    def __init__(self, compute: Callable[[], T], *, good_for: float, at_most: float) -> None:
        self._compute = compute
        self._good_for = good_for
        self._at_most = at_most
        self._computing = threading.Lock()
        self._kept: tuple[T, float] | None = None

    def answer(self) -> T:
        kept = self._kept
        if kept is not None and self._age(kept) < self._good_for:
            return kept[0]
        must_wait = kept is None or self._age(kept) > self._at_most
        if not self._computing.acquire(blocking=must_wait):
            assert kept is not None
            return kept[0]
        try:
            kept = self._kept
            if kept is not None and self._age(kept) < self._good_for:
                return kept[0]  # computed while this thread waited
            found = self._compute()
            self._kept = (found, time.monotonic())
            return found
        finally:
            self._computing.release()

    @staticmethod
    def _age(kept: tuple[T, float]) -> float:
        return time.monotonic() - kept[1]
