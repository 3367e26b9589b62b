"""One running shop: `Stack` starts, watches, breaks on purpose and stops its processes.

A home carries one stack at a time. What an earlier stack of that home left running when it was
killed is ended before the new one starts; a port that somebody else uses is named.
"""

import contextlib
import fcntl
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from storefront import embedded
from storefront.stack.keeper import Keeper
from storefront.stack.programs import PREPARATION_REFUSED, Ports, Program, programs

Hear = Callable[[str, str], None]
# In the environment of every process of a stack: how a successor knows what was left behind.
MARK = "STOREFRONT_STACK"
LAST_LINES = 8
READY_PATIENCE = timedelta(seconds=90)
HOPELESS = 3  # deaths during one wait, after which waiting is pointless


class StackError(RuntimeError):
    """The shop cannot run; the text says why in one line."""


class Stack:
    """The processes of one shop with its own home, ports and (unless given) database and Redis.

    `env` overrides the environment of every process; DATABASE_URL or REDIS_URL, given there or in
    the caller's environment, take the place of the embedded servers. `processes` names the ones to
    run, all by default. `hear(name, line)` gets every line that they say, from any thread.
    """

    def __init__(
        self,
        *,
        home: Path | str,
        ports: Ports | None = None,
        env: Mapping[str, str] | None = None,
        processes: Collection[str] | None = None,
        seed: bool = True,
        hear: Hear = lambda name, line: None,
    ) -> None:
        self.home = Path(home).resolve()
        self.ports = ports or Ports.free()
        self.seed = seed
        self._hear = hear
        own = {
            "STOREFRONT_HOME": str(self.home),
            "PORT": str(self.ports.web),
            "LIVE_PORT": str(self.ports.live),
            "SANDBOX_PORT": str(self.ports.sandbox),
            "DJANGO_SETTINGS_MODULE": "storefront.settings",
            "PYTHONUNBUFFERED": "1",
            # In a container everybody is root; eight lines of Celery's warning say nothing new.
            "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges",
            MARK: str(self.home),
        }
        self.environment: dict[str, str] = {"DEBUG": "1"} | os.environ | dict(env or {}) | own
        table = programs(
            ports=self.ports,
            home=self.home,
            sandbox=not self.environment.get("STRIPE_SECRET_KEY"),
        )
        unknown = set(processes or ()) - {program.name for program in table}
        if unknown:
            raise ValueError(f"no such process: {', '.join(sorted(unknown))}")
        self._keepers = {
            program.name: self._keeper(program)
            for program in table
            if processes is None or program.name in processes
        }
        self._held = contextlib.ExitStack()
        self._stop_lock = threading.Lock()

    # --- Where it is ------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports.web}"

    @property
    def live_url(self) -> str:
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
        return list(self._keepers)

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
        """Services, preparation, processes. Raises StackError; call `stop` then, too."""
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "logs").mkdir(exist_ok=True)
        self._held.enter_context(_only_stack_of(self.home))
        ended = end_leftovers(self.home)
        if ended:
            self._say(f"ended {ended} processes that an earlier run left behind")
        for keeper in self._keepers.values():
            _require_free_port(keeper.program)
        self._held.enter_context(
            embedded.serving(
                self.home,
                postgres=not self.environment.get("DATABASE_URL"),
                redis=not self.environment.get("REDIS_URL"),
                say=self._say,
            )
        )
        if "sandbox" in self._keepers:
            self._keepers["sandbox"].start()  # the webhook endpoint is registered with it
            self._await_all(lambda: self._closed_port("sandbox"), timedelta(seconds=30))
        self._prepare()
        # Shoppers first: all at once they would take each other's processor, and the pages wait.
        for group in (self._with_port(), self.names):
            waiting = [name for name in group if self._keepers[name].pid is None]
            if waiting:
                self._say(f"starting {', '.join(waiting)}")
            for name in waiting:
                self._keepers[name].start()
            self._await_all(self._not_ready, READY_PATIENCE)

    def wait_ready(self, timeout: timedelta = READY_PATIENCE) -> None:
        """Until /readyz answers 200 and every port is open; StackError says what is not."""
        self._await_all(self._not_ready, timeout)

    def stop(self) -> None:
        """Stop all, in the order of the table; PostgreSQL and Redis last. Safe to repeat."""
        with self._stop_lock:
            keepers = sorted(self._keepers.values(), key=lambda keeper: keeper.program.leaves)
            for _, turn in groupby(keepers, key=lambda keeper: keeper.program.leaves):
                leaving = list(turn)
                for keeper in leaving:
                    keeper.ask_to_stop()
                for keeper in leaving:
                    keeper.stop()
            self._held.close()

    # --- One process ------------------------------------------------------------------------------

    def pid(self, name: str) -> int:
        """The main process's id; it leads its process group."""
        pid = self._keepers[name].pid
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
        """Send a signal to all processes of `name` at once. Who dies of it is started again."""
        self._keepers[name].kill(sign, whole_group=whole_group)

    def stop_process(self, name: str, *, patience: timedelta | None = None) -> None:
        """Stop `name` and leave it stopped, as when a machine is switched off."""
        self._keepers[name].stop(patience=patience)

    def start_process(self, name: str) -> None:
        self._keepers[name].start()

    def restart(self, name: str) -> None:
        """Stop `name` properly, as a deploy does, and start it again."""
        self.stop_process(name)
        self.start_process(name)

    def add(self, program: Program) -> None:
        """One more process beside those of the table; it waits for `start_process`."""
        if program.name in self._keepers:
            raise ValueError(f"there is a process {program.name} already")
        self._keepers[program.name] = self._keeper(program)

    def change_environment(self, name: str, **changes: str | None) -> None:
        """What `name` finds in its environment from its next start on; None takes away."""
        environment = self._keepers[name].environment
        for variable, value in changes.items():
            environment.pop(variable, None)
            if value is not None:
                environment[variable] = value

    def log(self, name: str) -> Path:
        """The file with all that `name` ever said."""
        return self._keepers[name].log

    def last_lines(self, name: str, count: int = LAST_LINES) -> list[str]:
        with contextlib.suppress(OSError), self.log(name).open(errors="replace") as file:
            return [line.rstrip() for line in deque(file, maxlen=count)]
        return []

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
        self._hear("shop", text)

    def _keeper(self, program: Program) -> Keeper:
        return Keeper(
            program,
            environment=self.environment,
            folder=embedded.PROJECT,
            log=self.home / "logs" / f"{program.name}.log",
            hear=self._hear,
        )

    def _prepare(self) -> None:
        argv = [sys.executable, "-m", "storefront.stack.preparation"]
        process = subprocess.Popen(
            [*argv, "--seed"] if self.seed else argv,
            cwd=embedded.PROJECT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        path = self.home / "logs" / "prepare.log"
        last = ""
        with path.open("w") as log, process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    log.write(line)
                    last = line.strip() or last
                    self._hear("prepare", line.rstrip())
            except BaseException:
                process.kill()  # interrupted: the next start goes on where this one stood
                raise
        if process.returncode != 0:
            why = last or "the database could not be prepared"
            raise StackError(
                why if process.returncode == PREPARATION_REFUSED else f"{why} (all of it in {path})"
            )

    def _await_all(self, trouble: Callable[[], str], timeout: timedelta) -> None:
        """Wait until `trouble` is empty, but not for a process that dies again and again."""
        deadline = time.monotonic() + timeout.total_seconds()
        earlier = {name: keeper.deaths for name, keeper in self._keepers.items()}
        while waiting_for := trouble():
            for name, keeper in self._keepers.items():
                if keeper.deaths - earlier[name] >= HOPELESS:
                    why = _gist(self.last_lines(name))
                    raise StackError(f"{name} does not stay up: {why} (log: {keeper.log})")
            if time.monotonic() > deadline:
                raise StackError(f"not ready after {timeout.seconds} s: {waiting_for}")
            time.sleep(0.1)

    def _with_port(self) -> list[str]:
        return [name for name, keeper in self._keepers.items() if keeper.program.port is not None]

    def _not_ready(self) -> str:
        closed = next(filter(None, map(self._closed_port, self._keepers)), "")
        return closed or (self._web_trouble() if "web" in self._keepers else "")

    def _closed_port(self, name: str) -> str:
        program = self._keepers[name].program
        if program.port is None or _accepts(program.port):
            return ""
        return f"{name} does not listen on port {program.port}"

    def _web_trouble(self) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.ports.web, timeout=5)
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            body = answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            return f"web: {error}"
        finally:
            connection.close()
        if answer.status == 200:
            return ""
        told = body[:300] if answer.status == 503 else _gist(self.last_lines("web"))
        return f"/readyz answers {answer.status}: {told}"


