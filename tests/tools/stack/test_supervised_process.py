"""One kept process: it comes back when it dies, and it leaves when it is asked to."""

import os
import signal
from datetime import timedelta
from pathlib import Path

import pytest

from tests.waiting import until

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
    """No Redis is needed to supervise a process."""


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except OSError:
        return False


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_killed_process_comes_back_and_its_death_is_named(keep, said: list[str]) -> None:
    process = keep(FOREVER)
    until(lambda: said == ["here"])
    first = process.pid
    process.kill()
    until(lambda: said.count("here") == 2)
    assert process.pid != first
    assert any("was killed by SIGKILL" in line and "starts again" in line for line in said)


def test_who_dies_at_once_is_tried_again_at_growing_intervals(keep, said: list[str]) -> None:
    process = keep("raise SystemExit(3)")
    until(lambda: process.deaths == 3)
    pauses = [line.rsplit(" ", 2)[1] for line in said if "ended with exit code 3" in line]
    assert pauses == ["0.5", "1", "2"]


def test_a_killed_parents_children_go_with_it(keep, said: list[str]) -> None:
    process = keep(WITH_CHILD)
    until(lambda: said == ["here"])
    (child,) = children(process.pid)
    os.kill(process.pid, signal.SIGKILL)  # the parent alone, as an out-of-memory killer does
    until(lambda: not running(child))
    until(lambda: said.count("here") == 2)


def test_asked_to_stop_the_parent_alone_is_signalled(keep, said: list[str]) -> None:
    process = keep(POLITE)
    until(lambda: said == ["here"])
    process.stop()
    assert said == ["here", "child was None"]
    assert process.pid is None
    assert process.deaths == 0


def test_who_does_not_leave_is_killed_after_its_patience(keep, said: list[str]) -> None:
    process = keep(STUBBORN)
    until(lambda: said == ["here"])
    pid = process.pid
    process.stop(patience=timedelta(seconds=0.3))
    assert not running(pid)
    assert said[-1] == "did not stop in time and is killed"


def test_a_stopped_process_stays_stopped_until_it_is_started(keep, said: list[str]) -> None:
    process = keep(FOREVER)
    until(lambda: said == ["here"])
    process.stop()
    assert process.pid is None
    process.start()
    until(lambda: said.count("here") == 2)


def test_all_that_it_says_is_in_its_log(keep, said: list[str]) -> None:
    process = keep("print('steam', flush=True)\n" + FOREVER)
    until(lambda: "here" in said)
    assert process.log.read_text() == "steam\nhere\n"


def test_who_is_to_give_way_gives_way_with_its_whole_session(keep, said: list[str]) -> None:
    process = keep(FOREVER, nice=7)
    until(lambda: said == ["here"])
    assert os.getpriority(os.PRIO_PROCESS, process.pid) == 7
    grouping = Path(f"/proc/{process.pid}/autogroup")
    if grouping.exists():  # "/autogroup-123 nice 7"
        assert grouping.read_text().split()[1:] == ["nice", "7"]
