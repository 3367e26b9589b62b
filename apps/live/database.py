"""Database work of the live process, off its event loop."""

from collections.abc import Callable
from typing import Any

from asgiref.sync import sync_to_async

from storefront.connections import drop_dead_connections


async def ask(function: Callable[..., Any], *args: Any) -> Any:
    """`function(*args)` on a thread of the pool: thousands of sockets share few connections."""
    return await sync_to_async(_on_live_connection, thread_sensitive=False)(function, *args)


def _on_live_connection(function: Callable[..., Any], *args: Any) -> Any:
    # No HTTP request starts here, which is what else would drop what a restart left behind.
    drop_dead_connections()
    return function(*args)