@contextlib.contextmanager
def _only_stack_of(home: Path) -> Iterator[None]:
    """Hold the home; the file names the holder's process for `make stop`."""
    with (home / "stack.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(
                f"this shop runs already (pid {_holder(file)}, home {home}): "
                "`make stop` ends it, another STOREFRONT_HOME and PORT start a second one"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def _holder(file: IO[str]) -> str:
    file.seek(0)
    return file.read().strip() or "unknown"


def running_pid(home: Path) -> int | None:
    """The process id of the stack that holds `home`, or None."""
    try:
        with (home / "stack.lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except BlockingIOError:
        with (home / "stack.lock").open() as file:
            holder = _holder(file)
        return int(holder) if holder.isdigit() else None
    return None


def end_leftovers(home: Path) -> int:
    """Kill what an earlier stack of `home` left running; how many that were.

    Call it only while holding the home: it tells leftovers by the mark in their environment.
    """
    mark = f"{MARK}={home}".encode()
    found = [pid for pid in _all_pids() if pid != os.getpid() and mark in _environment(pid)]
    for pid in found:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while any(mark in _environment(pid) for pid in found) and time.monotonic() < deadline:
        time.sleep(0.02)
    return len(found)


def _all_pids() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def _environment(pid: int) -> list[bytes]:
    """What process `pid` was started with; empty when it has ended or is someone else's."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _gist(lines: list[str]) -> str:
    """The last thing said, of a traceback the error itself; what Granian adds in [] is no help."""
    said = [line.strip() for line in lines if line.strip()]
    telling = [line for line in said if not line.startswith("[")]
    return (telling or said or ["it said nothing"])[-1]


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _require_free_port(program: Program) -> None:
    if program.port is None:
        return
    with socket.socket() as probe:
        # As the servers do it: yesterday's closed connections do not count as a taken port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", program.port))
        except OSError as error:
            raise StackError(
                f"{program.port_name}: port {program.port} for {program.name} cannot be had "
                f"({(error.strerror or str(error)).lower()}); "
                f"choose another with {program.port_name}=…"
            ) from None
