"""The live status of one order over a websocket: every transition once, in order, none left out.

    1. authenticate          a stranger is accepted, then closed with 4404: browsers can read why
    2. register the socket   first, so that no transition falls between replay and listening
    3. replay                the transitions after `after_seq`, from PostgreSQL
    4. deliver pushes        a transition already sent is dropped, a gap is filled from PostgreSQL

How pushes arrive, and what happens when one gets lost: socket_registry.py.
"""

import asyncio
import logging
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import Error as DatabaseError

from apps.core.rate_limits import LimitReached
from apps.orders import payloads, transitions
from apps.realtime import socket_auth
from apps.realtime.database import query
from apps.realtime.socket_limits import (
    IdleTimer,
    TooManyOfAddress,
    TooManySockets,
    open_sockets,
)
from apps.realtime.socket_registry import registry

logger = logging.getLogger(__name__)

# Close codes: 4000 + the HTTP status that says the same.
BAD_REQUEST, NOT_FOUND, IDLE, TOO_MANY, UNAVAILABLE = 4400, 4404, 4408, 4429, 4503
TOO_BIG, POLICY = 1009, 1008  # RFC 6455
MESSAGE_MAX = 1024  # characters; a client's message shows that it is there, its text is ignored
MESSAGES_MAX = 2000  # in a socket's life: one each half minute keeps proxies open for hours


class OrderConsumer(AsyncWebsocketConsumer):
    """One open socket."""

    # One subscription serves all sockets; with a channel for each, none could open without Redis.
    channel_layer_alias = "one per process, see socket_registry.py"

    async def connect(self) -> None:
        self.order_id: UUID | None = None
        self.last_seq = 0
        self._received = 0
        self._address = ""
        self._idle = IdleTimer()
        self._sending = asyncio.Lock()
        # A browser that offered a subprotocol gives up unless one is chosen.
        offered = self.scope.get("subprotocols") or ()
        await self.accept("Bearer" if "Bearer" in offered else None)
        try:
            order_id, token, self.last_seq = read_address(self.scope)
        except ValueError as refused:
            await self.close(BAD_REQUEST if str(refused) == "after_seq" else NOT_FOUND)
            return
        handshake = socket_auth.read_handshake(self.scope, order_id=order_id, token=token)
        try:
            self._address = handshake.address
            open_sockets.add(self, handshake.address)
            self._order = await query(socket_auth.order_for, handshake)
            if self._order is None:
                await self.close(NOT_FOUND)
                return
            self.order_id = order_id
            await registry.add(self)
            await self.catch_up()
        except (LimitReached, TooManyOfAddress):
            await self.close(TOO_MANY)
        except TooManySockets:
            await self.close(UNAVAILABLE)
        except DatabaseError as error:
            logger.warning("websocket without a database: %s", type(error).__name__)
            await self.close(UNAVAILABLE)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Shows only that the client is there; a client that sends too much is closed."""
        self._received += 1
        self._idle.restart()
        if len(text_data or bytes_data or "") > MESSAGE_MAX:
            await self.close(TOO_BIG)
        elif self._received > MESSAGES_MAX:
            await self.close(POLICY)

    async def disconnect(self, code: int) -> None:
        registry.remove(self)
        open_sockets.remove(self, self._address)

    async def close_if_idle(self) -> None:
        """Close a socket whose client has sent nothing for too long (socket_limits.py)."""
        if self._idle.has_expired:
            await self.close(IDLE)

    async def on_transition(self, seq: int, text: str) -> None:
        """A push reached this process: transition `seq`, `text` as the browser gets it."""
        async with self._sending:
            if seq == self.last_seq + 1:
                await self._deliver(seq, text)
            elif seq > self.last_seq:
                await self._refill()

    async def catch_up(self) -> None:
        """Send what PostgreSQL has after the last transition sent."""
        async with self._sending:
            await self._refill()

    async def _refill(self) -> None:
        for payload in await query(payloads.events_after, self._order, self.last_seq):
            await self._deliver(payload["seq"], transitions.as_text(payload))

    async def _deliver(self, seq: int, text: str) -> None:
        await self.send(text)
        self.last_seq = seq


def read_address(scope: dict[str, Any]) -> tuple[UUID, str | None, int]:
    """(order id, token, after_seq); raises ValueError("order") or ValueError("after_seq")."""
    parameters = parse_qs(scope.get("query_string", b"")[:2000].decode("latin-1"))
    after = parameters.get("after_seq", ["0"])[-1]
    if not (after.isascii() and after.isdigit() and len(after) <= 10 and int(after) < 2**31):
        raise ValueError("after_seq")
    try:
        order_id = UUID(scope["url_route"]["kwargs"]["order_id"])
    except ValueError:
        raise ValueError("order") from None
    return order_id, parameters.get("token", [None])[-1], int(after)
