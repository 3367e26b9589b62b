"""The proxy's process: `python -m tools.faults.proxy_process SEED name=path-or-port …`.

It takes commands as lines of JSON from its standard input, and ends when that does.

A lost COMMIT is the worst moment to lose a connection in: the server has executed it, the client
cannot know. The statement is recognised by its bytes, a simple query of exactly that word, which is
what psycopg sends at the end of a transaction.
"""

import asyncio
import contextlib
import json
import random
import socket
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Simple query ('Q'), length of what follows, the text and its end.
# https://www.postgresql.org/docs/current/protocol-message-formats.html
COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"
CHUNK = 65536
Address = Path | tuple[str, int]


@dataclass(slots=True)
class Link:
    """One dependency: its address, its present faults, and its open connections."""

    name: str
    target: Address
    seed: int = 0
    delay_ms: float = 0.0
    refusing: bool = False
    lose_commits: float = 0.0
    commits_lost: int = 0
    _open: asyncio.Event = field(default_factory=asyncio.Event)
    _connections: set["Connection"] = field(default_factory=set)
    _dice: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        self._open.set()
        self._dice.seed(self.seed)

    def change(
        self,
        *,
        delay_ms: float = 0.0,
        frozen: bool = False,
        refusing: bool = False,
        lose_commits: float = 0.0,
    ) -> None:
        """The faults from now on; those that are not named end."""
        self.delay_ms, self.refusing, self.lose_commits = delay_ms, refusing, lose_commits
        if frozen:
            self._open.clear()
        else:
            self._open.set()
        if refusing:
            self.reset()

    def reset(self) -> None:
        """Cut all connections."""
        for connection in list(self._connections):
            connection.cut()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until its connection ends."""
        connection = Connection(writer)
        self._connections.add(connection)
        try:
            await self._open.wait()
            if self.refusing:
                return
            server_reader, server_writer = await _connect(self.target)
            connection.server = server_writer
            to_server = asyncio.create_task(self._to_server(connection, reader, server_writer))
            to_client = asyncio.create_task(self._to_client(connection, server_reader, writer))
            await asyncio.wait((to_server, to_client), return_when=asyncio.FIRST_COMPLETED)
            for task in (to_server, to_client):
                task.cancel()
        except OSError:
            pass  # the dependency is away: the client gets a reset
        finally:
            connection.cut()
            self._connections.discard(connection)

    async def _to_server(
        self, connection: "Connection", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK):
                if self.delay_ms:
                    await asyncio.sleep(self.delay_ms / 1000)
                await self._open.wait()
                if self.lose_commits and COMMIT in chunk:
                    connection.answer_is_lost = self._dice.random() < self.lose_commits
                writer.write(chunk)
                await writer.drain()

    async def _to_client(
        self, connection: "Connection", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK):
                await self._open.wait()
                if connection.answer_is_lost:
                    self.commits_lost += 1
                    return  # the server has answered, so it is executed; the client gets a reset
                writer.write(chunk)
                await writer.drain()


@dataclass(eq=False, slots=True)
class Connection:
    """One client's connection and, once made, the one to the server."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    answer_is_lost: bool = False

    def cut(self) -> None:
        """RST, not FIN: as a pulled cable or a killed machine ends a connection."""
        _abort(self.client)
        if self.server is not None:
            _abort(self.server)


def _abort(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    if raw is not None and raw.family != socket.AF_UNIX and not writer.is_closing():
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _connect(
    target: Address,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if isinstance(target, Path):
        return await asyncio.open_unix_connection(str(target))
    return await asyncio.open_connection(*target)


async def _run(targets: Mapping[str, Address], seed: int) -> None:
    links = {name: Link(name, target, seed) for name, target in targets.items()}
    ports = {}
    for name, link in links.items():
        server = await asyncio.start_server(link.serve, "127.0.0.1", 0, backlog=1024)
        ports[name] = server.sockets[0].getsockname()[1]
    _write(ports)
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(commands), sys.stdin
    )
    while line := await commands.readline():
        command = json.loads(line)
        link = links[command.pop("link")]
        if command.pop("reset", False):
            link.reset()
        elif not command.pop("tell", False):
            link.change(**command)
        _write({"commits_lost": link.commits_lost, "connections": len(link._connections)})


def _write(what: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> None:
    """`python -m tools.faults.proxy SEED name=path-or-port …`"""
    seed, *pairs = arguments
    targets: dict[str, Address] = {}
    for pair in pairs:
        name, _, target = pair.partition("=")
        targets[name] = ("127.0.0.1", int(target)) if target.isdigit() else Path(target)
    asyncio.run(_run(targets, int(seed)))


if __name__ == "__main__":
    main(sys.argv[1:])
