"""Load from wrk, and its results.

wrk is a closed loop: each connection sends its next request when it has the answer. Its latencies
are therefore those of `connections` shoppers who send requests one after the other.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Self

LUA = Path(__file__).parent / "lua"
PROJECT = Path(__file__).resolve().parents[2]


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
    # Of what takes several requests (lua/phone.lua), in milliseconds.
    durations: Sequence[float] = ()

    def per_second(self, status: int | None = None) -> float:
        """Answers a second: all, or those of one status."""
        count = self.requests if status is None else self.statuses.get(str(status), 0)
        return count / self.seconds if self.seconds else 0.0

    def others(self, *expected: int) -> dict[str, int]:
        """Answers of other statuses than `expected`, and errors of the connection."""
        names = {str(status) for status in expected}
        found = {name: count for name, count in self.statuses.items() if name not in names}
        trouble = {
            "connect": self.connect_errors,
            "read": self.read_errors,
            "timeout": self.timeouts,
        }
        return found | {name: count for name, count in trouble.items() if count}

    def require(self, expected: int, what: str) -> None:
        """Raise AssertionError when anything but `expected` was answered, or nothing."""
        if others := self.others(expected):
            raise AssertionError(f"{what}: unexpected answers: {others}")
        if not self.per_second(expected):
            raise AssertionError(f"{what}: no answer")

    @classmethod
    def from_output(cls, output: str) -> Self:
        lines = [line for line in output.splitlines() if line.startswith("RESULT ")]
        if not lines:
            raise ValueError(f"wrk printed no result: {output[-500:]}")
        return cls(**json.loads(lines[-1].removeprefix("RESULT ")))


class Running:
    """A running wrk; `result` waits for its end."""

    def __init__(self, process: "subprocess.Popen[str]", patience: float) -> None:
        self._process = process
        self._patience = patience

    def result(self) -> Load:
        output, _ = self._process.communicate(timeout=self._patience)
        if self._process.returncode != 0:
            raise RuntimeError(f"wrk failed: {output[-500:]}")
        return Load.from_output(output)


def version() -> str:
    """The version of wrk. Raises NoWrk when it is not installed."""
    shown = subprocess.run([_program(), "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"\d+\.\d+\.\d+", shown.stdout + shown.stderr)
    return found[0] if found else "of unknown version"


def _program() -> str:
    found = shutil.which("wrk")
    if found is None:
        raise NoWrk("wrk is not installed: apt-get install wrk")
    return found


def start(
    script: str, url: str, *, connections: int, seconds: float, threads: int = 1, **given: Any
) -> Running:
    """Start wrk with `script` (a file of lua/) against `url`; `given` are its arguments."""
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
    """The run whose `rate` is the median: its figures are of one run, not mixed."""
    wanted = median(map(rate, loads))
    return min(loads, key=lambda load: abs(rate(load) - wanted))
