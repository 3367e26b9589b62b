"""Freezes, kills, empties and fills the Redis servers of a home: all of them, as one machine."""

import os
import signal
from pathlib import Path

import redis

from tools import embedded
from tools.embedded.redis_server import REDIS_SERVERS, redis_pids
from tools.faults.controls.processes import wait_until_gone


class RedisControls:
    """The Redis servers of `home`."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def freeze(self) -> None:
        for pid in self._pids():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        for pid in self._pids():
            os.kill(pid, signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL for all of them; their snapshots are deleted."""
        pids = self._pids()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for pid in pids:
            wait_until_gone(pid)
        for name in embedded.REDIS_NAMES:
            (self._home / name / "dump.rdb").unlink(missing_ok=True)

    def empty(self) -> None:
        for name in embedded.REDIS_NAMES:
            self._client(name).flushall()

    def fill(self) -> None:
        """Every server refuses writes; those that would evict are set not to."""
        for name in embedded.REDIS_NAMES:
            client = self._client(name)
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("maxmemory", "1mb")

    def give_room(self) -> None:
        """Undo `fill`."""
        for name, server in REDIS_SERVERS.items():
            client = self._client(name)
            client.config_set("maxmemory", server.maxmemory)
            client.config_set("maxmemory-policy", server.policy)

    def _client(self, name: str) -> "redis.Redis":
        """A client of one server itself, past the proxy."""
        return redis.Redis.from_url(embedded.redis_url(self._home, name), socket_timeout=5)

    def _pids(self) -> list[int]:
        pids = redis_pids(self._home)
        if missing := [name for name, pid in pids.items() if pid is None]:
            raise RuntimeError(f"Redis does not run: {', '.join(missing)}")
        return [pid for pid in pids.values() if pid is not None]
