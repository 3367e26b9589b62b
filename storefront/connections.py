"""Persistent database connections, and noticing that the server has hung up on one.

Every thread keeps its connection: borrowing one per request from a pool and asking `SELECT 1` first
costs a shop more than the connection does. What that question would find is found by a glance at
the socket: an idle PostgreSQL connection has nothing to read, unless the server said goodbye.
Without the glance, every thread's first shopper after a restart of the database would see an error.
"""

import select
from typing import Any

from django.core.signals import request_started
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.dispatch import receiver


@receiver(request_started)
def drop_dead_connections(**_: Any) -> None:
    """Close this thread's connections whose server has gone; the next query opens a new one."""
    for connection in connections.all(initialized_only=True):
        open_now = connection.connection is not None and not connection.in_atomic_block
        if open_now and has_hung_up(connection):
            connection.close()


def has_hung_up(connection: BaseDatabaseWrapper) -> bool:
    """Whether the server closed this idle connection, or it is of no use otherwise."""
    raw = connection.connection
    if raw.closed or raw.broken:
        return True
    poll = select.poll()
    poll.register(raw.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(poll.poll(0))
