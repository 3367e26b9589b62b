"""The live status of one order over a websocket: every move once, in order, none left out.

    1. ask who it is            a stranger is accepted, then closed with 4404: browsers see why
    2. watch the order          first, so that no move falls between replay and listening
    3. replay                   the moves after `after_seq`, from PostgreSQL
    4. pass on what is pushed   a move already sent is dropped, a gap is filled from PostgreSQL

What is heard, and what happens when a push gets lost, is the hub's (hub.py).
"""

import asyncio
import logging
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import Error as DatabaseTrouble

from apps.live import visitor
from apps.live.database import ask
from apps.live.hub import hub
from apps.orders import moves, payloads
from storefront.rate_limits import LimitReached

logger = logging.getLogger(__name__)

# Close codes: 4000 + the HTTP status that says the same.
BAD_REQUEST, NOT_FOUND, TOO_MANY, UNAVAILABLE = 4400, 4404, 4429, 4503
TOO_BIG, POLICY = 1009, 1008  # RFC 6455
MESSAGE_MAX = 1024  # characters; nothing a client says here is listened to
MESSAGES_MAX = 2000  # over a socket's life: one every half minute keeps proxies awake for hours


class OrderConsumer(AsyncWebsocketConsumer):
    """One open socket."""

    # The hub listens for all sockets together; a channel for each would need Redis to connect.
    channel_layer_alias = "one per process, see hub.py"

    async def connect(self) -> None:
        self.order_id: UUID | None = None
        self.last_seq = 0
        self._received = 0
        self._sending = asyncio.Lock()
        # A browser that offered a subprotocol gives up unless one is chosen.
        offered = self.scope.get("subprotocols") or ()
        await self.accept("Bearer" if "Bearer" in offered else None)
        try:
            order_id, token, self.last_seq = read_address(self.scope)
        except ValueError as refused:
            await self.close(BAD_REQUEST if str(refused) == "after_seq" else NOT_FOUND)
            return
        visit = visitor.visit_of(self.scope, order_id=order_id, token=token)
        try:
            self._order = await ask(visitor.order_for, visit)
            if self._order is None:
                await self.close(NOT_FOUND)
                return
            self.order_id = order_id
            await hub.watch(self)
            await self.catch_up()
        except LimitReached:
            await self.close(TOO_MANY)
        except DatabaseTrouble as error:
            logger.warning("websocket without a database: %s", type(error).__name__)
            await self.close(UNAVAILABLE)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Clients have nothing to say; a chatty one is shown out."""
        self._received += 1
        if len(text_data or bytes_data or "") > MESSAGE_MAX:
            await self.close(TOO_BIG)
        elif self._received > MESSAGES_MAX:
            await self.close(POLICY)

    async def disconnect(self, code: int) -> None:
        hub.leave(self)

    async def moved(self, seq: int, text: str) -> None:
        """A push reached this process: move `seq`, `text` as the browser gets it."""
        async with self._sending:
            if seq == self.last_seq + 1:
                await self._pass_on(seq, text)
            elif seq > self.last_seq:
                await self._refill()

    async def catch_up(self) -> None:
        """Send what PostgreSQL has after the last move sent."""
        async with self._sending:
            await self._refill()

    async def _refill(self) -> None:
        for payload in await ask(payloads.events_after, self._order, self.last_seq):
            await self._pass_on(payload["seq"], moves.as_text(payload))

    async def _pass_on(self, seq: int, text: str) -> None:
        await self.send(text)
        self.last_seq = seq


def read_address(scope: dict[str, Any]) -> tuple[UUID, str | None, int]:
    """(order id, token, after_seq); raises ValueError("order") or ValueError("after_seq")."""
    query = parse_qs(scope.get("query_string", b"")[:2000].decode("latin-1"))
    after = query.get("after_seq", ["0"])[-1]
    if not (after.isascii() and after.isdigit() and len(after) <= 10 and int(after) < 2**31):
        raise ValueError("after_seq")
    try:
        order_id = UUID(scope["url_route"]["kwargs"]["order_id"])
    except ValueError:
        raise ValueError("order") from None
    return order_id, query.get("token", [None])[-1], int(after)
