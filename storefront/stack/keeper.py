"""Keeps one process alive: starts it, passes on what it says, starts it again when it dies.

honcho prints for us, but its manager ends all processes when one ends and signals whole process
groups, which would cut Celery's children in the middle of a step. A shop wants the opposite: the
one that died comes back, with growing pauses, and everybody else goes on selling.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import IO

from storefront.stack.programs import Program

PAUSE_FIRST = 0.5  # seconds until the first restart; doubled with each death in quick succession
PAUSE_MAX = 15.0
STEADY = 30.0  # seconds; whoever lived this long begins again with the first pause


class Keeper:
    """One program and its current process. All methods may be called from any thread."""

    def __init__(
        self,
        program: Program,
        *,
        environment: Mapping[str, str],
        folder: Path,
        log: Path,
        hear: Callable[[str, str], None],
    ) -> None:
        """`hear(name, line)` gets each line that the process or its keeper says."""
        self.program = program
        self.log = log
        self.deaths = 0
        self.environment = dict(environment)  # of its next start
        self._folder = folder
        self._hear = hear
        self._lock = threading.Lock()
        self._unwanted = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None

    @property
    def pid(self) -> int | None:
        """The main process's id, which leads its process group; None while there is none."""
        child = self._child
        return child.pid if child is not None else None

    def start(self) -> None:
        """Start the process and keep it; nothing to do when it is kept already."""
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return
            self._unwanted.clear()
            self._thread = threading.Thread(
                target=self._keep, name=f"keeper-{self.program.name}", daemon=True
            )
            self._thread.start()

    def ask_to_stop(self) -> None:
        """SIGTERM to the main process alone: it knows best how to send its children home."""
        self._unwanted.set()
        self._signal(signal.SIGTERM, whole_group=False)

    def stop(self, *, patience: timedelta | None = None) -> None:
        """Stop for good: ask, wait, and in the end kill the whole group."""
        self.ask_to_stop()
        thread = self._thread
        if thread is None:
            return
        thread.join((self.program.patience if patience is None else patience).total_seconds())
        if thread.is_alive():
            self._say("did not stop in time and is killed")
            self._signal(signal.SIGKILL, whole_group=True)
            thread.join()

    def kill(self, sign: signal.Signals = signal.SIGKILL, *, whole_group: bool = True) -> None:
        """A fault on purpose; the keeper notices and starts the process again."""
        self._signal(sign, whole_group=whole_group)

    def _signal(self, sign: signal.Signals, *, whole_group: bool) -> None:
        pid = self.pid
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                (os.killpg if whole_group else os.kill)(pid, sign)

    def _say(self, text: str) -> None:
        self._hear(self.program.name, text)

    def _keep(self) -> None:
        pause = PAUSE_FIRST
        while not self._unwanted.is_set():
            began = time.monotonic()
            try:
                status = self._run_once()
            except OSError as error:
                self._say(f"cannot be started: {error}")
                status = -1
            lived = time.monotonic() - began
            if self._unwanted.is_set():
                return
            self.deaths += 1
            if lived > STEADY:
                pause = PAUSE_FIRST
            self._say(f"{_how_it_ended(status)} after {lived:.0f} s; starts again in {pause:g} s")
            self._unwanted.wait(pause)
            pause = min(pause * 2, PAUSE_MAX)

    def _run_once(self) -> int:
        with self.log.open("ab", buffering=0) as log:
            child = subprocess.Popen(
                self.program.argv,
                cwd=self._folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                # A session of its own: Ctrl-C at the terminal reaches only the supervisor, which
                # stops all in the right order.
                start_new_session=True,
            )
            assert child.stdout is not None
            if self.program.nice:
                _stand_back(child.pid, self.program.nice)
            reader = threading.Thread(target=self._pass_on, args=(child.stdout, log), daemon=True)
            reader.start()
            self._child = child
            if self._unwanted.is_set():  # asked to stop between the check and the start
                self._signal(signal.SIGTERM, whole_group=False)
            # Look without reaping: until then the id cannot become someone else's.
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
            # A parent that was killed leaves its children behind, with its port, its database
            # connections and its output pipe in their hands.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            self._child = None
            status = child.wait()
            reader.join(timeout=5)
            return status

    def _pass_on(self, output: IO[bytes], log: IO[bytes]) -> None:
        with contextlib.suppress(ValueError, OSError):  # the log is closed when a pipe lingers
            for line in output:
                log.write(line)
                self._hear(self.program.name, line.decode(errors="replace").rstrip())


def _stand_back(pid: int, nice: int) -> None:
    """Let a process, and all that it will start, give way to others.

    Where Linux groups processes by session (`sched_autogroup_enabled`, the rule on most systems)
    a nice value counts only inside the session: the session itself has to stand back, or a
    backlog of mail would get as much of the processor as the shoppers.
    """
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, nice)
    with contextlib.suppress(OSError):  # a kernel that does not group
        Path(f"/proc/{pid}/autogroup").write_text(str(nice))


def _how_it_ended(status: int) -> str:
    if status < 0:
        with contextlib.suppress(ValueError):
            return f"was killed by {signal.Signals(-status).name}"
    return f"ended with exit code {status}"
