"""The output of the processes: read in bounded pieces, kept in files of bounded size.

A pipe that is not read blocks the process that writes to it, so the thread that reads must survive
a full disk, a closed terminal, bytes that are not text, and a line that never ends. Lines that
cannot be written are dropped and counted, and the count is written as soon as writing works again.
"""

import contextlib
import io
import logging
import os
import re
import shutil
import sys
from collections import deque
from collections.abc import Iterator
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO, TextIO

LINE_BYTES_MAX = 8_192  # more of one line is cut
LOG_BYTES_MAX = 5_000_000
LOG_BACKUPS = 3  # kept beside the newest: four files of LOG_BYTES_MAX for each process
PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700
LAST_LINES = 8
CUT = " …"
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")


def lines_of(source: int, *, limit: int = LINE_BYTES_MAX) -> Iterator[str]:
    """The lines that come out of file descriptor `source`, each cut at `limit` bytes.

    At most `limit` bytes and one read are held in memory, however long a line gets. Ends when the
    other side has closed.
    """
    held, cutting = b"", False
    while True:
        try:
            piece = os.read(source, 65_536)
        except OSError:
            piece = b""
        if not piece:
            break
        *whole, rest = piece.split(b"\n")
        for end in whole:
            if not cutting:
                yield _text(held + end, limit)
            held, cutting = b"", False
        if not cutting:
            held += rest
            if len(held) > limit:
                yield _text(held, limit)
                held, cutting = b"", True
    if held:
        yield _text(held, limit)


def _text(line: bytes, limit: int) -> str:
    text = line[:limit].decode(errors="replace").rstrip()
    # A client's text in a log must not move the cursor or rename the terminal of its reader.
    text = CONTROL.sub(lambda found: f"\\x{ord(found.group()):02x}", text)
    return text + CUT if len(line) > limit else text


class LogFile(RotatingFileHandler):
    """A log of whole lines: private from its first byte, bounded in size, never raising."""

    def __init__(self, path: Path, *, limit: int = LOG_BYTES_MAX, backups: int = LOG_BACKUPS):
        super().__init__(path, maxBytes=limit, backupCount=backups, encoding="utf-8", delay=True)
        self.path = path
        self._lost = 0
        self._failed = False

    def write(self, line: str) -> None:
        """Append `line`. Never raises; safe from any thread."""
        with self._guard():
            if self._lost and not self._put(f"[{self._lost} lines could not be written here]"):
                self._lost += 1
                return
            self._lost = 0
            if not self._put(line):
                self._lost += 1

    def touch(self) -> None:
        """Make the file, so that it can be followed before there is a line in it."""
        with contextlib.suppress(OSError):
            os.close(open_private(self.path))

    def _guard(self) -> contextlib.AbstractContextManager[object]:
        assert self.lock is not None
        return self.lock

    def _put(self, line: str) -> bool:
        self._failed = False
        self.emit(logging.makeLogRecord({"msg": line}))
        return not self._failed

    def handleError(self, record: logging.LogRecord) -> None:
        """Called by `emit` when a line could not be written."""
        self._failed = True
        stream: IO[str] | None = self.stream
        self.stream = None  # type: ignore[assignment]
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.close()

    def _open(self) -> io.TextIOWrapper:
        # Without a buffer: what a full disk refuses must not be written later, in pieces.
        raw = io.FileIO(open_private(self.baseFilename), "a")
        return io.TextIOWrapper(raw, encoding="utf-8", errors="replace", write_through=True)  # type: ignore[arg-type]


def open_private(path: Path | str) -> int:
    """A file descriptor that appends to `path`, which only its owner may read, from the start."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, PRIVATE_FILE)
    with contextlib.suppress(OSError):
        if os.fstat(descriptor).st_mode & 0o077:  # a log of an earlier release
            os.fchmod(descriptor, PRIVATE_FILE)
    return descriptor


def private_folder(path: Path) -> None:
    """Make folder `path`, or close to other users one that an earlier release left open."""
    path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    if path.stat().st_mode & 0o077:
        path.chmod(PRIVATE_FOLDER)


def rotate_in_place(path: Path, *, limit: int = LOG_BYTES_MAX, backups: int = LOG_BACKUPS) -> bool:
    """Rotate a log that another process holds open (PostgreSQL's, Redis's); whether it was due.

    Its writer appends and does not notice: the contents are copied and the file is emptied. Lines
    written in between are lost. When there is no space for the copy the contents are dropped,
    because a log that grows without a limit is worse.
    """
    try:
        if path.stat().st_size < limit:
            return False
        names = [path.with_name(f"{path.name}.{number}") for number in range(1, backups + 1)]
        names[-1].unlink(missing_ok=True)
        for older, newer in zip(reversed(names), reversed(names[:-1]), strict=False):
            if newer.exists():
                newer.replace(older)
        try:
            with path.open("rb") as source, open(open_private(names[0]), "ab") as target:
                shutil.copyfileobj(source, target)
        except OSError:
            names[0].unlink(missing_ok=True)
        os.truncate(path, 0)
    except OSError:
        return False
    return True


def silence(stream: TextIO | IO[str] = sys.stdout) -> None:
    """Redirect `stream` to nothing: Python's flush at the exit would fail on a closed terminal."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def last_lines(path: Path, count: int = LAST_LINES) -> list[str]:
    """The last `count` lines of a log; none when there is no log yet."""
    with contextlib.suppress(OSError), path.open(errors="replace") as file:
        return [line.rstrip() for line in deque(file, maxlen=count)]
    return []
