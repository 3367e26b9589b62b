"""Best-effort words after a commit: ring a Celery worker, push to the websockets.

Nothing here is of record: a bell or push that gets lost is made up for by the sweeper and by the
client's `after_seq`. All of it runs on one daemon thread per process, so that a frozen Redis slows
neither an acceptance nor a saga.

Bells are coalesced, in each process and between them: while one is in the queue that no worker has
heard yet, nobody adds another. Without that a burst leaves hundreds of bells behind, and whatever
else waits in the same queue (a webhook, the sweeper) waits for all of them.
"""

import asyncio
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from celery import current_app
from celery.signals import task_prerun
from channels.layers import get_channel_layer
from django.conf import settings
from django.core.cache import cache

logger = logging.getLogger(__name__)

QUIET = 0.02  # seconds between two rounds: at most 50 bells of a kind a second and process
UNHEARD_FOR = 5  # seconds after which a bell that nobody has heard counts as lost
BACKLOG = 20_000  # pushes kept while Redis does not answer; older ones are dropped


class Ringer:
    """One process's thread for what may be lost."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Start from nothing: made just now, or found by a forked child.

        The thread stayed behind in the parent, with what it has still to send; so did whoever
        holds the lock, for ever.
        """
        self._running = False
        self._start_lock = threading.Lock()
        self._wake = threading.Event()
        self._bells: set[str] = set()
        self._pushes: deque[tuple[str, dict]] = deque(maxlen=BACKLOG)
        self._loop: asyncio.AbstractEventLoop

    def ring(self, task_name: str) -> None:
        """Ask a worker to run `task_name` soon; returns at once."""
        self._ensure_running()
        self._bells.add(task_name)
        self._wake.set()

    def push(self, messages: list[tuple[str, dict]]) -> None:
        """Send `(group, message)` pairs to the channel layer soon; returns at once."""
        self._ensure_running()
        self._pushes.extend(messages)
        self._wake.set()

    def _ensure_running(self) -> None:
        if self._running:
            return
        with self._start_lock:
            if not self._running:
                self._running = True
                threading.Thread(target=self._run, name="ringer", daemon=True).start()

    def _run(self) -> None:
        # One loop for good: channels_redis keeps its connections per event loop.
        self._loop = asyncio.new_event_loop()
        while True:
            self._wake.wait()
            self._wake.clear()
            self._attempt(self._send_pushes)
            while self._bells:
                name = self._bells.pop()
                self._attempt(partial(_send_task, name))
            time.sleep(QUIET)

    def _send_pushes(self) -> None:
        batch = [self._pushes.popleft() for _ in range(min(len(self._pushes), 500))]
        if batch:
            self._loop.run_until_complete(_group_send(batch))
        if self._pushes:
            self._wake.set()

    @staticmethod
    def _attempt(send: Callable[[], None]) -> None:
        try:
            send()
        except Exception as error:
            logger.warning("a bell or push was lost: %s: %s", type(error).__name__, error)


def _send_task(name: str) -> None:
    # False: one is on its way. None: Redis did not answer, and the broker may be another server.
    if cache.add(_unheard(name), 1, timeout=UNHEARD_FOR) is not False:
        current_app.send_task(name, retry=False, expires=settings.BELLS_EXPIRE_S)


@task_prerun.connect
def _heard(task: Any = None, **_: Any) -> None:
    """A worker begins: whoever has work from now on rings anew. It looks for work after this."""
    cache.delete(_unheard(task.name))


def _unheard(name: str) -> str:
    return f"bell:{name}"


async def _group_send(batch: list[tuple[str, dict]]) -> None:
    layer = get_channel_layer()
    async with asyncio.timeout(5):
        await asyncio.gather(*(layer.group_send(group, message) for group, message in batch))


_ringer = Ringer()
os.register_at_fork(after_in_child=_ringer.begin)
ring = _ringer.ring
push = _ringer.push
