"""One live process's ear: what all processes tell of orders' moves, and whether we hear it.

One channel in the one group `moves.GROUP`, joined once: a socket that opens asks nothing of Redis.

Over Redis an ear can be deaf without a word. SUBSCRIBE is sent and its answer not waited for, a
connection may be dead long before TCP says so, and channels_redis takes a subscription for granted
that it once sent. So we believe one thing only: every few seconds we say a word to the group, and
hear it ourselves. If it does not come back, connection and channel are thrown away and made anew.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from channels.layers import get_channel_layer

from apps.orders import moves

logger = logging.getLogger(__name__)

SPEAK_EVERY = 5.0  # seconds between two words to ourselves
# A word may take as long as a push of ours would: a busy loop is late, which is not deaf.
WORD_PATIENCE = 5.0
REDIS_PATIENCE = 2.0  # for which the first handshakes of a process wait for its ear
AWAY_SECONDS = 1.0  # before Redis is tried again


class Ear:
    """Calls `heard` with the payloads of each message told to the group, in their order."""

    def __init__(self, heard: Callable[[list[Any]], None]) -> None:
        self.hears = False
        self._heard = heard
        self._tried = asyncio.Event()
        self._channel = ""
        self._word_came_back = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None

    async def opened(self) -> None:
        """Wait until we hear, or know that Redis is away; from then on nobody waits any more."""
        if not self._tried.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REDIS_PATIENCE):
                    await self._tried.wait()

    async def keep_open(self) -> None:
        """Hear, and make sure of it, for as long as the process lives."""
        while True:
            try:
                async with asyncio.timeout(WORD_PATIENCE):
                    await self._hear_ourselves()
            except Exception as error:  # whatever Redis raises: the look-out stands in
                if self.hears or not self._tried.is_set():
                    logger.warning("live status without Redis: %s", type(error).__name__)
                self.hears = False
                await self._hang_up()
            else:
                if not self.hears:
                    logger.info("live status hears what Redis tells")
                self.hears = True
            self._tried.set()
            await asyncio.sleep(SPEAK_EVERY if self.hears else AWAY_SECONDS)

    async def _hear_ourselves(self) -> None:
        layer = get_channel_layer()
        if self._listening is None:
            self._channel = await layer.new_channel()
            self._listening = asyncio.create_task(self._listen(self._channel))
            await layer.group_add(moves.GROUP, self._channel)
        self._word_came_back.clear()
        await layer.group_send(moves.GROUP, {"type": "word", "of": self._channel})
        await self._word_came_back.wait()

    async def _listen(self, channel: str) -> None:
        # What this raises is told by asyncio, and healed because our next word is not heard.
        layer = get_channel_layer()
        while True:
            message = await layer.receive(channel)
            if message["type"] == "pushed":
                self._heard(message["payloads"])
            elif message.get("of") == channel:  # and not what another release may say here
                self._word_came_back.set()

    async def _hang_up(self) -> None:
        # Over pub/sub this empties our own loop's layer and closes its connections, nobody else's.
        with contextlib.suppress(Exception):
            async with asyncio.timeout(REDIS_PATIENCE):
                await get_channel_layer().flush()
        if self._listening is not None:
            # After the flush: else the channel's end would be one more word with Redis.
            self._listening.cancel()
            self._listening = None
