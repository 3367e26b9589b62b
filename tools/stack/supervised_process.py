"""Keeps one process running: starts it, passes on its output, starts it again when it dies.

honcho prints the output, but its manager ends all processes when one ends and signals whole process
groups, which would end Celery's children in the middle of a step. Here it is the opposite: a
process that died is started again, with growing pauses, and the others go on.
"""

import contextlib
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import IO

from tools.stack.output import LogFile, lines_of
from tools.stack.program import Program

PAUSE_FIRST = 0.5  # seconds until the first restart; doubled with each death in quick succession
PAUSE_MAX = 15.0
STEADY = 30.0  # seconds; a process that ran this long begins again with the first pause


class SupervisedProcess:
    """One program and its current process. All methods may be called from any thread."""

    def __init__(
        self,
        program: Program,
        *,
        environment: Mapping[str, str],
        folder: Path,
        log: Path,
        on_line: Callable[[str, str], None],
        on_event: Callable[[str, str], None] | None = None,
    ) -> None:
        """`on_line(name, line)` gets each line of output, `on_event` (or `on_line`) each event.

        `environment` is that of its next start, `folder` its working directory, `log` the file of
        its output.
        """
        self.program = program
        self.log = log
        self.deaths = 0
        self.environment = dict(environment)  # of its next start
        self._folder = folder
        self._file = LogFile(log)
        self._on_line = on_line
        self._on_event = on_event or on_line
        self._lock = threading.Lock()
        self._unwanted = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None

    @property
    def pid(self) -> int | None:
        """The main process's id, which leads its process group; None while there is none."""
        child = self._child
        return child.pid if child is not None else None

    @property
    def wanted(self) -> bool:
        """Whether it is meant to run: not after it was asked to stop."""
        return not self._unwanted.is_set()

    def start(self) -> None:
        """Start the process and keep it running; does nothing when it is supervised already."""
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return
            self._unwanted.clear()
            self._thread = threading.Thread(
                target=self._supervise, name=f"supervisor-{self.program.name}", daemon=True
            )
            self._thread.start()

    def ask_to_stop(self) -> None:
        """SIGTERM to the main process alone, which stops its children in its own way."""
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
            self.say("did not stop in time and is killed")
            self._signal(signal.SIGKILL, whole_group=True)
            thread.join()

    def kill(self, sign: signal.Signals = signal.SIGKILL, *, whole_group: bool = True) -> None:
        """Send a signal, a fault on purpose; a process that ends of it is started again."""
        self._signal(sign, whole_group=whole_group)

    def _signal(self, sign: signal.Signals, *, whole_group: bool) -> None:
        pid = self.pid
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                (os.killpg if whole_group else os.kill)(pid, sign)

    def say(self, text: str) -> None:
        """Report an event of this process, for the person at the terminal."""
        with contextlib.suppress(Exception):  # an error of the callback must not end this thread
            self._on_event(self.program.name, text)

    def _supervise(self) -> None:
        pause = PAUSE_FIRST
        while not self._unwanted.is_set():
            began = time.monotonic()
            try:
                status = self._run_once()
            except OSError as error:
                self.say(f"cannot be started: {error}")
                status = -1
            lived = time.monotonic() - began
            if self._unwanted.is_set():
                return
            self.deaths += 1
            if lived > STEADY:
                pause = PAUSE_FIRST
            self.say(f"{_how_it_ended(status)} after {lived:.0f} s; starts again in {pause:g} s")
            self._unwanted.wait(pause)
            pause = min(pause * 2, PAUSE_MAX)

    def _run_once(self) -> int:
        if self.program.socket is not None:
            # A killed server leaves its socket's file behind, and the next cannot bind to it.
            self.program.socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.program.socket.unlink(missing_ok=True)
        self._file.touch()
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
            _lower_priority(child.pid, self.program.nice)
        with contextlib.suppress(OSError):
            # A silent process is ended by SIGABRT: no core file, because its memory has secrets.
            resource.prlimit(child.pid, resource.RLIMIT_CORE, (0, 0))
        reader = threading.Thread(target=self._pass_on, args=(child.stdout,), daemon=True)
        reader.start()
        self._child = child
        if self._unwanted.is_set():  # asked to stop between the check and the start
            self._signal(signal.SIGTERM, whole_group=False)
        # Wait without reaping: until then the id cannot become another process's.
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        # A parent that was killed leaves its children behind, which still hold its port, its
        # database connections and its output pipe.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        self._child = None
        status = child.wait()
        reader.join(timeout=5)
        return status

    def _pass_on(self, output: IO[bytes]) -> None:
        """Read the pipe until it is closed, even when a line cannot be written or passed on."""
        for line in lines_of(output.fileno()):
            self._file.write(line)
            with contextlib.suppress(
                Exception
            ):  # an error of the callback must not end this thread
                self._on_line(self.program.name, line)


def _lower_priority(pid: int, nice: int) -> None:
    """Lower the priority of a process and of all that it will start.

    Where Linux groups processes by session (`sched_autogroup_enabled`, the rule on most systems)
    a nice value counts only inside the session: the session itself needs one, or a backlog of mail
    would get as much processor time as the web.
    """
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, nice)
    with contextlib.suppress(OSError):  # a kernel without autogroups
        Path(f"/proc/{pid}/autogroup").write_text(str(nice))


def _how_it_ended(status: int) -> str:
    if status < 0:
        with contextlib.suppress(ValueError):
            return f"was killed by {signal.Signals(-status).name}"
    return f"ended with exit code {status}"
