"""What lives and does not answer, and what dies, comes back without a hand.

One small shop with its own PostgreSQL and Redis, its logs on a disk of their own that can be
filled. The patience is shorter than a real shop's (tools/stack/liveness.py), the rest is real.
"""

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.conf import settings

from tests.library_tables import copy_database
from tests.waiting import until
from tools import embedded
from tools.embedded.postgres_state import postmaster_pid
from tools.stack import Stack, StackError
from tools.stack.liveness import Http, Patience
from tools.stack.program import Program
from tools.stack.services import ServiceWatcher

PATIENCE = Patience(silent=8.0, stopped=1.0, database=2.0)
WEB_THREADS = 48


@pytest.fixture(autouse=True)
def empty_redis() -> None:
    """The shop here has a Redis of its own."""


def mounted(folder: Path, size: str) -> bool:
    """Whether `folder` has a small disk of its own now; that takes rights that not all have."""
    asked = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "none", str(folder)]
    return bool(shutil.which("mount")) and (
        subprocess.run(asked, check=False, capture_output=True).returncode == 0
    )


def unmount(folder: Path) -> None:
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take the last byte of a disk; the file to remove for there to be room again."""
    ballast = folder / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    return ballast


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home whose logs have a disk of 2 MB, or none where mounting is refused."""
    home = tmp_path_factory.mktemp("watched")
    (home / "logs").mkdir()
    small = mounted(home / "logs", "2m")
    yield home
    if small:
        unmount(home / "logs")


@pytest.fixture(scope="module")
def said() -> list[str]:
    return []


@pytest.fixture(scope="module")
def shop(home: Path, library_tables: str, said: list[str]) -> Iterator[Stack]:
    with embedded.serving(home), pytest.MonkeyPatch.context() as patch:
        copy_database(
            embedded.database_url(settings.STOREFRONT_HOME, library_tables),
            embedded.database_url(home),
        )
        patch.setenv("WEB_WORKERS", "1")
        stack = Stack(
            home=home,
            seed=False,
            env={"RATE_LIMITS": "off"},
            processes=["sandbox", "web", "edge", "worker", "beat"],
            watch=PATIENCE,
            on_line=lambda name, line: said.append(f"{name}: {line}"),
        )
        with stack:
            # Without a first sign of life they would have the patience of a start.
            for name in ("worker", "beat"):
                until(lambda name=name: beats(stack, name))
            yield stack


def beats(stack: Stack, name: str) -> bool:
    """Whether a process touched its file after it was made."""
    file = stack.home / "heartbeats" / name
    with contextlib.suppress(StackError, OSError):
        started = Path(f"/proc/{stack.pid(name)}").stat().st_mtime
        return file.stat().st_mtime > started + 0.1
    return False


def answers(stack: Stack, path: str = "/healthz") -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", stack.ports.edge, timeout=1)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_another(stack: Stack, name: str, before: int) -> bool:
    try:
        return stack.pid(name) != before
    except StackError:
        return False


def stacks_in(log: Path) -> int:
    return log.read_text(errors="replace").count("most recent call first")


def supervisor_said(stack: Stack, words: str) -> bool:
    return words in (stack.home / "logs" / "supervisor.log").read_text()


def test_web_process_whose_threads_are_all_stuck_is_restarted(shop: Stack) -> None:
    """Bodies that never come, sent past the edge: Granian has no deadline for them."""
    before, stacks = shop.pid("web"), stacks_in(shop.log("web"))
    head = b"POST /api/v1/checkouts/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n"
    head += b"Content-Type: application/json\r\nIdempotency-Key: a\r\n\r\n{"
    with contextlib.ExitStack() as held:
        for _ in range(WEB_THREADS + 12):
            held.enter_context(connected_to(shop, "web-1")).sendall(head)
        until(lambda: not answers(shop))
        until(lambda: answers(shop))
        assert is_another(shop, "web", before)
    assert supervisor_said(shop, "web-1: runs and does not answer for")
    assert stacks_in(shop.log("web")) >= stacks + WEB_THREADS


def connected_to(stack: Stack, name: str) -> socket.socket:
    """A connection to where the supervisor asks `name`."""
    how = stack.program(name).liveness
    assert isinstance(how, Http)
    if how.socket is None:
        return socket.create_connection(("127.0.0.1", how.port or 0), timeout=5)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(5)
    connection.connect(str(how.socket))
    return connection


def test_frozen_web_process_is_replaced_by_its_parent(shop: Stack) -> None:
    parent = shop.pid("web")
    (frozen,) = children(parent)
    os.kill(frozen, signal.SIGSTOP)
    until(lambda: not answers(shop))
    until(lambda: answers(shop))
    assert shop.pid("web") == parent
    assert children(parent) != [frozen]
    assert supervisor_said(shop, f"web-1: process {frozen} was stopped for")
    assert stacks_in(shop.log("web")) > 0


@pytest.mark.parametrize("name", ["worker", "beat"])
def test_frozen_celery_process_is_restarted(shop: Stack, name: str) -> None:
    before, stacks = shop.pid(name), stacks_in(shop.log(name))
    os.kill(before, signal.SIGSTOP)
    until(lambda: is_another(shop, name, before))
    until(lambda: stacks_in(shop.log(name)) > stacks)
    until(lambda: beats(shop, name))


def test_frozen_child_of_a_worker_is_replaced_and_the_worker_goes_on(shop: Stack) -> None:
    worker = shop.pid("worker")
    frozen = children(worker)[0]
    os.kill(frozen, signal.SIGSTOP)
    until(lambda: frozen not in children(worker))
    assert shop.pid("worker") == worker
    until(lambda: len(children(worker)) == 4)


