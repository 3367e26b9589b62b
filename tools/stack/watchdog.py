"""Checks whether the processes answer, and restarts those that do not: one thread for a stack.

Every second, for each process that is meant to run:

1. Is one of its processes stopped (SIGSTOP) for longer than `Patience.stopped`? A child of it is
   ended alone, because its parent replaces it; a main process is restarted with all its children.
2. Is it silent for longer than `Patience.silent` (`Patience.starting` before its first answer)? It
   is restarted.

A process that is restarted first writes the stacks of its threads into its log (SIGABRT, which
Python's faulthandler handles even when all threads are stuck), and is killed after that.

When this thread itself did not run (a suspended machine), it cannot know whether a process was
silent: all observations begin anew.
"""

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tools.stack.liveness import Patience
from tools.stack.probes import Probe
from tools.stack.process_states import abort, processes_by_session
from tools.stack.supervised_process import SupervisedProcess

CHECK_EVERY = 1.0  # seconds
HELD_UP = 5.0  # seconds between two checks, after which earlier observations are dropped


@dataclass
class _Seen:
    """What was observed of one process."""

    pid: int | None = None
    since: float = 0.0  # its first check
    answered: float | None = None  # its last sign of life
    stopped: dict[int, float] = field(default_factory=dict)  # its stopped processes, since when


class Watchdog:
    """Watches `processes`, by name; `probes` has those that can be asked."""

    def __init__(
        self,
        processes: Mapping[str, SupervisedProcess],
        probes: Mapping[str, Probe],
        *,
        patience: Patience,
    ) -> None:
        self._processes = processes
        self._probes = probes
        self._patience = patience
        self._seen: dict[str, _Seen] = {}
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """No process is restarted from here on."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        checked = time.monotonic()
        while not self._closing.wait(CHECK_EVERY):
            now = time.monotonic()
            if now - checked > HELD_UP:
                self._seen.clear()
            sessions = processes_by_session()
            for name, process in list(self._processes.items()):
                self._check(name, process, sessions, now)
            checked = time.monotonic()

    def _check(
        self,
        name: str,
        process: SupervisedProcess,
        sessions: Mapping[int, Mapping[int, str]],
        now: float,
    ) -> None:
        probe = self._probes.get(name)
        pid = process.pid
        seen = self._seen.setdefault(name, _Seen())
        if seen.pid != pid or not process.wanted:
            seen = self._seen[name] = _Seen(pid=pid, since=now)
            if probe is not None:
                probe.reset()
        if pid is None or not process.wanted:
            return
        members = sessions.get(pid, {})
        stopped = {
            each: seen.stopped.get(each, now) for each, state in members.items() if state == "T"
        }
        seen.stopped = stopped
        long = [each for each, since in stopped.items() if now - since >= self._patience.stopped]
        if pid in long:
            process.say(f"was stopped (SIGSTOP) for {now - stopped[pid]:.0f} s and is restarted")
            restart(process, pid, members)
            return
        for each in long:
            process.say(f"process {each} was stopped for {now - stopped[each]:.0f} s and is ended")
            abort([each])
            seen.stopped.pop(each, None)
            # Its successor loads everything anew before it can answer.
            seen.since, seen.answered = now, None
            if probe is not None:
                probe.reset()
        if probe is None or stopped:
            return
        if probe.answered(now):
            seen.answered = now
            return
        limit = self._patience.starting if seen.answered is None else self._patience.silent
        silent = now - (seen.since if seen.answered is None else seen.answered)
        if silent >= limit:
            process.say(f"runs and does not answer for {silent:.0f} s: it is restarted")
            restart(process, pid, members)


def restart(process: SupervisedProcess, main: int, members: Iterable[int]) -> None:
    """Let all of them write their stacks, then kill them; the supervisor starts them again.

    The children first: when the main process ends, its whole group is killed.
    """
    abort([pid for pid in members if pid != main])
    abort([main])
    if process.pid == main:
        process.kill()
