"""Best-effort messages after a commit: enqueue a Celery task, broadcast to websockets.

Nothing here is of record: the sweep makes up for a lost task, and the client's `after_seq` for a
lost broadcast. All of it runs on one daemon thread per process, so that a frozen Redis slows
neither an acceptance nor a saga.

Tasks are coalesced, within a process and between processes: while a message for a task is in the
queue that no worker has taken yet, no process adds another. Without that a burst leaves hundreds of
messages behind, and whatever else waits in the same queue (a webhook, the sweep) waits for all of
them.

Broadcasts of many commits are sent in one message: the cost is per message, not per payload.
"""

import asyncio
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any

from celery import current_app
from celery.signals import task_prerun
from channels.layers import get_channel_layer
from django.conf import settings
from django.core.cache import cache

logger = logging.getLogger(__name__)

PAUSE = 0.02  # seconds between two rounds: at most 50 messages per task, second and process
QUEUED_FOR = 5  # seconds after which a message that no worker has taken counts as lost
BACKLOG = 20_000  # broadcasts kept while Redis does not answer; the oldest are dropped
TOGETHER = 200  # broadcasts in one message; every 20 ms one: that is 10,000 a second
BROADCAST_TIMEOUT = 5  # seconds in which Redis must take a message


class Dispatcher:
    """The queue of one process and the thread that sends from it."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start empty: in a new object, and in a forked child.

        The parent's thread does not exist in the child, and what it still has to send is the
        parent's. A lock that another thread held at the fork would never be released.
        """
        self._running = False
        self._start_lock = threading.Lock()
        self._wake = threading.Event()
        self._tasks: set[str] = set()
        self._broadcasts: deque[tuple[str, Any]] = deque(maxlen=BACKLOG)
        self._loop: asyncio.AbstractEventLoop

    def enqueue(self, task_name: str) -> None:
        """Have a worker run `task_name` soon; returns at once."""
        self._ensure_running()
        self._tasks.add(task_name)
        self._wake.set()

    def broadcast(self, group: str, payloads: Iterable[Any]) -> None:
        """Send to the channel layer's `group` soon; returns at once.

        Its members receive `{"type": "pushed", "payloads": [...]}`, in the order of the calls;
        payloads of several calls may come in one message.
        """
        self._ensure_running()
        self._broadcasts.extend((group, payload) for payload in payloads)
        self._wake.set()

    def _ensure_running(self) -> None:
        if self._running:
            return
        with self._start_lock:
            if not self._running:
                self._running = True
                threading.Thread(target=self._run, name="dispatcher", daemon=True).start()

    def _run(self) -> None:
        # One event loop for all rounds: channels_redis keeps its connections per event loop.
        self._loop = asyncio.new_event_loop()
        while True:
            self._wake.wait()
            self._wake.clear()
            self._send_broadcasts()
            while self._tasks:
                name = self._tasks.pop()
                self._attempt(partial(_send_task, name))
            time.sleep(PAUSE)

    def _send_broadcasts(self) -> None:
        some = [self._broadcasts.popleft() for _ in range(min(len(self._broadcasts), TOGETHER))]
        if self._broadcasts:
            self._wake.set()  # before anything can fail: the rest is sent after the tasks
        for group, together in groupby(some, key=itemgetter(0)):
            payloads = [payload for _, payload in together]
            self._attempt(partial(self._loop.run_until_complete, _group_send(group, payloads)))

    @staticmethod
    def _attempt(send: Callable[[], None]) -> None:
        try:
            send()
        except Exception as error:
            logger.warning("a task or broadcast was lost: %s: %s", type(error).__name__, error)


def _send_task(name: str) -> None:
    # False: a message is in the queue. None: the cache's Redis did not answer; the broker may be
    # another server.
    if cache.add(_queued_key(name), 1, timeout=QUEUED_FOR) is not False:
        current_app.send_task(name, retry=False, expires=settings.TASKS_EXPIRE_S)


@task_prerun.connect
def _note_taken(task: Any = None, **_: Any) -> None:
    """A worker begins the task, and looks for work after this: work from now on is enqueued."""
    cache.delete(_queued_key(task.name))


def _queued_key(name: str) -> str:
    return f"task-queued:{name}"


async def _group_send(group: str, payloads: list[Any]) -> None:
    async with asyncio.timeout(BROADCAST_TIMEOUT):
        message = {"type": "pushed", "payloads": payloads}
        await get_channel_layer().group_send(group, message)


_dispatcher = Dispatcher()
os.register_at_fork(after_in_child=_dispatcher.reset)
enqueue_on_commit = _dispatcher.enqueue
broadcast_on_commit = _dispatcher.broadcast
