"""Stops PostgreSQL, takes its connections, holds its locks; and reads from it past the proxy."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from tools import embedded
from tools.embedded.postgres_state import postmaster_pid
from tools.faults.controls.processes import wait_until_gone
from tools.faults.environment import DATABASE
from tools.faults.proxy import Proxy


class PostgresControls:
    """The PostgreSQL of `home`, and the proxy between it and the shop."""

    def __init__(self, home: Path, proxy: Proxy) -> None:
        self._home = home
        self._proxy = proxy
        self._connections: list[psycopg.Connection[tuple]] = []

    def ask(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows, straight from PostgreSQL."""
        with embedded.connect(self._home, DATABASE) as connection:
            cursor = connection.execute(query, values)
            return cursor.fetchall() if cursor.description else []

    def kill(self) -> None:
        """Immediate stop: nothing more is written, the next start recovers from the log."""
        pid = postmaster_pid(self._home)
        if pid is None:
            raise RuntimeError("PostgreSQL does not run")
        os.kill(pid, signal.SIGQUIT)
        wait_until_gone(pid)

    def use_up_connections(self) -> int:
        """Take every connection that PostgreSQL gives; how many that were."""
        self._proxy.set("postgres", refusing=True)  # the shop would take some of them first
        with contextlib.suppress(psycopg.OperationalError):
            while len(self._connections) < 500:
                self._connections.append(embedded.connect(self._home, DATABASE))
        self._proxy.heal("postgres")
        return len(self._connections)

    def release_connections(self) -> None:
        while self._connections:
            self._connections.pop().close()

    @contextlib.contextmanager
    def locked(self, statement: str) -> Iterator[None]:
        """Hold the locks that `statement` takes for the length of the block."""
        with (
            embedded.connect(self._home, DATABASE) as connection,
            connection.transaction(force_rollback=True),
        ):
            connection.execute(statement)
            yield
