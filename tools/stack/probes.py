"""Asks processes whether they are alive: by an HTTP request, or by a file that they touch."""

import contextlib
import os
import socket
from pathlib import Path
from typing import Protocol

from tools.stack.liveness import Http

ASK_EVERY = 5.0  # seconds between an answer and the next HTTP request


class Probe(Protocol):
    """Asks one process whether it is alive, without ever waiting for it."""

    def answered(self, now: float) -> bool:
        """Whether a sign of life came since the last call; `now` is a monotonic second."""

    def reset(self) -> None:
        """The process was replaced: drop the request to the old one."""


class HttpProbe:
    """One request at a time; it stays open until it is answered or the connection ends."""

    def __init__(self, how: Http, *, host: str) -> None:
        self._how = how
        head = f"GET {how.path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        self._request = head.encode("ascii")
        self._open: socket.socket | None = None
        self._unsent = b""
        self._next_at = 0.0

    def answered(self, now: float) -> bool:
        if self._open is None and (now < self._next_at or not self._ask()):
            return False
        assert self._open is not None
        try:
            if self._unsent:
                self._unsent = self._unsent[self._open.send(self._unsent) :]
            answer = self._open.recv(64)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            answer = b""
        self.reset()
        if answer.startswith(b"HTTP/"):
            self._next_at = now + ASK_EVERY
            return True
        return False  # refused or cut off: asked again at the next check

    def reset(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None
        self._next_at = 0.0

    def _ask(self) -> bool:
        family = socket.AF_UNIX if self._how.socket is not None else socket.AF_INET
        connection = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        address = str(self._how.socket) if self._how.socket else ("127.0.0.1", self._how.port)
        try:
            connection.connect(address)
        except BlockingIOError as error:
            # EINPROGRESS over TCP; EAGAIN is a unix socket whose queue is full.
            if family == socket.AF_UNIX or error.errno is None:
                connection.close()
                return False
        except OSError:
            connection.close()
            return False
        self._open, self._unsent = connection, self._request
        return True


class HeartbeatProbe:
    """Whether the file was touched again since the last call, by any clock."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: int | None = None

    def answered(self, now: float) -> bool:
        try:
            touched = os.stat(self._file).st_mtime_ns
        except OSError:
            # It could not be made (a full disk): nothing can be said about the process.
            self._seen = None
            prepare_heartbeat(self._file)
            return True
        if self._seen is None:
            self._seen = touched  # of an earlier process, or made just now
            return False
        changed, self._seen = touched != self._seen, touched
        return changed

    def reset(self) -> None:
        self._seen = None


def prepare_heartbeat(file: Path) -> None:
    """Make the file before the process needs it: touching it later needs no space on a disk."""
    with contextlib.suppress(OSError):
        file.parent.mkdir(mode=0o700, exist_ok=True)
        file.touch(mode=0o600)
