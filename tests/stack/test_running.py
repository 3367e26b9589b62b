"""The shop as a whole: what stops its start, and what does not stop it."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from django.conf import settings

from storefront import embedded
from storefront.stack import Ports, Stack, StackError
from storefront.stack.programs import Program
from storefront.stack.running import MARK, end_leftovers, running_pid

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
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", 0))
        somebody.listen()
        yield somebody.getsockname()[1]


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


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
    for argv in (["-m", "storefront.stack"], ["manage.py", "check"]):
        done = command(*argv, **{"DEBUG": "1", "STOREFRONT_HOME": str(tmp_path), **env})
        assert done.returncode == 1
        assert line in done.stderr
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("argv", [["-m", "storefront.stack"], ["manage.py", "check"]])
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
        stack.add(Program(name="sleeper", argv=("sleep", "600"), leaves=1))
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
            stack.add(Program(name="sleeper", argv=("sleep", "1"), leaves=1))


def environment_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/environ").read_text().split("\0")
