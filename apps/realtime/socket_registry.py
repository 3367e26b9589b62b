"""The sockets of one process: which socket watches which order, and how transitions reach them.

All processes broadcast all transitions to one group, and subscriber.py receives it: a transition
that no socket of this process watches costs a dict lookup, so two thousand sockets cost Redis one
connection and one reader. Pushes over Redis are quick and may get lost (Redis down, restarted,
overrun). So every few seconds one query also asks PostgreSQL which of the watched orders have new
transitions, and each socket that lacks some catches up. No socket depends on Redis; without it
transitions arrive seconds later.
"""

import asyncio
import logging
import random
from collections import defaultdict
from collections.abc import Coroutine
from typing import Any, Protocol
from uuid import UUID

from apps.orders.models import Order
from apps.realtime.database import query
from apps.realtime.socket_limits import IDLE_CHECK_SECONDS
from apps.realtime.subscriber import Subscriber

logger = logging.getLogger(__name__)

POLL_EVERY = 5.0  # seconds between two polls of PostgreSQL while pushes arrive
POLL_EVERY_WITHOUT_REDIS = 1.5  # seconds
CATCH_UP_AT_ONCE = 20  # sockets; each takes a query


class Watcher(Protocol):
    """A socket that watches one order."""

    order_id: UUID | None
    last_seq: int

    async def on_transition(self, seq: int, text: str) -> None: ...

    async def catch_up(self) -> None: ...

    async def close_if_idle(self) -> None: ...


class SocketRegistry:
    """The watchers of one event loop."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        # By the order's id as pushes name it.
        self._watchers: defaultdict[str, set[Watcher]] = defaultdict(set)

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._watchers.clear()
        self.subscriber = Subscriber(self._deliver)
        self._tasks: set[asyncio.Task[None]] = set()
        self._services = [
            loop.create_task(self.subscriber.run()),
            loop.create_task(self._poll_regularly()),
            loop.create_task(self._close_idle_sockets()),
        ]

    async def add(self, watcher: Watcher) -> None:
        """Register a socket. After this returns, no push for its order is missed.

        Unless Redis is unavailable: then polling delivers what would be missed.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._start(loop)
        assert watcher.order_id is not None
        self._watchers[str(watcher.order_id)].add(watcher)
        await self.subscriber.wait_until_tried()

    def remove(self, watcher: Watcher) -> None:
        """Forget a closed socket. The subscription stays: the next socket must not wait for it."""
        order_id = str(watcher.order_id)
        if order_id in self._watchers:
            self._watchers[order_id].discard(watcher)
            if not self._watchers[order_id]:
                del self._watchers[order_id]

    async def poll(self) -> None:
        """Let each socket catch up whose order has transitions that it was not sent."""
        seqs = await query(current_seqs, list(self._watchers))
        behind = [
            watcher
            for order_id, seq in seqs.items()
            for watcher in self._watchers.get(order_id, ())
            if watcher.last_seq < seq
        ]
        for start in range(0, len(behind), CATCH_UP_AT_ONCE):
            await asyncio.gather(
                *(self._attempt(w.catch_up()) for w in behind[start : start + CATCH_UP_AT_ONCE])
            )

    def _deliver(self, payloads: list[tuple[str, int, str]]) -> None:
        """Pass the transitions of one message, (order id, seq, text) each, to their watchers."""
        for order_id, seq, text in payloads:
            for watcher in self._watchers.get(order_id, ()):
                self._start_task(watcher.on_transition(seq, text))

    async def _poll_regularly(self) -> None:
        while True:
            pause = POLL_EVERY_WITHOUT_REDIS
            if self.subscriber.is_subscribed:
                pause = POLL_EVERY * random.uniform(0.8, 1.2)
            await asyncio.sleep(pause)
            if self._watchers:
                await self._attempt(self.poll())

    async def _close_idle_sockets(self) -> None:
        while True:
            await asyncio.sleep(IDLE_CHECK_SECONDS)
            for watcher in [w for watchers in self._watchers.values() for w in watchers]:
                self._start_task(watcher.close_if_idle())

    def _start_task(self, work: Coroutine[Any, Any, None]) -> None:
        # A task each: one client on a slow line, or gone, must not hold up the others.
        task = asyncio.create_task(self._attempt(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @staticmethod
    async def _attempt(work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:  # a closed socket, a database down: the next poll repeats it
            logger.info("a transition was not delivered now: %s", type(error).__name__)


def current_seqs(order_ids: list[str]) -> dict[str, int]:
    """The last `seq` of each order."""
    found = Order.objects.filter(pk__in=order_ids).values_list("pk", "seq")
    return {str(order_id): seq for order_id, seq in found}


registry = SocketRegistry()
