"""Ends what a test process leaves behind, however it ended.

A run that is stopped does not always come to its own end. pytest-xdist gives its processes some ten
seconds and ends them then, which is too short for a shop with PostgreSQL and four Redis; a process
that is killed has no time at all. Its shops and servers are in sessions of their own and would run
on.

So each test process has a companion, which sleeps on a pipe whose other end only the test process
holds. When that process has ended the kernel closes the pipe, and the companion ends

    1. every process with the run's mark in its environment: shops, sandboxes, browsers
    2. the embedded servers of every home under the run's folders. They write over their
       environment; their working directory tells whose they are

It keeps the test home locked until then, so that no other run takes that home meanwhile. After a
run that came to its own end there is nothing to do.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO
from uuid import uuid4

PROJECT = Path(__file__).resolve().parent.parent
# In the environment of every process that the test process starts from then on.
MARK = "STOREFRONT_TEST_RUN"
SERVERS = ("postgres", "redis-server")


@contextlib.contextmanager
def companion(folders: Collection[Path], *, lock: IO[str]) -> Iterator[None]:
    """A companion of this process for the length of the block, and beyond if that never ends.

    `folders` are those in which this run makes homes; `lock` is the locked file of the test home.
    """
    run = uuid4().hex
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.left_behind", run, *(str(f.resolve()) for f in folders)],
        cwd=PROJECT,
        # Without a mark: a run inside a run must not have its companion ended by the outer one.
        env={name: value for name, value in os.environ.items() if name != MARK},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        pass_fds=[lock.fileno()],
        start_new_session=True,  # Ctrl-C at the terminal does not reach it
    )
    os.environ[MARK] = run
    yield
    process.communicate()


def end_all(run: str, folders: Collection[Path]) -> None:
    """End the processes of `run`, and the embedded servers under `folders`."""
    mark = f"{MARK}={run}"
    if not any(_is_marked(pid, mark.encode()) for pid in _pids()) and not any(_servers(folders)):
        return
    # Here, so that a companion is small while it sleeps and quick when there is nothing to do.
    from tools import embedded
    from tools.stack.leftovers import end_marked, end_processes

    end_marked(mark)
    for home in {home for _, home in _servers(folders)}:
        with contextlib.suppress(embedded.EmbeddedError, OSError):
            embedded.stop(home)
    end_processes([pid for pid, _ in _servers(folders)])


def _pids() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def _is_marked(pid: int, mark: bytes) -> bool:
    try:
        return mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # it has ended, or is another user's
        return False


def _servers(folders: Collection[Path]) -> Iterator[tuple[int, Path]]:
    """(process id, home) of each PostgreSQL and Redis process under `folders`."""
    for pid in _pids():
        with contextlib.suppress(OSError):
            program = Path(_link(pid, "exe")).name
            data = Path(_link(pid, "cwd"))
            if program in SERVERS and any(data.is_relative_to(folder) for folder in folders):
                yield pid, data.parent


def _link(pid: int, name: str) -> str:
    return os.readlink(f"/proc/{pid}/{name}").removesuffix(" (deleted)")


if __name__ == "__main__":
    sys.stdin.buffer.read()  # until the test process has ended
    end_all(sys.argv[1], [Path(folder) for folder in sys.argv[2:]])
