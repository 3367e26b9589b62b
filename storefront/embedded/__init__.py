"""The shop's own PostgreSQL and Redis, for machines that have neither.

Both are real servers out of Python wheels. They listen on unix sockets only, never on TCP, and
everything they own lies under one folder, the *home* (`STOREFRONT_HOME`, default `.storefront`):

    postgres/   data of PostgreSQL       run/    sockets (see `socket_folder` for long paths)
    redis/      its last snapshot        logs/   what the servers said

Importing this module starts nothing; `database_url` and `redis_url` only compute addresses.

    with serving(home): ...      for the length of a block; the last user out stops the servers
    start(home) / stop(home)     until further notice; also `python -m storefront.embedded start`

Starting is safe to repeat and to interrupt. What may lie around from yesterday (a pid file of a
dead server, a live server of this home, a data folder that initdb did not finish) is dealt with;
what cannot be dealt with raises `EmbeddedError`, whose text is one line for the person waiting.
"""

import contextlib
import fcntl
import logging
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from storefront.embedded.places import (
    DATABASE,
    POSTGRES_SOCKET,
    PROJECT,
    REDIS_SOCKET,
    EmbeddedError,
    Say,
    database_url,
    default_home,
    redis_url,
    socket_folder,
)
from storefront.embedded.postgres import (
    connect,
    drop_database,
    ensure_database,
    postmaster_pid,
    start_postgres,
)
from storefront.embedded.processes import end
from storefront.embedded.redis_server import redis_pid, start_redis

__all__ = [
    "DATABASE",
    "POSTGRES_SOCKET",
    "PROJECT",
    "REDIS_SOCKET",
    "EmbeddedError",
    "connect",
    "database_url",
    "default_home",
    "drop_database",
    "ensure_database",
    "redis_url",
    "serving",
    "socket_folder",
    "start",
    "stop",
]

log = logging.getLogger(__name__)


@contextlib.contextmanager
def serving(
    home: Path | str, *, postgres: bool = True, redis: bool = True, say: Say = log.debug
) -> Iterator[None]:
    """Keep the servers of `home` running for the length of the block.

    Several processes may serve the same home at once; whoever leaves last stops the servers,
    unless somebody asked with `start` for them to stay. A process that dies without leaving
    counts as gone, because the kernel drops its lock.
    """
    home = _prepared(home)
    with (home / "users").open("a") as users:
        with _exclusively(home):
            fcntl.flock(users, fcntl.LOCK_SH)
        try:
            with _exclusively(home):
                _start(home, postgres=postgres, redis=redis, say=say)
            yield
        finally:
            with _exclusively(home):
                try:
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    say("PostgreSQL and Redis stay up: another process uses this home")
                else:
                    if not (home / "kept").exists():
                        _stop(home, say=say)


def start(
    home: Path | str, *, postgres: bool = True, redis: bool = True, say: Say = log.debug
) -> None:
    """Start what is not running yet, and keep it running until `stop`."""
    home = _prepared(home)
    with _exclusively(home):
        _start(home, postgres=postgres, redis=redis, say=say)
        (home / "kept").touch()


def stop(home: Path | str, *, say: Say = log.debug) -> None:
    """Stop both servers, whoever started them. Stopping what does not run is fine."""
    home = Path(home).resolve()
    if home.is_dir():
        with _exclusively(_prepared(home)):
            (home / "kept").unlink(missing_ok=True)
            _stop(home, say=say)


def _start(home: Path, *, postgres: bool, redis: bool, say: Say) -> None:
    try:
        if redis:
            start_redis(home, say=say)
        if postgres:
            start_postgres(home, say=say)
            ensure_database(home, DATABASE)
    except OSError as error:
        raise EmbeddedError(f"STOREFRONT_HOME {home}: {error}") from error


def _stop(home: Path, *, say: Say) -> None:
    pid = redis_pid(home)
    if pid is not None:
        say("stopping Redis")
        # It writes its snapshot first, and does not go while it cannot (a full disk, say).
        end(pid, "Redis", signal.SIGTERM, say=say, patience=timedelta(seconds=15))
    pid = postmaster_pid(home)
    if pid is not None:
        say("stopping PostgreSQL")
        # SIGINT is PostgreSQL's fast shutdown: sessions are cut, everything reaches the disk.
        end(pid, "PostgreSQL", signal.SIGINT, say=say)
    (home / "postgres" / "postmaster.pid").unlink(missing_ok=True)


def _prepared(home: Path | str) -> Path:
    home = Path(home).resolve()
    try:
        home.mkdir(parents=True, exist_ok=True)
        (home / "logs").mkdir(exist_ok=True)
        (home / "lock").touch()
    except OSError as error:
        raise EmbeddedError(
            f"STOREFRONT_HOME {home} cannot be used: {error.strerror.lower()}"
            if error.strerror
            else f"STOREFRONT_HOME {home} cannot be used"
        ) from error
    return home


@contextlib.contextmanager
def _exclusively(home: Path) -> Iterator[None]:
    """One process at a time starts or stops; without this two would run initdb side by side."""
    with (home / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
