"""What one live process hears, and for which of its sockets.

One channel of the process is in the groups of all orders that somebody here watches, so two
thousand sockets cost Redis one connection and one reader. Pushes over Redis are quick and may get
lost (away, restarted, overrun), hence the second ear: every few seconds one query asks PostgreSQL
which of the watched orders have moved, and whoever is behind catches up. A socket never depends on
Redis; without it moves arrive seconds later.
"""

import asyncio
import logging
import random
import time
from collections import defaultdict
from collections.abc import Coroutine
from typing import Any, Protocol
from uuid import UUID

from channels.layers import get_channel_layer

from apps.live.database import ask
from apps.orders import moves
from apps.orders.models import Order

logger = logging.getLogger(__name__)

LOOK_EVERY = 5.0  # seconds between two looks while pushes come through
LOOK_WHEN_DEAF = 1.5  # while Redis is away
REDIS_PATIENCE = 2.0  # seconds for one word with Redis
AWAY_SECONDS = 3.0  # for which a failure is remembered, so that not each handshake waits
CATCH_UP_AT_ONCE = 20  # sockets; each takes a query


class Watcher(Protocol):
    """A socket that watches one order."""

    order_id: UUID | None
    last_seq: int

    async def moved(self, payload: dict[str, Any]) -> None: ...

    async def catch_up(self) -> None: ...


class Hub:
    """The watchers of one event loop."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reset()

    def _reset(self) -> None:
        self._watchers: defaultdict[UUID, set[Watcher]] = defaultdict(set)
        self._joined: set[UUID] = set()
        self._channel = ""
        self._away_until = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._services: list[asyncio.Task[None]] = []

    async def watch(self, watcher: Watcher) -> None:
        """From when this returns nothing that is pushed for the watcher's order passes it by.

        Or Redis is away, and then the look-out brings what is missed.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._reset()
            self._loop = loop
        assert watcher.order_id is not None
        self._watchers[watcher.order_id].add(watcher)
        if not self._services:
            self._services = [loop.create_task(self._look_on()), loop.create_task(self._listen())]
        await self._join(watcher.order_id)

    async def leave(self, watcher: Watcher) -> None:
        """The watcher's socket is closed."""
        order_id = watcher.order_id
        if order_id is None or order_id not in self._watchers:
            return
        self._watchers[order_id].discard(watcher)
        if self._watchers[order_id]:
            return
        # No await between here and group_discard: a newcomer's group_add must come after it.
        del self._watchers[order_id]
        if order_id in self._joined:
            self._joined.discard(order_id)
            await self._tell_redis(
                get_channel_layer().group_discard(moves.group(order_id), self._channel)
            )
        if not self._watchers:
            for task in self._services:
                task.cancel()
            self._services = []
            self._channel = ""

    async def look(self) -> None:
        """Wake everybody whose order is further than what they were sent."""
        for order_id in [o for o in self._watchers if o not in self._joined]:
            if not await self._join(order_id):
                break
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

    async def _join(self, order_id: UUID) -> bool:
        if order_id in self._joined:
            return True
        if not self._channel and not await self._open_channel():
            return False
        joined = await self._tell_redis(
            get_channel_layer().group_add(moves.group(order_id), self._channel)
        )
        if joined:
            self._joined.add(order_id)
        return joined

    async def _open_channel(self) -> bool:
        async def open_channel() -> None:
            self._channel = await get_channel_layer().new_channel()

        return await self._tell_redis(open_channel())

    async def _tell_redis(self, words: Coroutine[Any, Any, Any]) -> bool:
        """Whether Redis took it, within REDIS_PATIENCE."""
        if time.monotonic() < self._away_until:
            words.close()
            return False
        try:
            async with asyncio.timeout(REDIS_PATIENCE):
                await words
        except Exception as error:  # whatever it raises: the look-out stands in
            self._away_until = time.monotonic() + AWAY_SECONDS
            logger.warning("live status without Redis: %s", type(error).__name__)
            return False
        return True

    async def _listen(self) -> None:
        while True:
            if not self._channel:
                await asyncio.sleep(0.05)
                continue
            try:
                message = await get_channel_layer().receive(self._channel)
            except Exception as error:  # begin anew with a channel of its own
                logger.warning("live status stopped listening: %s", type(error).__name__)
                self._channel = ""
                self._joined.clear()
                await asyncio.sleep(1)
                continue
            payload = message["payload"]
            for watcher in tuple(self._watchers.get(UUID(payload["id"]), ())):
                # Tasks, because one shopper on a slow line must not hold up the others.
                task = asyncio.get_running_loop().create_task(self._attempt(watcher.moved(payload)))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _look_on(self) -> None:
        while True:
            deaf = any(order_id not in self._joined for order_id in self._watchers)
            await asyncio.sleep(LOOK_WHEN_DEAF if deaf else LOOK_EVERY * random.uniform(0.8, 1.2))
            await self._attempt(self.look())

    @staticmethod
    async def _attempt(work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:  # a socket that closed, a database away: next time
            logger.info("a move was not passed on now: %s", type(error).__name__)


def current_seqs(order_ids: list[UUID]) -> dict[UUID, int]:
    """The last `seq` of each order."""
    return dict(Order.objects.filter(pk__in=order_ids).values_list("pk", "seq"))


hub = Hub()
