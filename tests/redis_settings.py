"""Change a Redis server's settings for the length of a block."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis


@contextmanager
def changed(server: "redis.Redis", **settings: str) -> Iterator[None]:
    """`changed(server, maxmemory="3mb", maxmemory_policy="noeviction")`."""
    names = {name.replace("_", "-"): value for name, value in settings.items()}
    before = {name: server.config_get(name)[name] for name in names}
    try:
        for name, value in names.items():
            server.config_set(name, value)
        yield
    finally:
        for name, value in before.items():
            server.config_set(name, value)


@contextmanager
def full(server: "redis.Redis") -> Iterator[None]:
    """It takes no more writes, and evicts nothing."""
    with changed(server, maxmemory="1", maxmemory_policy="noeviction"):
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            server.set("a", "b")
        yield
