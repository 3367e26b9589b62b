"""A heartbeat of the processes that have no HTTP port: Celery's workers and beat.

The file named by HEARTBEAT_FILE is touched every two seconds. The supervisor
(tools/stack/watchdog.py) restarts a process whose file was not touched for too long. No
thread of its own touches it: a thread would go on while everything else hangs, and prove nothing.

A worker   touches it by a timer of the event loop of its main process, which also receives tasks
           from the broker and replaces children of the pool.
Beat       touches it each time that it checks its schedule.
Both       touch it by a thread after all while they wait for a broker that does not answer: the
           wait is Kombu's, every try has a time-out, and a restart would not bring the broker back.

Without HEARTBEAT_FILE nothing is touched.
"""

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from celery import bootsteps
from celery.beat import PersistentScheduler
from celery.worker.consumer import Consumer

EVERY = 2.0  # seconds
FILE = os.environ.get("HEARTBEAT_FILE", "")


def beat() -> None:
    """Touch the file: this process is alive. Never raises: a full disk is no reason to stop."""
    if FILE:
        with contextlib.suppress(OSError):
            try:
                os.utime(FILE)
            except FileNotFoundError:
                Path(FILE).touch(mode=0o600)


@contextlib.contextmanager
def while_waiting() -> Iterator[None]:
    """Beat during a wait inside a library, whose length is not ours to choose."""
    over = threading.Event()

    def go_on() -> None:
        beat()
        while not over.wait(EVERY):
            beat()

    thread = threading.Thread(target=go_on, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class HeartbeatStep(bootsteps.StartStopStep):
    """Part of a worker's main process: beats as long as its event loop runs."""

    requires = {"celery.worker.components:Timer"}
    _entry: Any = None

    def start(self, parent: Any) -> None:
        self._entry = parent.timer.call_repeatedly(EVERY, beat)

    def stop(self, parent: Any) -> None:
        if self._entry is not None:
            self._entry.cancel()


class WaitingConsumer(Consumer):  # type: ignore[misc]
    """Celery's consumer, which also beats while it waits for the broker."""

    def ensure_connected(self, conn: Any) -> Any:
        with while_waiting():
            return super().ensure_connected(conn)


class BeatingScheduler(PersistentScheduler):  # type: ignore[misc]
    """Celery's scheduler, which also beats at each check of the schedule and while it waits."""

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        beat()
        return super().tick(*args, **kwargs)

    def _ensure_connected(self) -> Any:
        with while_waiting():
            return super()._ensure_connected()


def install(app: Any) -> None:
    """Give every worker and the beat of the Celery application `app` a heartbeat."""
    app.steps["worker"].add(HeartbeatStep)
    app.conf.worker_consumer = f"{__name__}:{WaitingConsumer.__name__}"
    app.conf.beat_scheduler = f"{__name__}:{BeatingScheduler.__name__}"
