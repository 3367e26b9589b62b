"""Load from wrk, and what came of it.

wrk is a closed loop: each connection sends its next request when the answer is there. Its latencies
are therefore those of `connections` shoppers who all press at once, again and again.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Self

LUA = Path(__file__).parent / "lua"
PROJECT = LUA.parent.parent


class NoWrk(RuntimeError):
    """wrk is not installed (`apt-get install wrk`; `make bench` does it)."""


@dataclass(frozen=True, slots=True)
class Load:
    """One run of wrk. Latencies in milliseconds."""

    requests: int
    seconds: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    statuses: Mapping[str, int] = field(default_factory=dict)
    connect_errors: int = 0
    read_errors: int = 0
    timeouts: int = 0

    def per_second(self, status: int | None = None) -> float:
        """Answers a second: all, or those of one status."""
        count = self.requests if status is None else self.statuses.get(str(status), 0)
        return count / self.seconds if self.seconds else 0.0

    def others(self, *expected: int) -> dict[str, int]:
        """Answers of a status that nobody expected, and failures of the connection."""
        names = {str(status) for status in expected}
        found = {name: count for name, count in self.statuses.items() if name not in names}
        trouble = {
            "connect": self.connect_errors,
            "read": self.read_errors,
            "timeout": self.timeouts,
        }
        return found | {name: count for name, count in trouble.items() if count}

    def require(self, expected: int, what: str) -> None:
        """Raises when anything but `expected` was answered, or nothing: that is not measured."""
        if others := self.others(expected):
            raise AssertionError(f"{what}: answers that nobody expected: {others}")
        if not self.per_second(expected):
            raise AssertionError(f"{what}: not one answer")

    @classmethod
    def from_output(cls, output: str) -> Self:
        lines = [line for line in output.splitlines() if line.startswith("RESULT ")]
        if not lines:
            raise ValueError(f"wrk did not say how it went: {output[-500:]}")
        return cls(**json.loads(lines[-1].removeprefix("RESULT ")))


class Running:
    """wrk at work; `result` waits for its end."""

    def __init__(self, process: "subprocess.Popen[str]", patience: float) -> None:
        self._process = process
        self._patience = patience

    def result(self) -> Load:
        output, _ = self._process.communicate(timeout=self._patience)
        if self._process.returncode != 0:
            raise RuntimeError(f"wrk failed: {output[-500:]}")
        return Load.from_output(output)


def version() -> str:
    """Of the wrk that would be run; raises NoWrk."""
    said = subprocess.run([_program(), "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"\d+\.\d+\.\d+", said.stdout + said.stderr)
    return found[0] if found else "of unknown version"


def _program() -> str:
    found = shutil.which("wrk")
    if found is None:
        raise NoWrk("wrk is not installed: apt-get install wrk")
    return found


def start(
    script: str, url: str, *, connections: int, seconds: float, threads: int = 1, **given: Any
) -> Running:
    """Let wrk run `script` (a file of lua/) against `url`; `given` are the script's arguments."""
    process = subprocess.Popen(
        [
            *(_program(), "--latency", "--timeout", "20s", "--threads", str(threads)),
            *("--connections", str(connections), "--duration", f"{max(1, round(seconds))}s"),
            *("--script", str(LUA / f"{script}.lua"), url, "--"),
            *(f"{name}={value}" for name, value in given.items()),
        ],
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return Running(process, seconds + 60)


def run(script: str, url: str, **given: Any) -> Load:
    """`start`, and wait for the result."""
    return start(script, url, **given).result()


def middle(loads: list[Load], rate: Any) -> Load:
    """Of repeated runs the one whose rate is the median: all its figures belong together."""
    wanted = median(map(rate, loads))
    return min(loads, key=lambda load: abs(rate(load) - wanted))
