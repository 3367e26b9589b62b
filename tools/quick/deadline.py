"""A pytest plugin: tests that would begin after QUICK_DEADLINE (Unix time) are skipped."""

import os
import time

import pytest

DEADLINE = float(os.environ.get("QUICK_DEADLINE", "inf"))
LATE = pytest.StashKey[int]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if time.time() > DEADLINE:
        item.config.stash[LATE] = item.config.stash.get(LATE, 0) + 1
        pytest.skip("the time of make quick is over")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if late := config.stash.get(LATE, 0):
        terminalreporter.write_line(f"left to make test: {late} tests, the time was over")
