"""TCP ports of a stack: chosen, checked to be free, and asked whether a server listens."""

import contextlib
import socket
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tools.stack.errors import StackError
from tools.stack.program import Program


@dataclass(frozen=True, kw_only=True)
class Ports:
    """TCP ports of one stack."""

    edge: int = 8000
    live: int = 8001
    sandbox: int = 8002

    @classmethod
    def free(cls) -> "Ports":
        """Three ports that are free at the moment."""
        with contextlib.ExitStack() as stack:
            sockets = [stack.enter_context(socket.socket()) for _ in range(3)]
            for each in sockets:
                each.bind(("127.0.0.1", 0))
            edge, live, sandbox = (each.getsockname()[1] for each in sockets)
        return cls(edge=edge, live=live, sandbox=sandbox)


def accepts(address: int | Path) -> bool:
    """Whether a server listens at this port of the loopback interface, or at this unix socket."""
    kind = socket.AF_INET if isinstance(address, int) else socket.AF_UNIX
    with socket.socket(kind) as probe:
        probe.settimeout(1)
        try:
            probe.connect(("127.0.0.1", address) if isinstance(address, int) else str(address))
        except OSError:
            return False
    return True


def require_free_port(program: Program, patience: timedelta) -> None:
    """Raise StackError when the port of `program` is still taken after `patience`."""
    if program.port is None:
        return
    deadline = time.monotonic() + patience.total_seconds()
    while (trouble := _port_trouble(program.port)) is not None:
        if time.monotonic() > deadline:
            raise StackError(
                f"{program.port_name}: port {program.port} for {program.name} cannot be used "
                f"({(trouble.strerror or str(trouble)).lower()}); "
                f"choose another with {program.port_name}=…"
            )
        time.sleep(0.05)


def _port_trouble(port: int) -> OSError | None:
    with socket.socket() as probe:
        # As the servers do: closed connections of an earlier run do not make a port taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error
    return None
