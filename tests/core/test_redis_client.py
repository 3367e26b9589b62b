"""A command is sent once, on the thread's own connection, and gets its own reply."""

import os
import threading
from typing import Any

import pytest
import redis
from django.conf import settings

from apps.core import redis_client
from apps.core.redis_client import (
    OptionalRedis,
    RedisUnavailable,
    ThreadClient,
    thread_client,
)

ECHO = "return {KEYS[1], ARGV[1]}"


@pytest.fixture
def client(redis_of_tests: "redis.Redis") -> ThreadClient:
    return thread_client(settings.FLASH_SALES_REDIS_URL, decode_responses=True)


@pytest.fixture
def asker() -> OptionalRedis:
    return OptionalRedis("test", lambda: settings.FLASH_SALES_REDIS_URL)


def test_replies_are_those_of_redis_py(client: ThreadClient) -> None:
    client.set("a", 1, px=60_000)

    assert client.get("a") == "1"
    assert client.mget("a", "b") == ["1", None]
    assert client.set("a", 2, nx=True) is None
    assert 0 < client.pttl("a") <= 60_000
    with client.pipeline(transaction=False) as pipe:
        assert pipe.get("a").delete("a").execute() == ["1", 1]


def test_script_is_loaded_again_after_redis_has_lost_it(
    client: ThreadClient, asker: OptionalRedis
) -> None:
    assert asker.run(ECHO, ["k"], [1]) == ["k", "1"]
    client.script_flush()

    assert asker.run(ECHO, ["k"], [2]) == ["k", "2"]


def test_error_reply_leaves_the_connection_usable(client: ThreadClient) -> None:
    client.set("text", "x")

    with pytest.raises(redis.ResponseError):
        client.incr("text")

    assert client.get("text") == "x"


def test_connection_that_redis_closed_is_reopened(
    client: ThreadClient, redis_of_tests: "redis.Redis"
) -> None:
    before = client.client_id()
    redis_of_tests.client_kill_filter(_id=before)

    assert client.ping()
    assert client.client_id() != before


def test_late_reply_is_not_taken_for_the_next_one(
    client: ThreadClient, redis_of_tests: "redis.Redis"
) -> None:
    """A command that timed out leaves a reply behind, which must be discarded."""
    client.set("mine", "mine")
    client._connection().send_command("ECHO", "not mine", check_health=False)
    while not client._kept.connection.can_read():
        pass

    assert client.get("mine") == "mine"


def test_every_thread_has_a_connection_of_its_own(client: ThreadClient) -> None:
    found: list[Any] = [client.client_id()]
    other = threading.Thread(target=lambda: found.append(client.client_id()))
    other.start()
    other.join()

    assert len(set(found)) == 2
    assert client.client_id() == found[0]


def test_forked_child_uses_another_connection(
    client: ThreadClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the parent's connection they would read each other's replies."""
    parents = client.client_id()
    child = os.getpid() + 1
    monkeypatch.setattr(redis_client.os, "getpid", lambda: child)

    assert client.client_id() != parents


def test_redis_that_does_not_answer_is_asked_once_in_three_seconds(
    asker: OptionalRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def silent(client: Any) -> None:
        asked.append(client)
        raise redis.TimeoutError("silent")

    for _ in range(5):
        with pytest.raises(RedisUnavailable):
            asker.ask(silent)

    assert len(asked) == 1
    monkeypatch.setattr(asker, "_away_until", 0.0)
    assert asker.ask(lambda client: client.ping())
