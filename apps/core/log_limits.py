"""Limits the number and the length of log lines, because strangers can provoke some of them.

A path of 60 KB, a forged Host, a webhook without a signature: each writes a line, and strangers can
send as many as they like. Two filters, before and after the one that redacts:

    "filters": ["frequency", "redact", "length"]

There is no list of the lines that a stranger can provoke: it would be incomplete with the next one.
Every place in the code that logs has the same allowance in each process, which normal operation
does not use up.
"""

import logging
import threading
import time
from dataclasses import dataclass

LINES_PER_WINDOW = 30  # of one place in the code, in one process
WINDOW_SECONDS = 60.0
PLACES_MAX = 2_000
MESSAGE_CHARACTERS_MAX = 2_000
TRACEBACK_CHARACTERS_MAX = 16_000


@dataclass
class _Window:
    began: float
    written: int = 0
    left_out: int = 0


class FrequencyFilter(logging.Filter):
    """Lets LINES_PER_WINDOW lines of one place through in each window, and counts the others.

    A place is a logger call; of errors with a traceback, the line that raised as well, so that a
    new fault is not hidden behind a frequent one. The next line of that place that is written
    says how many were left out.
    """

    def __init__(self) -> None:
        super().__init__()
        self._windows: dict[tuple[object, ...], _Window] = {}
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        now = time.monotonic()
        place = _place(record)
        with self._lock:
            window = self._windows.get(place)
            if window is None:
                if len(self._windows) >= PLACES_MAX:
                    self._windows.clear()
                window = self._windows[place] = _Window(began=now)
            left_out = 0
            if now - window.began >= WINDOW_SECONDS:
                left_out = window.left_out
                window = self._windows[place] = _Window(began=now)
            if window.written >= LINES_PER_WINDOW:
                window.left_out += 1
                return False
            window.written += 1
            last = window.written == LINES_PER_WINDOW
        if left_out:
            _add(record, f"[{left_out} more like this were left out before it]")
        elif last:
            _add(record, f"[more like this are left out for up to {WINDOW_SECONDS:.0f} s]")
        return True


def _place(record: logging.LogRecord) -> tuple[object, ...]:
    place: tuple[object, ...] = (record.name, record.levelno, record.pathname, record.lineno)
    if isinstance(record.exc_info, tuple) and record.exc_info[2] is not None:
        traceback = record.exc_info[2]
        while traceback.tb_next is not None:
            traceback = traceback.tb_next
        code = traceback.tb_frame.f_code
        place += (record.exc_info[0], code.co_filename, traceback.tb_lineno)
    return place


def _add(record: logging.LogRecord, note: str) -> None:
    try:
        message = record.getMessage()
    except (TypeError, ValueError, KeyError):
        message = f"{record.msg} {record.args!r}"  # as in redaction.py
    # In front: a long message is cut at its end.
    record.msg, record.args = f"{note} {message}", ()


class LengthFilter(logging.Filter):
    """Cuts a record's finished message and its traceback. Comes last, after the one that redacts:
    half a card number would not be recognised."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = cut(str(record.msg), MESSAGE_CHARACTERS_MAX)
        if record.exc_text:
            record.exc_text = cut(record.exc_text, TRACEBACK_CHARACTERS_MAX)
        if record.stack_info:
            record.stack_info = cut(record.stack_info, TRACEBACK_CHARACTERS_MAX)
        return True


def cut(text: str, limit: int) -> str:
    """`text`, of which the middle is left out when it is longer than `limit` characters."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]} [… {len(text) - 2 * half} characters …] {text[-half:]}"
