"""A small HTTP/1.1 client over asyncio streams: posts a body and reads a status.

At several hundred webhooks a second beside the shop under test, a general client costs more
processor time than the sandbox itself.
"""

from __future__ import annotations

import asyncio
import ssl


class Connection:
    """Enough of HTTP/1.1 to post a body and read a status."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, scheme: str, host: str, port: int) -> Connection:
        tls = ssl.create_default_context() if scheme == "https" else None
        return cls(*await asyncio.open_connection(host, port, ssl=tls))

    def close(self) -> None:
        self._writer.close()

    async def request(self, message: bytes) -> tuple[int, bool]:
        """Status, and whether the connection can be used again."""
        self._writer.write(message)
        head = await self._reader.readuntil(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        status = int(lines[0].split(b" ", 2)[1])
        headers = {
            name.strip().lower(): value.strip().lower()
            for name, _, value in (line.partition(b":") for line in lines[1:] if line)
        }
        reusable = lines[0].startswith(b"HTTP/1.1") and headers.get(b"connection") != b"close"
        if b"content-length" in headers:
            await self._reader.readexactly(int(headers[b"content-length"]))
        elif headers.get(b"transfer-encoding") == b"chunked":
            while size := int((await self._reader.readline()).split(b";")[0], 16):
                await self._reader.readexactly(size + 2)
            await self._reader.readline()
        elif status not in (204, 304):
            reusable = False
        return status, reusable
