"""Workers that die or stop at any point the shop names, as far as one process can play it.

`Fates.install` puts itself where failpoints.py would kill a process. Killed is a BaseException out
of that point: nothing after it runs and the open transaction is rolled back. A worker that stops is
a thread of its own that stands at the point until it is woken, perhaps long after its lease.

Points are counted, not named: the n-th that is passed is where it happens, so that every worker has
a fair chance to get there, and a new point is met without a change here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from apps.core import failpoints
from tests.orders.purchases import Killed

PATIENCE = 60  # seconds; nothing here takes one


class Fates:
    """Who dies where. One per test."""

    def __init__(self) -> None:
        self._of_thread: dict[int, Callable[[str], None]] = {}

    def install(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(failpoints, "reach", self._reach)

    def _reach(self, *parts: str) -> None:
        fate = self._of_thread.get(threading.get_ident())
        if fate is not None:
            fate(".".join(parts))

    def killed_after(self, passed: int, work: Callable[[], Any]) -> str:
        """Do `work`, dying at the next failpoint after so many; its name, or "" if it lived."""
        left, died_at = passed, ""

        def count(point: str) -> None:
            nonlocal left, died_at
            if not left:
                died_at = point
                raise Killed(point)
            left -= 1

        self._of_thread[threading.get_ident()] = count
        try:
            work()
        except Killed:
            pass
        finally:
            del self._of_thread[threading.get_ident()]
        return died_at

    def frozen_after(self, passed: int, work: Callable[[], Any]) -> Frozen | None:
        """Do `work` up to the next failpoint after so many; None when it came to its end."""
        worker = Frozen(self._of_thread, passed, work)
        worker.start()
        return worker if worker.wait_for_standstill() else None


class Frozen(threading.Thread):
    """A worker that stands still in the middle, holding no lock, until `wake`."""

    def __init__(
        self,
        fates: dict[int, Callable[[str], None]],
        passed: int,
        work: Callable[[], Any],
    ) -> None:
        super().__init__(name="frozen worker", daemon=True)
        self._fates, self._left, self._work = fates, passed, work
        self._still, self._go_on = threading.Event(), threading.Event()
        self._trouble: BaseException | None = None
        self.point = ""

    def run(self) -> None:
        self._fates[threading.get_ident()] = self._count
        try:
            self._work()
        except BaseException as trouble:
            self._trouble = trouble
        finally:
            self._fates.pop(threading.get_ident(), None)
            connection.close()
            self._still.set()

    def _count(self, point: str) -> None:
        # Before a commit it would hold rows locked, and all others would only wait for it.
        if point.endswith("before_commit") or self.point:
            return
        if not self._left:
            self.point = point
            self._still.set()
            assert self._go_on.wait(PATIENCE), "the frozen worker was not woken"
        self._left -= 1

    def wait_for_standstill(self) -> bool:
        """Whether it stands still somewhere; False when it is through."""
        assert self._still.wait(PATIENCE), "the worker hangs"
        if not self.point:
            self._end()
        return bool(self.point)

    def wake(self) -> None:
        """Let it go on, whatever has become of its work, and wait until it is through."""
        self._go_on.set()
        self._end()

    def _end(self) -> None:
        self.join(PATIENCE)
        assert not self.is_alive(), "the worker hangs"
        if self._trouble is not None:
            raise self._trouble
