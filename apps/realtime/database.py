"""Database work of the websocket process, off its event loop."""

from collections.abc import Callable
from typing import Any

from asgiref.sync import sync_to_async

from apps.core.connections import drop_dead_connections


async def query(function: Callable[..., Any], *args: Any) -> Any:
    """`function(*args)` on a thread of the pool: thousands of sockets share few connections."""
    return await sync_to_async(_on_live_connection, thread_sensitive=False)(function, *args)


def _on_live_connection(function: Callable[..., Any], *args: Any) -> Any:
    # Django drops dead connections when an HTTP request starts; no HTTP request starts here.
    drop_dead_connections()
    return function(*args)
