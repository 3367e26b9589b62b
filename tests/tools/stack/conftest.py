"""Single processes, supervised as the stack supervises its own."""

import os
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tools.stack.program import Program
from tools.stack.supervised_process import SupervisedProcess


@pytest.fixture
def said() -> list[str]:
    """The output of the supervised processes."""
    return []


@pytest.fixture
def keep(tmp_path: Path, said: list[str]) -> Iterator[Callable[..., SupervisedProcess]]:
    """Starts a program "kettle" from Python code and supervises it until the test ends.

    Its lines go to tmp_path/kettle.log and to `on_line(name, line)`, by default to `said`.
    """
    kept: list[SupervisedProcess] = []

    def start(
        code: str,
        nice: int = 0,
        on_line: Callable[[str, str], None] = lambda name, line: said.append(line),
    ) -> SupervisedProcess:
        process = SupervisedProcess(
            Program(name="kettle", argv=(sys.executable, "-c", code), stop_order=1, nice=nice),
            environment=os.environ,
            folder=tmp_path,
            log=tmp_path / "kettle.log",
            on_line=on_line,
        )
        kept.append(process)
        process.start()
        return process

    yield start
    for process in kept:
        process.stop(patience=timedelta())
