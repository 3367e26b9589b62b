"""Drops request headers whose names have an underscore, before any code trusts them.

`X_Forwarded_For` and `X-Forwarded-For` are two headers for a proxy, which sets the second and
passes the first on unchanged. Code that treats both spellings alike may read the client's. No
header of ours has an underscore.

This is for ASGI, where names arrive as they were sent. In a WSGI environment both spellings have
become HTTP_X_FORWARDED_FOR, with Granian the last one wins, and the spelling is no longer known:
there the edge must drop them (docs/security.md; tests/hostile/test_header_twins.py).
"""

from collections.abc import Awaitable, Callable
from typing import Any

Scope = dict[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[None]]


class DropDuplicateHeaders:
    """An ASGI application that calls `inner` without those headers."""

    def __init__(self, inner: Application) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        headers = scope.get("headers") or ()
        if any(b"_" in name for name, _ in headers):
            kept = [(name, value) for name, value in headers if b"_" not in name]
            scope = scope | {"headers": kept}
        await self._inner(scope, receive, send)
