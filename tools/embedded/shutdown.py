"""Stops the embedded servers: in order, or a PostgreSQL that does not answer by force."""

import contextlib
import os
import signal
from datetime import timedelta
from pathlib import Path

from tools.embedded.paths import Say
from tools.embedded.postgres_state import postmaster_pid
from tools.embedded.processes import all_pids, end, within
from tools.embedded.redis_server import redis_pids


def stop_servers(home: Path, *, say: Say) -> None:
    """Stop the Redis servers and PostgreSQL of `home`, in this order, whichever of them run."""
    running = {name: pid for name, pid in redis_pids(home).items() if pid is not None}
    if running:
        say("stopping Redis")
        for pid in running.values():
            # All write their snapshots at the same time; `end` only waits for each.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
    for name, pid in running.items():
        # It writes its snapshot first, and does not end while it cannot (a full disk, for example).
        end(pid, name, signal.SIGTERM, say=say, patience=timedelta(seconds=15))
    postmaster = postmaster_pid(home)
    if postmaster is not None:
        say("stopping PostgreSQL")
        # SIGINT is PostgreSQL's fast shutdown: sessions are cut, everything reaches the disk.
        end(postmaster, "PostgreSQL", signal.SIGINT, say=say)
    (home / "postgres" / "postmaster.pid").unlink(missing_ok=True)


def end_postgres(home: Path, *, say: Say) -> None:
    """End a PostgreSQL that does not answer, and the sessions that a killed one left behind."""
    pid = postmaster_pid(home)
    if pid is not None:
        # SIGQUIT: at once, and recover at the next start. A clean stop waits for sessions, and
        # a server that does not answer would not act on it.
        end(pid, "PostgreSQL", signal.SIGQUIT, say=say, patience=timedelta(seconds=10))
    # Sessions outlive a killed server until their statement ends, or for good when they are
    # stopped (SIGSTOP); with one of them left no new server may touch the data.
    for sign, limit in ((signal.SIGQUIT, 2), (signal.SIGKILL, 10)):
        for orphan in _postgres_processes(home):
            with contextlib.suppress(ProcessLookupError):
                os.kill(orphan, sign)
        if within(timedelta(seconds=limit), lambda: not _postgres_processes(home)):
            return


def _postgres_processes(home: Path) -> list[int]:
    """All PostgreSQL processes of `home`: the data folder is their working directory."""
    data = str(home / "postgres")
    found = []
    for pid in all_pids():
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{pid}/cwd") == data:
                program = os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")
                if Path(program).name == "postgres":
                    found.append(pid)
    return found
