"""Whether the embedded PostgreSQL of a home runs and answers."""

import contextlib
import socket
from pathlib import Path

from tools.embedded.paths import POSTGRES_SOCKET, socket_folder
from tools.embedded.processes import all_pids, command_line

ANSWER_PATIENCE = 3.0  # seconds
# "Is TLS supported?", the shortest request of PostgreSQL's protocol (SSLRequest): eight bytes,
# answered with one byte by a fresh process, also while it recovers or has too many clients.
SSL_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")


def postgres_answers(home: Path | str) -> bool:
    """Whether PostgreSQL answers at all: "recovering" and "too many clients" are answers too.

    Not by libpq's PQping, which holds Python's lock while it waits for a silent server.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ANSWER_PATIENCE)
        try:
            connection.connect(str(socket_folder(home) / POSTGRES_SOCKET))
            connection.sendall(SSL_REQUEST)
            return connection.recv(1) != b""
        except OSError:
            return False


def postgres_runs(home: Path | str) -> bool:
    """Whether a PostgreSQL server process of `home` exists, answering or not."""
    return postmaster_pid(Path(home).resolve()) is not None


def postmaster_pid(home: Path) -> int | None:
    """The running PostgreSQL of `home`, found by its pid file or, without one, by its command."""
    data = home / "postgres"
    with contextlib.suppress(OSError, ValueError, IndexError):
        pid = int((data / "postmaster.pid").read_text().split()[0])
        if _is_postmaster(pid, data):
            return pid
    return next((pid for pid in all_pids() if _is_postmaster(pid, data)), None)


def _is_postmaster(pid: int, data: Path) -> bool:
    program, _, arguments = command_line(pid).strip().partition(" ")
    return program.endswith("/postgres") and arguments.endswith(f"-D {data}")
