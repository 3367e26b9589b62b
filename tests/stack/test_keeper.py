"""One kept process: it comes back when it dies, and it leaves when it is asked to."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from storefront.stack.keeper import Keeper
from storefront.stack.programs import Program

FOREVER = "import time\nprint('here', flush=True)\ntime.sleep(600)"
STUBBORN = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + FOREVER
WITH_CHILD = "import subprocess, sys\nsubprocess.Popen(['sleep', '600'])\n" + FOREVER
POLITE = (
    "import signal, sys, subprocess\n"
    "child = subprocess.Popen(['sleep', '600'])\n"
    "def leave(*_):\n"
    "    print('child was', child.poll(), flush=True)\n"
    "    child.kill()\n"
    "    sys.exit(0)\n"
    "signal.signal(signal.SIGTERM, leave)\n"
) + FOREVER


@pytest.fixture(autouse=True)
def empty_redis() -> None:
    """No Redis is needed to keep a process."""


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def keep(tmp_path: Path, said: list[str]) -> Iterator[Callable[..., Keeper]]:
    kept: list[Keeper] = []

    def start(code: str, nice: int = 0) -> Keeper:
        keeper = Keeper(
            Program(name="kettle", argv=(sys.executable, "-c", code), leaves=1, nice=nice),
            environment=os.environ,
            folder=tmp_path,
            log=tmp_path / "kettle.log",
            hear=lambda name, line: said.append(line),
        )
        kept.append(keeper)
        keeper.start()
        return keeper

    yield start
    for keeper in kept:
        keeper.stop(patience=timedelta())


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except OSError:
        return False


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_killed_process_comes_back_and_its_death_is_named(keep, said: list[str]) -> None:
    keeper = keep(FOREVER)
    until(lambda: said == ["here"])
    first = keeper.pid
    keeper.kill()
    until(lambda: said.count("here") == 2)
    assert keeper.pid != first
    assert any("was killed by SIGKILL" in line and "starts again" in line for line in said)


def test_who_dies_at_once_is_tried_again_at_growing_intervals(keep, said: list[str]) -> None:
    keeper = keep("raise SystemExit(3)")
    until(lambda: keeper.deaths == 3)
    pauses = [line.rsplit(" ", 2)[1] for line in said if "ended with exit code 3" in line]
    assert pauses == ["0.5", "1", "2"]


def test_a_killed_parents_children_go_with_it(keep, said: list[str]) -> None:
    keeper = keep(WITH_CHILD)
    until(lambda: said == ["here"])
    (child,) = children(keeper.pid)
    os.kill(keeper.pid, signal.SIGKILL)  # the parent alone, as an out-of-memory killer does
    until(lambda: not running(child))
    until(lambda: said.count("here") == 2)


def test_asked_to_stop_the_parent_alone_is_signalled(keep, said: list[str]) -> None:
    keeper = keep(POLITE)
    until(lambda: said == ["here"])
    keeper.stop()
    assert said == ["here", "child was None"]
    assert keeper.pid is None
    assert keeper.deaths == 0


def test_who_does_not_leave_is_killed_after_its_patience(keep, said: list[str]) -> None:
    keeper = keep(STUBBORN)
    until(lambda: said == ["here"])
    pid = keeper.pid
    keeper.stop(patience=timedelta(seconds=0.3))
    assert not running(pid)
    assert said[-1] == "did not stop in time and is killed"


def test_a_stopped_process_stays_stopped_until_it_is_started(keep, said: list[str]) -> None:
    keeper = keep(FOREVER)
    until(lambda: said == ["here"])
    keeper.stop()
    assert keeper.pid is None
    keeper.start()
    until(lambda: said.count("here") == 2)


def test_all_that_it_says_is_in_its_log(keep, said: list[str]) -> None:
    keeper = keep("print('steam', flush=True)\n" + FOREVER)
    until(lambda: "here" in said)
    assert keeper.log.read_text() == "steam\nhere\n"


def test_who_is_to_give_way_gives_way_with_its_whole_session(keep, said: list[str]) -> None:
    keeper = keep(FOREVER, nice=7)
    until(lambda: said == ["here"])
    assert os.getpriority(os.PRIO_PROCESS, keeper.pid) == 7
    grouping = Path(f"/proc/{keeper.pid}/autogroup")
    if grouping.exists():  # "/autogroup-123 nice 7"
        assert grouping.read_text().split()[1:] == ["nice", "7"]
