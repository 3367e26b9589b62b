"""Watches the embedded PostgreSQL and Redis while the shop runs, and the size of their logs.

Every two seconds both are asked. A server that has died is started again; one that runs and does
not answer is ended first. A start that fails (a full disk) is tried again after 1, 2, 4 … 15
seconds for as long as the shop runs, and reported once, not each time.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tools import embedded
from tools.embedded import EmbeddedError
from tools.stack.liveness import Patience
from tools.stack.output import rotate_in_place

CHECK_EVERY = 2.0  # seconds
PAUSE_FIRST, PAUSE_MAX = 1.0, 15.0  # seconds between attempts that fail


class ServiceWatcher:
    """Keeps the embedded servers of `home` running, for a process inside `embedded.serving`."""

    def __init__(
        self,
        home: Path,
        *,
        postgres: bool,
        redis: bool,
        patience: Patience,
        say: Callable[[str], None],
    ) -> None:
        self._home = home
        self._postgres = postgres
        self._redis = redis
        self._patience = patience
        self._say = say
        self._closing = threading.Event()
        self._silent_since: float | None = None
        self._trouble = ""
        self._thread = threading.Thread(target=self._watch, name="services", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Nothing is started from here on. A start under way ends before the servers are stopped,
        because that takes the same lock (embedded/home.py)."""
        self._closing.set()

    def _watch(self) -> None:
        pause = PAUSE_FIRST
        wait = CHECK_EVERY
        while not self._closing.wait(wait):
            with contextlib.suppress(OSError):
                self._shorten_logs()
            try:
                self._check()
            except EmbeddedError as error:
                self._report(str(error))
                wait, pause = pause, min(pause * 2, PAUSE_MAX)
            else:
                if self._trouble:
                    self._trouble = ""
                    self._say("PostgreSQL and Redis are back")
                wait, pause = CHECK_EVERY, PAUSE_FIRST

    def _check(self) -> None:
        say = _silent if self._trouble else self._say
        if self._redis:
            embedded.keep_up(self._home, redis=True, unless=self._closing.is_set, say=say)
        if not self._postgres:
            return
        if embedded.postgres_answers(self._home):
            self._silent_since = None
            return
        if embedded.postgres_runs(self._home):
            now = time.monotonic()
            self._silent_since = self._silent_since or now
            if now - self._silent_since < self._patience.database:
                return
            say("PostgreSQL runs and does not answer: it is restarted")
        else:
            say("PostgreSQL has died and is started again")
        embedded.keep_up(
            self._home, postgres=True, afresh=True, unless=self._closing.is_set, say=say
        )
        self._silent_since = None

    def _report(self, trouble: str) -> None:
        # The text differs from time to time (a pid, a byte count): reported once until it is over.
        if not self._trouble:
            self._say(f"{trouble}; tried again until it works")
        self._trouble = trouble

    def _shorten_logs(self) -> None:
        # The stack's own (`LogFile`) never get so long.
        for path in (self._home / "logs").glob("*.log"):
            rotate_in_place(path)


def _silent(text: str) -> None:
    """For what was reported already."""
