"""What the embedded servers write down: nothing of what their statements hold, for no other user.

The marker stands in each statement as Django sends it: in its text, not beside it.
"""

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from tools import embedded
from tools.embedded import serving
from tools.embedded.logs import log_file

MARKER = "alice.in.a.statement@example.com"
CONDITIONS = {
    "a key that exists": "INSERT INTO people (email) VALUES ('{0}')",
    "a missing value": "INSERT INTO people (email, name) VALUES ('x{0}', NULL)",
    "a failed check": "INSERT INTO people (email, name) VALUES ('', '{0}')",
    "a missing table": "SELECT '{0}' FROM nobody",
    "a mistake": "SELEKT '{0}'",
    "a time-out": "SET statement_timeout = 50; SELECT '{0}', pg_sleep(2)",
    "an error in a function": (
        "DO $$ BEGIN INSERT INTO people (email) VALUES ('{0}'); END $$ LANGUAGE plpgsql"
    ),
}


@pytest.fixture(autouse=True)
def empty_redis() -> None:
    """These tests have servers of their own; the session's are not needed."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home whose PostgreSQL has met every kind of error, with the marker in each statement."""
    home = tmp_path_factory.mktemp("logs") / "home"
    with serving(home):
        with embedded.connect(home) as people:
            people.execute(
                "CREATE TABLE people (email text PRIMARY KEY CHECK (email <> ''),"
                " name text NOT NULL DEFAULT '')"
            )
            people.execute(f"INSERT INTO people VALUES ('{MARKER}', ''), ('b', '')")
        for statement in CONDITIONS.values():
            with embedded.connect(home) as visitor, pytest.raises(psycopg.Error):
                visitor.execute(statement.format(MARKER))
        copy_a_bad_row(home)
        wait_for_a_lock(home)
        deadlock(home)
        fall_silent_in_a_transaction(home)
        kill_a_server_process(home)
        yield home


def copy_a_bad_row(home: Path) -> None:
    with embedded.connect(home) as visitor, pytest.raises(psycopg.Error):
        with visitor.cursor().copy("COPY people FROM STDIN") as rows:
            rows.write(f"{MARKER}\tx\textra\n")


CHANGE = "UPDATE people SET name = '{0}' WHERE email = '{1}'"


def wait_for_a_lock(home: Path) -> None:
    with embedded.connect(home) as first, embedded.connect(home) as second:
        first.execute("BEGIN;" + CHANGE.format(MARKER, MARKER))
        second.execute("SET deadlock_timeout = '50ms'; SET lock_timeout = '200ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            second.execute(CHANGE.format(MARKER, MARKER))


def deadlock(home: Path) -> None:
    """Two who lock each other's row."""
    with embedded.connect(home) as first, embedded.connect(home) as second:
        first.execute("BEGIN;" + CHANGE.format(MARKER, MARKER))
        second.execute("BEGIN;" + CHANGE.format(MARKER, "b"))

        def other() -> None:
            with contextlib.suppress(psycopg.Error):
                second.execute(CHANGE.format(MARKER, MARKER))

        waiting = threading.Thread(target=other)
        waiting.start()
        with contextlib.suppress(psycopg.Error):
            first.execute(CHANGE.format(MARKER, "b"))
        waiting.join()


def fall_silent_in_a_transaction(home: Path) -> None:
    with contextlib.suppress(psycopg.Error), embedded.connect(home) as visitor:
        visitor.execute("SET idle_in_transaction_session_timeout = 50")
        visitor.execute(f"BEGIN; SELECT '{MARKER}'")
        assert select.select([visitor.fileno()], [], [], 10)[0], "PostgreSQL hangs up"


def kill_a_server_process(home: Path) -> None:
    """PostgreSQL says what it was running; then it starts again by itself."""
    visitor = embedded.connect(home)
    pid = visitor.info.backend_pid

    def sleep() -> None:
        with contextlib.suppress(psycopg.Error):
            visitor.execute(f"SELECT '{MARKER}', pg_sleep(60)")

    running = threading.Thread(target=sleep)
    running.start()
    asleep = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event = 'PgSleep'"
    watcher = embedded.connect(home)
    while not watcher.execute(asleep, [pid]).fetchone():
        pass
    os.kill(pid, signal.SIGKILL)
    running.join()
    said = home / "logs" / "postgres.log"
    deadline = time.monotonic() + 30
    while said.read_text().count("ready to accept connections") < 2:
        assert time.monotonic() < deadline, "PostgreSQL starts again"
        time.sleep(0.02)


def test_postgresql_tells_of_every_error_and_not_what_the_statement_held(home: Path) -> None:
    said = (home / "logs" / "postgres.log").read_text()

    for error in (
        "duplicate key value violates unique constraint",
        "null value in column",
        "violates check constraint",
        'relation "nobody" does not exist',
        "syntax error",
        "canceling statement due to statement timeout",
        "extra data after last expected column",
        "deadlock detected",
        "still waiting for",
        "terminating connection due to idle-in-transaction timeout",
        "was terminated by signal 9",
    ):
        assert error in said, error
    assert MARKER not in said
    assert "UPDATE people" not in said
    assert "COPY people" not in said


def test_what_servers_write_is_for_their_owner_only(home: Path) -> None:
    logs = home / "logs"
    folders = [logs, *(home / name for name in embedded.REDIS_NAMES)]
    with redis.Redis.from_url(embedded.redis_url(home, embedded.REDIS_CARTS)) as carts:
        carts.set("cart", "a mug")
        carts.save()

    assert {oct(folder.stat().st_mode & 0o777) for folder in folders} == {"0o700"}
    files = [*logs.iterdir(), home / "redis-carts" / "dump.rdb"]
    assert {"postgres.log", "initdb.log", *(f"{name}.log" for name in embedded.REDIS_NAMES)} <= {
        file.name for file in files
    }
    assert {file.name: oct(file.stat().st_mode & 0o077) for file in files} == {
        file.name: "0o0" for file in files
    }


def test_log_of_an_earlier_release_is_closed_at_the_next_start(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir(mode=0o755)
    for name in ("redis.log", "redis.log.1"):
        (tmp_path / "logs" / name).write_text("said before")
        (tmp_path / "logs" / name).chmod(0o644)

    log_file(tmp_path, "redis")

    assert (tmp_path / "logs").stat().st_mode & 0o777 == 0o700
    for name in ("redis.log", "redis.log.1"):
        assert (tmp_path / "logs" / name).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "logs" / "redis.log").read_text() == "said before"