def test_worker_that_lives_and_whose_loop_stands_is_restarted(shop: Stack) -> None:
    """Not stopped, not dead, only silent: no heartbeat comes any more."""
    quiet = Program(
        name="quiet",
        argv=(sys.executable, "-c", HEART_THAT_STOPS),
        stop_order=1,
        liveness=shop.program("worker").liveness,
    )
    shop.add(quiet)
    shop.start_process("quiet")
    until(lambda: is_another(shop, "quiet", 0))
    before = shop.pid("quiet")
    took = until(lambda: is_another(shop, "quiet", before))
    shop.stop_process("quiet")
    assert took > PATIENCE.silent - 1
    assert "in stand_still" in shop.log("quiet").read_text()


HEART_THAT_STOPS = """
import os, threading, time
def stand_still():
    threading.Event().wait()
for _ in range(4):
    os.utime(os.environ["HEARTBEAT_FILE"])
    time.sleep(0.5)
stand_still()
"""


def test_killed_postgres_is_started_again(shop: Stack) -> None:
    before = postmaster_pid(shop.home)
    assert before is not None
    os.kill(before, signal.SIGKILL)
    until(lambda: postmaster_pid(shop.home) not in (before, None))
    until(lambda: answers(shop, "/readyz"))
    assert supervisor_said(shop, "PostgreSQL has died and is started again")


def test_frozen_postgres_is_restarted(shop: Stack) -> None:
    before = postmaster_pid(shop.home)
    assert before is not None
    os.kill(before, signal.SIGSTOP)
    until(lambda: postmaster_pid(shop.home) not in (before, None))
    until(lambda: answers(shop, "/readyz"))
    assert supervisor_said(shop, "PostgreSQL runs and does not answer")


def test_killed_redis_is_started_again(shop: Stack) -> None:
    before = int((shop.home / "redis" / "pid").read_text())
    os.kill(before, signal.SIGKILL)
    until(lambda: answers(shop, "/readyz") and not Path(f"/proc/{before}").exists())


def test_full_disk_under_the_logs_stops_no_process_and_afterwards_logs_go_on(shop: Stack) -> None:
    if not os.path.ismount(shop.home / "logs"):
        pytest.skip("mounting a small disk was refused")
    ballast = fill(shop.home / "logs")
    noisy = Program(name="noisy", argv=(sys.executable, "-c", NOISY), stop_order=1)
    shop.add(noisy)
    shop.start_process("noisy")  # its log cannot even be made
    until(lambda: (shop.home / "went-on").exists())  # it wrote more than a pipe holds
    for number in range(50):
        assert answers(shop), f"answer {number}"
    ballast.unlink()
    (shop.home / "space").touch()
    until(lambda: shop.log("noisy").exists() and "after" in shop.log("noisy").read_text())
    assert "lines could not be written here]" in shop.log("noisy").read_text()
    shop.stop_process("noisy")
    assert all(shop.pid(name) for name in ("web", "edge", "worker", "beat"))


NOISY = """
import os, pathlib, time
home = pathlib.Path(os.environ["STOREFRONT_HOME"])
for _ in range(3_000): print("x" * 100)
print("through", flush=True)
(home / "went-on").touch()
while not (home / "space").exists(): time.sleep(0.02)
while True:
    print("after", flush=True)
    time.sleep(0.1)
"""


def test_no_process_was_restarted_for_being_busy_or_for_the_fault_of_another(shop: Stack) -> None:
    """After all of the above, a dead, a frozen and a recovering database among it."""
    told = (shop.home / "logs" / "supervisor.log").read_text().splitlines()
    restarted = [line.split()[1].rstrip(":") for line in told if line.endswith("is restarted")]
    assert sorted(restarted) == ["beat", "quiet", "shop", "web-1", "worker"]  # shop: PostgreSQL


def test_postgres_that_fell_over_a_full_disk_is_up_again_when_there_is_room(tmp_path: Path) -> None:
    """Without room for its write-ahead log PostgreSQL panics, and cannot start either."""
    if not mounted(tmp_path, "160m"):
        pytest.skip("mounting a small disk was refused")
    said: list[str] = []
    try:
        with embedded.serving(tmp_path, redis=False):
            with embedded.connect(tmp_path) as connection:
                connection.execute("CREATE TABLE mugs (name text)")
                connection.execute("INSERT INTO mugs VALUES ('blue mug')")
            watcher = ServiceWatcher(
                tmp_path, postgres=True, redis=False, patience=PATIENCE, say=said.append
            )
            watcher.start()
            ballast = fill(tmp_path)
            until(lambda: not writes_much(tmp_path))
            until(lambda: any("tried again until it works" in line for line in said))
            ballast.unlink()
            until(lambda: "PostgreSQL and Redis are back" in said)
            with embedded.connect(tmp_path) as connection:
                assert connection.execute("SELECT name FROM mugs").fetchall() == [("blue mug",)]
            watcher.stop()
    finally:
        unmount(tmp_path)


def writes_much(home: Path) -> bool:
    """Fill segment after segment of the log; False when the server is gone."""
    try:
        with embedded.connect(home) as connection:
            while True:
                connection.execute("UPDATE mugs SET name = name")
                connection.execute("SELECT pg_switch_wal()")
    except psycopg.Error:
        return postmaster_pid(home) is not None
