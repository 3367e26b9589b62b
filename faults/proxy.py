"""A TCP proxy that can misbehave, between the shop's processes and what they depend on.

    with Proxy(postgres=Path("…/.s.PGSQL.5432"), gateway=("127.0.0.1", 8002)) as proxy:
        proxy.port("postgres")                    where the shop's processes are to connect
        proxy.set("postgres", delay_ms=150)       every request takes longer to get there
        proxy.set("postgres", frozen=True)        connections are taken, nothing is passed on
        proxy.set("postgres", refusing=True)      who calls is hung up on
        proxy.set("postgres", lose_commits=0.05)  that share of COMMITs is executed, and unheard
        proxy.reset("postgres")                   everybody is cut off, once
        proxy.heal("postgres")

It runs as a process of its own, so that the load that is measured does not share its processor
time with it; the two talk in lines of JSON. It ends when its standard input does.

A lost COMMIT is the worst moment to lose a connection in: the server has executed it, the client
cannot know. The statement is told by its bytes on the wire, a simple query of exactly that word,
which is what psycopg sends at the end of a transaction.
"""

import asyncio
import contextlib
import json
import random
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

# Simple query ('Q'), length of what follows, the text and its end.
# https://www.postgresql.org/docs/current/protocol-message-formats.html
COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"
CHUNK = 65536
Address = Path | tuple[str, int]


@dataclass(slots=True)
class Link:
    """One dependency: where it really is, how its calls fare, and who is connected."""

    name: str
    target: Address
    seed: int = 0
    delay_ms: float = 0.0
    refusing: bool = False
    lose_commits: float = 0.0
    commits_lost: int = 0
    _open: asyncio.Event = field(default_factory=asyncio.Event)
    _lines: set["Line"] = field(default_factory=set)
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
        """How it fares from now on; what is not named is well."""
        self.delay_ms, self.refusing, self.lose_commits = delay_ms, refusing, lose_commits
        if frozen:
            self._open.clear()
        else:
            self._open.set()
        if refusing:
            self.reset()

    def reset(self) -> None:
        """Cut everybody off."""
        for line in list(self._lines):
            line.cut()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client, from its call to its end."""
        line = Line(writer)
        self._lines.add(line)
        try:
            await self._open.wait()
            if self.refusing:
                return
            server_reader, server_writer = await _connect(self.target)
            line.server = server_writer
            there = asyncio.create_task(self._there(line, reader, server_writer))
            back = asyncio.create_task(self._back(line, server_reader, writer))
            await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
            for task in (there, back):
                task.cancel()
        except OSError:
            pass  # nobody there: the client hears it as a reset
        finally:
            line.cut()
            self._lines.discard(line)

    async def _there(
        self, line: "Line", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK):
                if self.delay_ms:
                    await asyncio.sleep(self.delay_ms / 1000)
                await self._open.wait()
                if self.lose_commits and COMMIT in chunk:
                    line.answer_is_lost = self._dice.random() < self.lose_commits
                writer.write(chunk)
                await writer.drain()

    async def _back(
        self, line: "Line", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK):
                await self._open.wait()
                if line.answer_is_lost:
                    self.commits_lost += 1
                    return  # the server has answered, so it is executed; the client hears a reset
                writer.write(chunk)
                await writer.drain()


@dataclass(eq=False, slots=True)
class Line:
    """One client's connection and, once made, its other half."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    answer_is_lost: bool = False

    def cut(self) -> None:
        """RST, not FIN: as a cable or a killed machine ends a connection."""
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


# --- The process ----------------------------------------------------------------------------------


async def _run(targets: Mapping[str, Address], seed: int) -> None:
    links = {name: Link(name, target, seed) for name, target in targets.items()}
    ports = {}
    for name, link in links.items():
        server = await asyncio.start_server(link.serve, "127.0.0.1", 0, backlog=1024)
        ports[name] = server.sockets[0].getsockname()[1]
    _say(ports)
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(orders), sys.stdin
    )
    while line := await orders.readline():
        order = json.loads(line)
        link = links[order.pop("link")]
        if order.pop("reset", False):
            link.reset()
        elif not order.pop("tell", False):
            link.change(**order)
        _say({"commits_lost": link.commits_lost, "connections": len(link._lines)})


def _say(what: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> None:
    """`python -m faults.proxy SEED name=path-or-port …`"""
    seed, *pairs = arguments
    targets: dict[str, Address] = {}
    for pair in pairs:
        name, _, target = pair.partition("=")
        targets[name] = ("127.0.0.1", int(target)) if target.isdigit() else Path(target)
    asyncio.run(_run(targets, int(seed)))


class Proxy:
    """The proxy's process, and the hand on its levers. May be used from any thread."""

    def __init__(self, *, seed: int = 0, **targets: Path | int) -> None:
        """`targets`: by name, the path of a unix socket or a port of this machine."""
        self._targets = targets
        self._seed = seed
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        pairs = [f"{name}={target}" for name, target in self._targets.items()]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "faults.proxy", str(self._seed), *pairs],
            cwd=Path(__file__).resolve().parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is the runner's matter
        )
        self._ports: dict[str, int] = self._answer()
        return self

    def __exit__(self, *error: object) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def port(self, link: str) -> int:
        return self._ports[link]

    def set(self, link: str, **how: float | bool) -> None:
        """From now on `link` fares like this, and only like this."""
        self._order(link=link, **how)

    def heal(self, link: str) -> None:
        self._order(link=link)

    def reset(self, link: str) -> None:
        """Cut all connections of `link`; new ones are let in."""
        self._order(link=link, reset=True)

    def commits_lost(self) -> int:
        """How many COMMITs were executed and not heard so far."""
        return int(self._order(link="postgres", tell=True)["commits_lost"])

    def _order(self, **order: Any) -> dict[str, Any]:
        with self._lock:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the proxy is gone")
        answer: dict[str, Any] = json.loads(line)
        return answer


if __name__ == "__main__":
    main(sys.argv[1:])
