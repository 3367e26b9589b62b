"""Persistent database connections, and how one that the server has closed is noticed.

Every thread keeps its connection: borrowing one per request from a pool and sending `SELECT 1`
first costs more than the connection does. A look at the socket finds the same without a query: an
idle PostgreSQL connection has nothing to read, unless the server has closed it. Without this check
every thread's first request after a restart of the database would be an error.
"""

import select
from typing import Any

from django.core.signals import request_started
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.dispatch import receiver


@receiver(request_started)
def drop_dead_connections(**_: Any) -> None:
    """Close this thread's connections that the server has closed; the next query opens new ones."""
    for connection in connections.all(initialized_only=True):
        open_now = connection.connection is not None and not connection.in_atomic_block
        if open_now and is_closed_by_server(connection):
            connection.close()


def is_closed_by_server(connection: BaseDatabaseWrapper) -> bool:
    """Whether the server has closed this idle connection, or it is unusable otherwise."""
    raw = connection.connection
    if raw.closed or raw.broken:
        return True
    poll = select.poll()
    poll.register(raw.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(poll.poll(0))
