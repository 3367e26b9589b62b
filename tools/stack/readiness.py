"""Waits until the processes of a stack listen and the shop answers that it is ready."""

import http.client
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path

from tools.stack.errors import StackError
from tools.stack.output import last_lines
from tools.stack.ports import accepts
from tools.stack.supervised_process import SupervisedProcess

DEATHS_MAX = 3  # deaths of one process during one wait, after which waiting is pointless

Processes = Mapping[str, SupervisedProcess]


def wait_until_clear(trouble: Callable[[], str], processes: Processes, timeout: timedelta) -> None:
    """Wait until `trouble()` is empty.

    Raises StackError after `timeout`, and earlier for a process that dies again and again.
    """
    deadline = time.monotonic() + timeout.total_seconds()
    earlier = {name: process.deaths for name, process in processes.items()}
    while waiting_for := trouble():
        for name, process in processes.items():
            if process.deaths - earlier[name] >= DEATHS_MAX:
                why = error_line(last_lines(process.log))
                raise StackError(f"{name} does not stay up: {why} (log: {process.log})")
        if time.monotonic() > deadline:
            raise StackError(f"not ready after {timeout.seconds} s: {waiting_for}")
        time.sleep(0.1)


def not_listening(process: SupervisedProcess) -> str:
    """Says that `process` does not listen yet; "" when it does, or never listens."""
    program = process.program
    address = program.socket if program.port is None else program.port
    if address is None or accepts(address):
        return ""
    return f"{program.name} does not listen at {address}"


def not_ready(processes: Processes, *, host: str) -> str:
    """Says what is not ready: a process that does not listen, or /readyz; "" when all is."""
    return next(filter(None, map(not_listening, processes.values())), "") or _readyz(
        processes.values(), host=host
    )


def _readyz(processes: Iterable[SupervisedProcess], *, host: str) -> str:
    """What /readyz of a web process reports, asked at its own socket: the edge may speak TLS."""
    web = next((process for process in processes if process.program.group == "web"), None)
    if web is None or web.program.socket is None:
        return ""
    try:
        status, body = _get(web.program.socket, "/readyz", host=host)
    except (OSError, http.client.HTTPException) as error:
        return f"{web.program.name}: {error}"
    if status == 200:
        return ""
    why = body[:300] if status == 503 else error_line(last_lines(web.log))
    return f"/readyz answers {status}: {why}"


def _get(address: Path, path: str, *, host: str) -> tuple[int, str]:
    """Status and body of a GET at a unix socket."""
    connection = http.client.HTTPConnection(host, timeout=5)
    connection.sock = socket.socket(socket.AF_UNIX)
    try:
        connection.sock.settimeout(5)
        connection.sock.connect(str(address))
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        connection.close()


def error_line(lines: list[str]) -> str:
    """The last line, of a traceback the error itself; Granian's lines in [] do not help."""
    filled = [line.strip() for line in lines if line.strip()]
    useful = [line for line in filled if not line.startswith("[")]
    return (useful or filled or ["no output"])[-1]
