"""A TCP proxy with faults, between the shop's processes and what they depend on.

    with Proxy(postgres=Path("…/.s.PGSQL.5432"), gateway=8002) as proxy:
        proxy.port("postgres")                    where the shop's processes connect
        proxy.set("postgres", delay_ms=150)       every request is delayed
        proxy.set("postgres", frozen=True)        connections are accepted, nothing is passed on
        proxy.set("postgres", refusing=True)      connections are closed at once
        proxy.set("postgres", lose_commits=0.05)  this share of COMMITs is executed, not answered
        proxy.reset("postgres")                   all connections are cut, once
        proxy.heal("postgres")

It runs as a process of its own (proxy_process.py), so that its load does not share a processor's
time with the threads that measure; the two exchange lines of JSON.
"""

import contextlib
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Self


class Proxy:
    """The proxy's process and its controls. May be used from any thread."""

    def __init__(self, *, seed: int = 0, **targets: Path | int) -> None:
        """`targets`: by name, the path of a unix socket or a port of this machine."""
        self._targets = targets
        self._seed = seed
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        pairs = [f"{name}={target}" for name, target in self._targets.items()]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tools.faults.proxy_process", str(self._seed), *pairs],
            cwd=Path(__file__).resolve().parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is handled by the runner
        )
        self._ports: dict[str, int] = self._answer()
        return self

    def __exit__(self, *error: object) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def port(self, link: str) -> int:
        """The TCP port of this machine at which the proxy listens for `link`."""
        return self._ports[link]

    def set(self, link: str, **how: float | bool) -> None:
        """The faults of `link` from now on; those that are not named end."""
        self._command(link=link, **how)

    def heal(self, link: str) -> None:
        """End all faults of `link`."""
        self._command(link=link)

    def reset(self, link: str) -> None:
        """Cut all connections of `link`; new ones are accepted."""
        self._command(link=link, reset=True)

    def commits_lost(self) -> int:
        """How many COMMITs were executed and not answered so far."""
        return int(self._command(link="postgres", tell=True)["commits_lost"])

    def _command(self, **command: Any) -> dict[str, Any]:
        with self._lock:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
            return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the proxy has ended")
        answer: dict[str, Any] = json.loads(line)
        return answer
