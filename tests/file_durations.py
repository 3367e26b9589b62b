"""How long each test file took the last time, for `make quick` to choose by."""

import json
from collections import defaultdict
from pathlib import Path

import pytest

from tools.quick.rooms import DURATIONS


class FileDurations:
    """A pytest plugin: adds the reports up by file, and writes them down when the run ends."""

    def __init__(self, project: Path) -> None:
        self._file = project / DURATIONS
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid.partition("::")[0]] += report.duration

    def pytest_sessionfinish(self) -> None:
        known = json.loads(self._file.read_text()) if self._file.exists() else {}
        known |= {file: round(seconds, 2) for file, seconds in self._seconds.items()}
        self._file.parent.mkdir(exist_ok=True)
        self._file.write_text(json.dumps(known, indent=0, sort_keys=True))
