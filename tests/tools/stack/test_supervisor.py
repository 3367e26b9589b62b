"""The shop as a whole: what stops its start, and what does not stop it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from django.conf import settings

from tests.waiting import until
from tools import embedded
from tools.stack import Ports, Stack, StackError
from tools.stack.home_lock import running_pid
from tools.stack.leftovers import MARK, end_leftovers
from tools.stack.program import Program

ON_A_DEVELOPERS_MACHINE = {"DEBUG": "1", "DJANGO_SETTINGS_MODULE": "storefront.settings"}


@pytest.fixture(scope="module")
def prepared_database(library_tables: str) -> Iterator[str]:
    """The URL of a database that has dj-stripe's tables already."""
    home = settings.STOREFRONT_HOME
    embedded.drop_database(home, "stacks")
    embedded.ensure_database(home, "stacks", template=library_tables)
    yield embedded.database_url(home, "stacks")
    embedded.drop_database(home, "stacks")


@pytest.fixture
def small_stack(tmp_path: Path, prepared_database: str) -> Iterator[Callable[..., Stack]]:
    """Makes stacks of one process each, which are stopped at the end of the test."""
    made: list[Stack] = []

    def make(*, home: Path = tmp_path, ports: Ports | None = None, **env: str) -> Stack:
        stack = Stack(
            home=home,
            ports=ports,
            env={"DATABASE_URL": prepared_database, **env},
            processes=["sandbox"],
            seed=False,
        )
        made.append(stack)
        return stack

    yield make
    for stack in made:
        stack.stop()


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def came_back(stack: Stack, name: str, before: int) -> bool:
    try:
        return stack.pid(name) != before
    except StackError:
        return False


def marked(home: Path) -> list[int]:
    """Processes that carry the mark of `home`'s stack."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{entry}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if f"{MARK}={home}".encode() in words:
            found.append(int(entry))
    return found


def command(*argv: str, **env: str) -> "subprocess.CompletedProcess[str]":
    clean = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, *argv],
        cwd=settings.BASE_DIR,
        env=clean | env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_taken_port_is_named_with_the_variable_that_moves_it(
    small_stack, taken_port: int
) -> None:
    stack = small_stack(ports=replace(Ports.free(), sandbox=taken_port))
    with pytest.raises(StackError, match=f"SANDBOX_PORT: port {taken_port} for sandbox cannot"):
        stack.start()
    assert marked(stack.home) == []


def test_one_home_carries_one_stack(small_stack) -> None:
    first, second = small_stack(), small_stack()
    first.start()
    with pytest.raises(StackError, match=rf"this shop runs already \(pid {os.getpid()}"):
        second.start()
    assert running_pid(first.home) == os.getpid()
    first.stop()
    assert running_pid(first.home) is None


def test_two_stacks_run_side_by_side(small_stack, tmp_path: Path) -> None:
    with small_stack(home=tmp_path / "a") as here, small_stack(home=tmp_path / "b") as there:
        assert here.pid("sandbox") != there.pid("sandbox")
        assert here.redis_url != there.redis_url
        for stack in (here, there):
            socket.create_connection(("127.0.0.1", stack.ports.sandbox), timeout=2).close()


def test_stopping_leaves_no_process_behind(small_stack) -> None:
    stack = small_stack()
    with stack:
        assert marked(stack.home) != []
    assert marked(stack.home) == []
    stack.stop()  # again: nothing to do


def test_what_a_killed_run_left_behind_is_ended(small_stack) -> None:
    stack = small_stack()
    orphan = subprocess.Popen(["sleep", "600"], env=os.environ | {MARK: str(stack.home)})
    stranger = subprocess.Popen(["sleep", "600"], env=os.environ | {MARK: f"{stack.home}-2"})
    try:
        assert end_leftovers(stack.home) == 1
        assert orphan.wait(timeout=5) == -signal.SIGKILL
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


# A process with much memory: it gives that up first, and its environment with it.
SLOW_TO_GO = """
import socket, sys
memory = bytearray(b"x") * 500_000_000
with socket.socket() as listener:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(sys.argv[1])))
    listener.listen()
    print("here", flush=True)
    listener.accept()
"""


def test_what_a_killed_run_left_behind_has_let_go_of_its_port(tmp_path: Path) -> None:
    port = Ports.free().edge
    with subprocess.Popen(
        [sys.executable, "-c", SLOW_TO_GO, str(port)],
        env=os.environ | {MARK: str(tmp_path)},
        stdout=subprocess.PIPE,
    ) as leftover:
        assert leftover.stdout is not None
        leftover.stdout.readline()
        assert end_leftovers(tmp_path) == 1
        with socket.socket() as successor:
            successor.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            successor.bind(("127.0.0.1", port))


STACK_OF_ITS_OWN = """
import signal, sys
from tools.stack import Ports, Stack
home, database, *ports = sys.argv[1:]
edge, live, sandbox = map(int, ports)
stack = Stack(
    home=home, ports=Ports(edge=edge, live=live, sandbox=sandbox), seed=False,
    env={"DATABASE_URL": database}, processes=["sandbox", "live"],
)
try:
    stack.start()
except Exception as error:
    print(error, flush=True)
    sys.exit(1)
