"""A test process that is stopped or killed leaves no shop and no server behind."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.left_behind import MARK, PROJECT
from tests.waiting import until
from tools.embedded.processes import runs

# Starts what a test process starts: servers of a home, and a program in a session of its own.
A_TEST_PROCESS = """
import fcntl, subprocess, sys, time
from pathlib import Path
from tests.left_behind import companion
from tools import embedded
from tools.embedded.redis_server import redis_pids

folder = Path(sys.argv[1])
lock = (folder / "lock").open("w")
fcntl.flock(lock, fcntl.LOCK_EX)
with companion([folder], lock=lock), embedded.serving(folder / "home", postgres=False):
    shop = subprocess.Popen(["sleep", "600"], start_new_session=True)
    print(shop.pid, *redis_pids(folder / "home").values(), flush=True)
    time.sleep(600)
"""


@pytest.fixture
def bystander() -> Iterator[int]:
    """A process of another run."""
    with subprocess.Popen(["sleep", "600"], env=os.environ | {MARK: "another"}) as process:
        yield process.pid
        process.kill()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_of_a_killed_test_process_runs_once_its_home_is_free(
    tmp_path: Path, bystander: int, how: signal.Signals
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", A_TEST_PROCESS, str(tmp_path)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        left = [int(pid) for pid in process.stdout.readline().split()]
        try:
            assert len(left) == 5
            until(lambda: all(map(runs, left)), "they have begun")
            process.send_signal(how)
            process.wait(timeout=60)
        finally:
            process.kill()

    until(lambda: is_free(tmp_path / "lock"), "its home can be taken by another run")

    assert not any(map(runs, left))
    assert runs(bystander)


def is_free(lock: Path) -> bool:
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
