"""Starts and stops the embedded servers of a home, for one process or for several."""

import contextlib
import fcntl
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

from tools.embedded.databases import ensure_database
from tools.embedded.home import exclusively, make_folders, prepare_home
from tools.embedded.paths import DATABASE, EmbeddedError, Say
from tools.embedded.postgres import start_postgres
from tools.embedded.postgres_state import postgres_answers
from tools.embedded.redis_server import start_redis
from tools.embedded.shutdown import end_postgres, stop_servers

log = logging.getLogger(__name__)


@contextlib.contextmanager
def serving(
    home: Path | str, *, postgres: bool = True, redis: bool = True, say: Say = log.debug
) -> Iterator[None]:
    """Keep the servers of `home` running for the length of the block.

    Several processes may serve the same home at once; the last one to leave stops the servers,
    unless `start` was called for them to stay. A process that dies without leaving counts as gone,
    because the kernel drops its lock. Raises EmbeddedError when a server cannot be started.
    """
    home = prepare_home(home, say=say)
    with (home / "users").open("a") as users:
        with exclusively(home):
            fcntl.flock(users, fcntl.LOCK_SH)
        try:
            with exclusively(home):
                _start(home, postgres=postgres, redis=redis, say=say)
            yield
        finally:
            with exclusively(home):
                try:
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    say("PostgreSQL and Redis stay up: another process uses this home")
                else:
                    if not (home / "kept").exists():
                        stop_servers(home, say=say)


def start(
    home: Path | str, *, postgres: bool = True, redis: bool = True, say: Say = log.debug
) -> None:
    """Start what is not running yet, and keep it running until `stop`."""
    home = prepare_home(home, say=say)
    with exclusively(home):
        _start(home, postgres=postgres, redis=redis, say=say)
        (home / "kept").touch()


def stop(home: Path | str, *, say: Say = log.debug) -> None:
    """Stop all servers of `home`, whichever process started them. Safe when none runs."""
    home = Path(home).resolve()
    if home.is_dir():
        with exclusively(make_folders(home)):
            (home / "kept").unlink(missing_ok=True)
            stop_servers(home, say=say)


def keep_up(
    home: Path | str,
    *,
    postgres: bool = False,
    redis: bool = False,
    afresh: bool = False,
    unless: Callable[[], bool] = lambda: False,
    say: Say = log.debug,
) -> None:
    """Start again what has died, for a caller inside `serving`. Safe to repeat every second.

    `afresh` first ends a PostgreSQL that runs and does not answer, and the processes that a killed
    one left behind. `unless` is asked once this process holds the home's lock; when it returns True
    nothing is started, so that a stop that came first stays in effect. Raises EmbeddedError when a
    server cannot be started now.
    """
    home = make_folders(home)
    with exclusively(home):
        if unless():
            return
        if postgres and afresh and not postgres_answers(home):
            end_postgres(home, say=say)
        _start(home, postgres=postgres, redis=redis, say=say)


def _start(home: Path, *, postgres: bool, redis: bool, say: Say) -> None:
    try:
        if redis:
            start_redis(home, say=say)
        if postgres:
            start_postgres(home, say=say)
            ensure_database(home, DATABASE)
    except OSError as error:
        raise EmbeddedError(f"STOREFRONT_HOME {home}: {error}") from error