print("open", flush=True)
signal.pause()
"""


def test_start_after_a_killed_supervisor_works_at_the_first_try_each_time(
    tmp_path: Path, prepared_database: str
) -> None:
    ports = Ports.free()
    numbers = [str(port) for port in (ports.edge, ports.live, ports.sandbox)]
    argv = [sys.executable, "-c", STACK_OF_ITS_OWN, str(tmp_path), prepared_database, *numbers]
    told = []
    with contextlib.ExitStack() as visitors:
        for _ in range(6):
            with subprocess.Popen(argv, cwd=settings.BASE_DIR, stdout=subprocess.PIPE) as stack:
                assert stack.stdout is not None
                told.append(stack.stdout.readline().decode().strip())
                if told[-1] == "open":
                    for _ in range(50):  # who is connected when it is killed
                        visitors.enter_context(
                            socket.create_connection(("127.0.0.1", ports.live), timeout=5)
                        )
                stack.kill()
    end_leftovers(tmp_path)
    embedded.stop(tmp_path)
    assert told == ["open"] * 6


def test_a_killed_process_comes_back_on_its_port(small_stack) -> None:
    with small_stack() as stack:
        before = stack.pid("sandbox")
        stack.kill("sandbox")
        until(lambda: came_back(stack, "sandbox", before))
        stack.wait_ready()


def test_a_stopped_process_stays_away_until_it_is_started(small_stack) -> None:
    with small_stack() as stack:
        stack.stop_process("sandbox")
        with pytest.raises(StackError, match="sandbox does not run"):
            stack.pid("sandbox")
        stack.start_process("sandbox")
        stack.wait_ready()


def test_a_process_that_does_not_stay_up_is_named_with_its_last_words(small_stack) -> None:
    stack = small_stack(SANDBOX_WEBHOOK_RETRY_MS="soon")
    with pytest.raises(StackError, match="sandbox does not stay up: SANDBOX_WEBHOOK_RETRY_MS must"):
        stack.start()


def test_a_malformed_setting_stops_the_start_with_one_line(small_stack) -> None:
    stack = small_stack(INVENTORY_STRATEGY="guess")
    with pytest.raises(StackError, match=r"^INVENTORY_STRATEGY: expected one of [^\n]*$"):
        stack.start()


def test_a_process_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such process: wroker"):
        Stack(home=tmp_path, processes=["wroker"])


@pytest.mark.parametrize(
    ("env", "line"),
    [
        ({"PORT": "eighty"}, "PORT: expected a port from 1 to 65535, got 'eighty'"),
        ({"SANDBOX_LATENCY_MS": "-3"}, "SANDBOX_LATENCY_MS: expected a whole number, got '-3'"),
        ({"DATABASE_URL": "mysql://shop"}, "DATABASE_URL: expected a postgresql:// URL"),
        ({"STRIPE_SECRET_KEY": "sk_test_x"}, "STRIPE_SECRET_KEY: expected a Stripe secret key"),
    ],
)
def test_make_run_and_manage_py_name_a_malformed_variable(
    env: dict[str, str], line: str, tmp_path: Path
) -> None:
    for argv in (["-m", "tools.stack"], ["manage.py", "check"]):
        done = command(*argv, **{"DEBUG": "1", "STOREFRONT_HOME": str(tmp_path), **env})
        assert done.returncode == 1
        assert line in done.stderr
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("argv", [["-m", "tools.stack"], ["manage.py", "check"]])
def test_without_debug_and_without_keys_nothing_starts(argv: list[str], tmp_path: Path) -> None:
    done = command(*argv, DEBUG="0", STOREFRONT_HOME=str(tmp_path))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "SECRET_KEY: set at least 50 random characters" in done.stderr


def test_a_command_without_servers_starts_them_for_its_own_time(tmp_path: Path) -> None:
    """An operator types `manage.py audit` while the shop is closed."""
    shown = command(
        *("manage.py", "shell", "--no-imports", "-v", "0", "-c"),
        "from django.db import connection as c; c.ensure_connection(); print(c.vendor)",
        STOREFRONT_HOME=str(tmp_path),
        **ON_A_DEVELOPERS_MACHINE,
    )
    assert (shown.stdout, shown.returncode) == ("postgresql\n", 0), shown.stderr
    assert not (tmp_path / "postgres" / "postmaster.pid").exists()


@pytest.mark.journey
def test_the_whole_shop_survives_the_death_of_each_process(live_stack: Stack) -> None:
    for name in live_stack.names:
        before = live_stack.pid(name)
        live_stack.kill(name)
        until(partial(came_back, live_stack, name, before))
    live_stack.wait_ready()
    with urllib.request.urlopen(f"{live_stack.url}/healthz", timeout=5) as answer:
        assert answer.status == 200


def test_a_process_can_be_added_and_finds_a_changed_environment_at_its_next_start(
    small_stack,
) -> None:
    with small_stack() as stack:
        stack.add(Program(name="sleeper", argv=("sleep", "600"), stop_order=1))
        with pytest.raises(StackError, match="sleeper does not run"):
            stack.pid("sleeper")
        stack.change_environment("sleeper", TEA="green")
        stack.start_process("sleeper")
        until(lambda: came_back(stack, "sleeper", 0))
        assert "TEA=green" in environment_of(stack.pid("sleeper"))
        stack.change_environment("sleeper", TEA=None)
        stack.restart("sleeper")
        until(lambda: came_back(stack, "sleeper", 0))
        assert "TEA=green" not in environment_of(stack.pid("sleeper"))
        with pytest.raises(ValueError, match="there is a process sleeper already"):
            stack.add(Program(name="sleeper", argv=("sleep", "1"), stop_order=1))


def environment_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/environ").read_text().split("\0")
