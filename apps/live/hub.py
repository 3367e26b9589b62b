"""The sockets of one live process: who watches which order, and how news reaches them.

Two ears. All processes tell all moves to one group, and ours hears it (ear.py): a move that nobody
here watches costs a dict lookup, so two thousand sockets cost Redis one connection and one reader.
Pushes over Redis are quick and may get lost (away, restarted, overrun), hence the second ear: every
few seconds one query asks PostgreSQL which of the watched orders have moved, and whoever is behind
catches up. A socket never depends on Redis; without it moves arrive seconds later.
"""

import asyncio
import logging
import random
from collections import defaultdict
from collections.abc import Coroutine
from typing import Any, Protocol
from uuid import UUID

from apps.live.database import ask
from apps.live.ear import Ear
from apps.orders.models import Order

logger = logging.getLogger(__name__)

LOOK_EVERY = 5.0  # seconds between two looks while pushes come through
LOOK_WHEN_DEAF = 1.5  # while Redis is away
CATCH_UP_AT_ONCE = 20  # sockets; each takes a query


class Watcher(Protocol):
    """A socket that watches one order."""

    order_id: UUID | None
    last_seq: int

    async def moved(self, seq: int, text: str) -> None: ...

    async def catch_up(self) -> None: ...


class Hub:
    """The watchers of one event loop."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        # By the order's id as pushes name it.
        self._watchers: defaultdict[str, set[Watcher]] = defaultdict(set)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._watchers.clear()
        self._ear = Ear(self._pass_on)
        self._tasks: set[asyncio.Task[None]] = set()
        self._services = [
            loop.create_task(self._ear.keep_open()),
            loop.create_task(self._look_on()),
        ]

    async def watch(self, watcher: Watcher) -> None:
        """From when this returns nothing that is pushed for the watcher's order passes it by.

        Or Redis is away, and then the look-out brings what is missed.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._begin(loop)
        assert watcher.order_id is not None
        self._watchers[str(watcher.order_id)].add(watcher)
        await self._ear.opened()

    def leave(self, watcher: Watcher) -> None:
        """The watcher's socket is closed. The ear stays open: the next one shall not wait."""
        order_id = str(watcher.order_id)
        if order_id in self._watchers:
            self._watchers[order_id].discard(watcher)
            if not self._watchers[order_id]:
                del self._watchers[order_id]

    async def look(self) -> None:
        """Wake everybody whose order is further than what they were sent."""
        seqs = await ask(current_seqs, list(self._watchers))
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

    def _pass_on(self, told: list[tuple[str, int, str]]) -> None:
        """Hand the moves of one message (moves.announce) to whoever watches here."""
        for order_id, seq, text in told:
            for watcher in self._watchers.get(order_id, ()):
                # Tasks, because one shopper on a slow line must not hold up the others.
                task = asyncio.create_task(self._attempt(watcher.moved(seq, text)))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _look_on(self) -> None:
        while True:
            pause = LOOK_EVERY * random.uniform(0.8, 1.2) if self._ear.hears else LOOK_WHEN_DEAF
            await asyncio.sleep(pause)
            if self._watchers:
                await self._attempt(self.look())

    @staticmethod
    async def _attempt(work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:  # a socket that closed, a database away: next time
            logger.info("a move was not passed on now: %s", type(error).__name__)


def current_seqs(order_ids: list[str]) -> dict[str, int]:
    """The last `seq` of each order."""
    found = Order.objects.filter(pk__in=order_ids).values_list("pk", "seq")
    return {str(order_id): seq for order_id, seq in found}


hub = Hub()
