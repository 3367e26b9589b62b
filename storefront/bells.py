"""Best-effort words after a commit: ring a Celery worker, push to the websockets.

Nothing here is of record: a bell or push that gets lost is made up for by the sweeper and by the
client's `after_seq`. All of it runs on one daemon thread per process, so that a frozen Redis slows
neither an acceptance nor a saga.

Bells are coalesced, in each process and between them: while one is in the queue that no worker has
heard yet, nobody adds another. Without that a burst leaves hundreds of bells behind, and whatever
else waits in the same queue (a webhook, the sweeper) waits for all of them.

Pushes travel together, however many commits they come from: what costs is the message, not what is
in it.
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

QUIET = 0.02  # seconds between two rounds: at most 50 bells of a kind a second and process
UNHEARD_FOR = 5  # seconds after which a bell that nobody has heard counts as lost
BACKLOG = 20_000  # pushes kept while Redis does not answer; older ones are dropped
TOGETHER = 200  # pushes in one message; with 20 ms between two that is 10,000 a second
PUSH_PATIENCE = 5  # seconds after which Redis has not taken a message


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
        self._pushes: deque[tuple[str, Any]] = deque(maxlen=BACKLOG)
        self._loop: asyncio.AbstractEventLoop

    def ring(self, task_name: str) -> None:
        """Ask a worker to run `task_name` soon; returns at once."""
        self._ensure_running()
        self._bells.add(task_name)
        self._wake.set()

    def push(self, group: str, payloads: Iterable[Any]) -> None:
        """Tell the channel layer's `group` soon; returns at once.

        Its members receive `{"type": "pushed", "payloads": [...]}`, with what else there is for
        them, in the order in which it was pushed.
        """
        self._ensure_running()
        self._pushes.extend((group, payload) for payload in payloads)
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
            self._send_pushes()
            while self._bells:
                name = self._bells.pop()
                self._attempt(partial(_send_task, name))
            time.sleep(QUIET)

    def _send_pushes(self) -> None:
        some = [self._pushes.popleft() for _ in range(min(len(self._pushes), TOGETHER))]
        if self._pushes:
            self._wake.set()  # before anything can fail: the rest goes on, after the bells
        for group, together in groupby(some, key=itemgetter(0)):
            payloads = [payload for _, payload in together]
            self._attempt(partial(self._loop.run_until_complete, _group_send(group, payloads)))

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


async def _group_send(group: str, payloads: list[Any]) -> None:
    async with asyncio.timeout(PUSH_PATIENCE):
        message = {"type": "pushed", "payloads": payloads}
        await get_channel_layer().group_send(group, message)


_ringer = Ringer()
os.register_at_fork(after_in_child=_ringer.begin)
ring = _ringer.ring
push = _ringer.push
