"""One running shop: `Stack` starts, watches, breaks on purpose and stops its processes.

A home carries one stack at a time. What an earlier stack of that home left running when it was
killed is ended before the new one starts; a port that another program uses is named.
"""

import contextlib
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Self

from tools import embedded
from tools.stack.database import prepare_database
from tools.stack.environment import host_name, stack_environment
from tools.stack.errors import StackError
from tools.stack.home_lock import only_stack_of
from tools.stack.leftovers import end_leftovers
from tools.stack.limits import raise_open_files_limit
from tools.stack.liveness import Heartbeat, Http, Patience
from tools.stack.output import LAST_LINES, LogFile, last_lines
from tools.stack.ports import Ports, require_free_port
from tools.stack.probes import HeartbeatProbe, HttpProbe, Probe, prepare_heartbeat
from tools.stack.process_table import programs
from tools.stack.program import Program
from tools.stack.readiness import not_listening, not_ready, wait_until_clear
from tools.stack.services import ServiceWatcher
from tools.stack.supervised_process import SupervisedProcess
from tools.stack.watchdog import Watchdog

OnLine = Callable[[str, str], None]
READY_PATIENCE = timedelta(seconds=90)
# A port may be held a moment longer by a process that is ending: the kernel closes sockets last.
PORT_PATIENCE = timedelta(seconds=2)
PORT_PATIENCE_AFTER_LEFTOVERS = timedelta(seconds=15)


