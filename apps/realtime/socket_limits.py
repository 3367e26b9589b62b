"""How many websockets this process keeps, in all and for one address, and how long an idle one.

An open socket costs a stranger nothing, and the process some 30 KB and a file descriptor. So there
is a limit for all, a lower one for each address, and a socket is closed whose client has sent
nothing for `IDLE_SECONDS`: the order's page sends a message each minute, an app does the same
(docs/api.md), and a client that is cut off by mistake connects again with `after_seq` and misses
nothing.

One event loop counts, so no lock is needed. Each process counts for itself.
"""

import asyncio
from collections import defaultdict
from typing import Any
from weakref import WeakSet

from django.conf import settings

IDLE_SECONDS = 300.0
IDLE_CHECK_SECONDS = 30.0


class TooManySockets(Exception):
    """One more is not kept: this process has as many as it may have."""


class TooManyOfAddress(Exception):
    """One more is not kept: this address has as many as it may have."""


class OpenSockets:
    """The sockets of one process, by address.

    Held weakly: a socket whose task ended without `remove` (a crash in the server) is counted only
    as long as the object exists.
    """

    def __init__(self) -> None:
        self._all: WeakSet[Any] = WeakSet()
        self._by_address: defaultdict[str, WeakSet[Any]] = defaultdict(WeakSet)

    def add(self, socket: Any, address: str) -> None:
        """Keep one more of `address`; raises TooManySockets or TooManyOfAddress."""
        if self.count() >= settings.LIVE_SOCKETS_MAX:
            raise TooManySockets
        # `RATE_LIMITS=off` is for load tests, whose clients all come from one address.
        of_address = self._by_address[address]
        if settings.RATE_LIMITS and len(of_address) >= settings.LIVE_SOCKETS_OF_ADDRESS:
            raise TooManyOfAddress
        of_address.add(socket)
        self._all.add(socket)

    def count(self) -> int:
        """How many there are in all."""
        return len(self._all)

    def remove(self, socket: Any, address: str) -> None:
        """Count the socket no longer; does nothing for one that was refused."""
        self._all.discard(socket)
        self._by_address[address].discard(socket)
        if not self._by_address[address]:
            del self._by_address[address]


class IdleTimer:
    """For how long a client has sent nothing, by the event loop's clock."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self._since = asyncio.get_running_loop().time()

    @property
    def has_expired(self) -> bool:
        return asyncio.get_running_loop().time() - self._since > IDLE_SECONDS


open_sockets = OpenSockets()
