"""One process's subscription to the transitions of orders, and the check that it still works.

A process joins one group (`transitions.GROUP`) through one channel, once: a socket that opens costs
Redis nothing.

A Redis subscription can stop delivering without an error. The answer to SUBSCRIBE is not waited
for, a connection may be dead long before TCP reports it, and channels_redis does not repeat a
subscription that it once sent. So the only proof that counts is a message that comes back: every
few seconds this process sends an echo to the group and waits to receive it. If it does not come
back, connection and channel are thrown away and made anew.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from channels.layers import get_channel_layer

from apps.orders import transitions

logger = logging.getLogger(__name__)

ECHO_EVERY = 5.0  # seconds between two echoes
# As long as a push may take: in a busy event loop an echo is late, which is not lost.
ECHO_TIMEOUT = 5.0  # seconds
REDIS_TIMEOUT = 2.0  # seconds for which a process's first handshakes wait for the subscription
RETRY_AFTER = 1.0  # seconds before Redis is tried again


class Subscriber:
    """Calls `on_message` with the payloads of each message sent to the group, in their order."""

    def __init__(self, on_message: Callable[[list[Any]], None]) -> None:
        self.is_subscribed = False
        self._on_message = on_message
        self._tried = asyncio.Event()
        self._channel = ""
        self._echo_received = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None

    async def wait_until_tried(self) -> None:
        """Return when subscribed, or when it is known that Redis is unavailable.

        Waits at most REDIS_TIMEOUT, and only until the first attempt of this process has ended.
        """
        if not self._tried.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REDIS_TIMEOUT):
                    await self._tried.wait()

    async def run(self) -> None:
        """Subscribe and check the subscription, for as long as the process lives."""
        while True:
            try:
                async with asyncio.timeout(ECHO_TIMEOUT):
                    await self._check_by_echo()
            except Exception as error:  # whatever Redis raises: polling replaces the pushes
                if self.is_subscribed or not self._tried.is_set():
                    logger.warning("live status without Redis: %s", type(error).__name__)
                self.is_subscribed = False
                await self._disconnect()
            else:
                if not self.is_subscribed:
                    logger.info("live status is subscribed to Redis")
                self.is_subscribed = True
            self._tried.set()
            await asyncio.sleep(ECHO_EVERY if self.is_subscribed else RETRY_AFTER)

    async def _check_by_echo(self) -> None:
        layer = get_channel_layer()
        if self._listening is None:
            self._channel = await layer.new_channel()
            self._listening = asyncio.create_task(self._listen(self._channel))
            await layer.group_add(transitions.GROUP, self._channel)
        self._echo_received.clear()
        await layer.group_send(transitions.GROUP, {"type": "echo", "of": self._channel})
        await self._echo_received.wait()

    async def _listen(self, channel: str) -> None:
        # If this raises, asyncio logs it; the next echo does not come back and all is made anew.
        layer = get_channel_layer()
        while True:
            message = await layer.receive(channel)
            if message["type"] == "pushed":
                self._on_message(message["payloads"])
            elif message.get("of") == channel:  # types that another release sends are ignored
                self._echo_received.set()

    async def _disconnect(self) -> None:
        # Over pub/sub this empties this event loop's layer and closes its connections, no others.
        with contextlib.suppress(Exception):
            async with asyncio.timeout(REDIS_TIMEOUT):
                await get_channel_layer().flush()
        if self._listening is not None:
            # After the flush: a channel that ends before it would send one more command to Redis.
            self._listening.cancel()
            self._listening = None