class Stack:
    """The processes of one shop with its own home, ports and (unless given) database and Redis.

    `env` overrides the environment of every process; DATABASE_URL or REDIS_URL, given there or in
    the caller's environment, take the place of the embedded servers. `processes` names the ones to
    run, or groups of them; all by default. `on_line(name, line)` gets every line of their output,
    from any thread. `watch` is how long a process may be silent before it is restarted; None for
    callers that freeze processes on purpose: then only processes that died are started again, and
    the embedded servers are not.
    """

    def __init__(
        self,
        *,
        home: Path | str,
        ports: Ports | None = None,
        env: Mapping[str, str] | None = None,
        processes: Collection[str] | None = None,
        seed: bool = True,
        on_line: OnLine = lambda name, line: None,
        watch: Patience | None = Patience(),  # noqa: B008 (frozen)
    ) -> None:
        self.home = Path(home).resolve()
        self.ports = ports or Ports.free()
        self.seed = seed
        self._on_line = on_line
        self._patience = watch
        self._file = LogFile(self.home / "logs" / "supervisor.log")
        self.environment = stack_environment(self.home, self.ports, env or {})
        table = programs(
            ports=self.ports,
            home=self.home,
            sandbox=not self.environment.get("STRIPE_SECRET_KEY"),
            web_workers=int(self.environment.get("WEB_WORKERS") or 3),
        )
        unknown = set(processes or ()) - {
            name for program in table for name in (program.name, program.group)
        }
        if unknown:
            raise ValueError(f"no such process: {', '.join(sorted(unknown))}")
        self._processes = {
            program.name: self._supervise(program)
            for program in table
            if processes is None or {program.name, program.group} & set(processes)
        }
        self._held = contextlib.ExitStack()
        self._probes: dict[str, Probe] = {}
        for program in table:
            self._add_probe(program)
        self._stop_lock = threading.Lock()

    # --- Where it is ------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The shop's one origin: pages, API, websockets."""
        return f"http://127.0.0.1:{self.ports.edge}"

    @property
    def live_url(self) -> str:
        """The live process itself, for clients that do not come through the edge."""
        return f"ws://127.0.0.1:{self.ports.live}"

    @property
    def sandbox_url(self) -> str:
        return f"http://127.0.0.1:{self.ports.sandbox}"

    @property
    def database_url(self) -> str:
        return self.environment.get("DATABASE_URL") or embedded.database_url(self.home)

    @property
    def redis_url(self) -> str:
        return self.environment.get("REDIS_URL") or embedded.redis_url(self.home)

    @property
    def names(self) -> list[str]:
        return list(self._processes)

    # --- Life -------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        try:
            self.start()
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start servers, database and processes. Raises StackError; call `stop` then as well."""
        raise_open_files_limit()
        # Before the log of this stack is opened: an older home is renamed with all that is in it.
        notes: list[str] = []
        embedded.prepare_home(self.home, say=notes.append)
        for note in notes:
            self._say(note)
        self._held.enter_context(only_stack_of(self.home))
        ended = end_leftovers(self.home)
        if ended:
            self._say(f"ended {ended} processes that an earlier run left behind")
        patience = PORT_PATIENCE_AFTER_LEFTOVERS if ended else PORT_PATIENCE
        for process in self._processes.values():
            require_free_port(process.program, patience)
        self._held.enter_context(
            embedded.serving(
                self.home,
                postgres=not self.environment.get("DATABASE_URL"),
                redis=not self.environment.get("REDIS_URL"),
                say=self._say,
            )
        )
        self._watch()
        if "sandbox" in self._processes:
            self._processes["sandbox"].start()  # the webhook endpoint is registered with it
            self._wait(partial(not_listening, self._processes["sandbox"]), timedelta(seconds=30))
        prepare_database(
            self.environment,
            seed=self.seed,
            log=self.home / "logs" / "prepare.log",
            on_line=self._on_line,
        )
        # Servers first: all at once would compete for the processor, and the pages would wait.
        for group in (self._listening(), self.names):
            waiting = [name for name in group if self._processes[name].pid is None]
            if waiting:
                self._say(f"starting {', '.join(waiting)}")
            for name in waiting:
                self._processes[name].start()
            self._wait(self._not_ready, READY_PATIENCE)

    def wait_ready(self, timeout: timedelta = READY_PATIENCE) -> None:
        """Until /readyz answers 200 and every port is open; StackError says what is not."""
        self._wait(self._not_ready, timeout)

    def stop(self) -> None:
        """Stop all, by their `stop_order`; PostgreSQL and Redis last. Safe to repeat."""
        with self._stop_lock:
            processes = sorted(
                self._processes.values(), key=lambda process: process.program.stop_order
            )
            for _, group in groupby(processes, key=lambda process: process.program.stop_order):
                stopping = list(group)
                for process in stopping:
                    process.ask_to_stop()
                for process in stopping:
                    process.stop()
            self._held.close()

    # --- One process ------------------------------------------------------------------------------

    def _named(self, name: str) -> list[SupervisedProcess]:
        """The process `name`, or all processes of the group `name`. Raises KeyError."""
        found = [
            process
            for process in self._processes.values()
            if name in (process.program.name, process.program.group)
        ]
        if not found:
            raise KeyError(name)
        return found

    def pid(self, name: str) -> int:
        """The main process's id; it leads its process group. Of a group the first one's."""
        pid = self._named(name)[0].pid
        if pid is None:
            raise StackError(f"{name} does not run")
        return pid

    def kill(
        self,
        name: str,
        sign: signal.Signals = signal.SIGKILL,
        *,
        whole_group: bool = True,
    ) -> None:
        """Send a signal to all processes of `name` at once. Those that end are started again."""
        for process in self._named(name):
            process.kill(sign, whole_group=whole_group)

    def stop_process(self, name: str, *, patience: timedelta | None = None) -> None:
        """Stop `name` and leave it stopped, as when a machine is switched off."""
        processes = self._named(name)
        for process in processes:
            process.ask_to_stop()
        for process in processes:
            process.stop(patience=patience)

    def start_process(self, name: str) -> None:
        for process in self._named(name):
            process.start()

    def restart(self, name: str) -> None:
        """Stop `name` properly, as a deploy does, and start it again; of a group one by one."""
        processes = self._named(name)
        for process in processes:
            process.stop()
            process.start()
            if len(processes) > 1:
                # The next one stops when this one takes requests again: no request is refused.
                self._wait(partial(not_listening, process), READY_PATIENCE)

    def add(self, program: Program) -> None:
        """Add a process to those of the table; it is started by `start_process`."""
        if program.name in self._processes:
            raise ValueError(f"there is a process {program.name} already")
        if isinstance(program.liveness, Heartbeat):
            prepare_heartbeat(self._heartbeat_file(program))
        self._add_probe(program)
        self._processes[program.name] = self._supervise(program)

    def program(self, name: str) -> Program:
        """What `name` runs, and how it is asked."""
        return self._processes[name].program

    def change_environment(self, name: str, **changes: str | None) -> None:
        """Change the environment of `name` from its next start on; None removes a variable."""
        for process in self._named(name):
            for variable, value in changes.items():
                process.environment.pop(variable, None)
                if value is not None:
                    process.environment[variable] = value

    def log(self, name: str) -> Path:
        """The file with all output of `name`. Of a group the first one's."""
        return self._named(name)[0].log

    def last_lines(self, name: str, count: int = LAST_LINES) -> list[str]:
        """The last `count` lines of output of `name`."""
        return last_lines(self.log(name), count)

    def manage(self, *arguments: str, timeout: float = 120) -> "subprocess.CompletedProcess[str]":
        """`manage.py` with the stack's environment, e.g. `stack.manage("audit", "--json")`."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=embedded.PROJECT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    # --- Inside -----------------------------------------------------------------------------------

    def _say(self, text: str) -> None:
        self._report("shop", text)

    def _report(self, name: str, text: str) -> None:
        """An event of process `name`: for the caller and into the supervisor's own log."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._file.write(f"{now} {name}: {text}")
        self._on_line(name, text)

    def _supervise(self, program: Program) -> SupervisedProcess:
        environment = dict(self.environment)
        if isinstance(program.liveness, Heartbeat):
            environment["HEARTBEAT_FILE"] = str(self._heartbeat_file(program))
        return SupervisedProcess(
            program,
            environment=environment,
            folder=embedded.PROJECT,
            log=self.home / "logs" / f"{program.name}.log",
            on_line=self._on_line,
            on_event=self._report,
        )

    # --- Looking after them -----------------------------------------------------------------------

    def _heartbeat_file(self, program: Program) -> Path:
        return self.home / "heartbeats" / program.name

    def _add_probe(self, program: Program) -> None:
        match program.liveness:
            case Http() as how:
                self._probes[program.name] = HttpProbe(how, host=host_name(self.environment))
            case Heartbeat():
                self._probes[program.name] = HeartbeatProbe(self._heartbeat_file(program))

    def _watch(self) -> None:
        if self._patience is None:
            return
        for name, probe in self._probes.items():
            if isinstance(probe, HeartbeatProbe) and name in self._processes:
                prepare_heartbeat(self._heartbeat_file(self._processes[name].program))
        watchdog = Watchdog(self._processes, self._probes, patience=self._patience)
        services = ServiceWatcher(
            self.home,
            postgres=not self.environment.get("DATABASE_URL"),
            redis=not self.environment.get("REDIS_URL"),
            patience=self._patience,
            say=self._say,
        )
        for each in (watchdog, services):
            each.start()
            self._held.callback(each.stop)  # before the servers stop

    def _wait(self, trouble: Callable[[], str], timeout: timedelta) -> None:
        wait_until_clear(trouble, self._processes, timeout)

    def _not_ready(self) -> str:
        return not_ready(self._processes, host=host_name(self.environment))

    def _listening(self) -> list[str]:
        """The processes that clients, or the edge, connect to."""
        return [
            name
            for name, process in self._processes.items()
            if process.program.port is not None or process.program.socket is not None
        ]
