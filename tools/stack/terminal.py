"""The terminal of `make run`: the lines of all processes, a colour for each, without blocking.

A terminal may be closed, paused with Ctrl-S, or a pipe whose reader sleeps. Lines go through a
bounded queue to a thread of its own; lines that do not fit are dropped and counted.
"""

import io
import sys
import threading
from datetime import datetime
from queue import SimpleQueue
from typing import Any

from honcho.colour import get_colours
from honcho.printer import Message, Printer

from tools.stack.output import silence

SHOP = "shop"
LINES_WAITING_MAX = 2_000


class Terminal:
    """All lines on one screen. `show` may be called from many threads and signal handlers."""

    def __init__(self, width: int, *, output: Any = None) -> None:
        self._output: Any = sys.stdout if output is None else output
        if isinstance(self._output, io.TextIOWrapper):
            self._output.reconfigure(errors="backslashreplace")
        self._printer = Printer(self._output, width=width)
        self._colours = get_colours()
        self._colour_of: dict[str, str | None] = {SHOP: None}
        # A signal handler may interrupt its `put` with another one; that of Queue may not.
        self._waiting: SimpleQueue[tuple[datetime, str, str] | None] = SimpleQueue()
        self.lost = 0
        self._thread = threading.Thread(target=self._print_all, name="terminal", daemon=True)
        self._thread.start()

    def show(self, name: str, line: str) -> None:
        """Print `line` of process `name` soon, or drop it. Never waits, never raises."""
        if not line.strip() and name != SHOP:
            return
        if self._waiting.qsize() >= LINES_WAITING_MAX:
            self.lost += 1
            return
        self._waiting.put((datetime.now().astimezone(), name, line))

    def say(self, text: str) -> None:
        """Print a line of the supervisor itself."""
        self.show(SHOP, text)

    def close(self, *, patience: float = 2.0) -> bool:
        """Print what is queued; False when the screen does not take it in `patience` seconds."""
        self._waiting.put(None)
        self._thread.join(patience)
        return not self._thread.is_alive()

    def _print_all(self) -> None:
        while (item := self._waiting.get()) is not None:
            now, name, line = item
            lost = self.lost
            if lost and self._print(now, SHOP, f"[{lost} lines were not shown here]"):
                self.lost -= lost  # more may have come meanwhile
            if not self._print(now, name, line):
                self.lost += 1
        try:
            self._output.flush()
        except (OSError, ValueError):
            silence(self._output)

    def _print(self, now: datetime, name: str, line: str) -> bool:
        if name not in self._colour_of:
            self._colour_of[name] = next(self._colours)
        colour = self._colour_of[name]
        try:
            self._printer.write(
                Message(type="line", data=line or " ", time=now, name=name, colour=colour)
            )
        except (OSError, ValueError):
            return False
        return True
