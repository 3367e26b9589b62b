"""A question to Redis is asked once, on the thread's own connection; the answer is to it alone."""

import os
import threading
from typing import Any

import pytest
import redis
from django.conf import settings

from storefront import quick_redis
from storefront.quick_redis import Away, QuickClient, QuickRedis, quick_client

ECHO = "return {KEYS[1], ARGV[1]}"


@pytest.fixture
def client(redis_of_tests: "redis.Redis") -> QuickClient:
    return quick_client(settings.SALES_REDIS_URL, decode_responses=True)


@pytest.fixture
def asker() -> QuickRedis:
    return QuickRedis("test", lambda: settings.SALES_REDIS_URL)


def test_answers_as_redis_py_does(client: QuickClient) -> None:
    client.set("a", 1, px=60_000)

    assert client.get("a") == "1"
    assert client.mget("a", "b") == ["1", None]
    assert client.set("a", 2, nx=True) is None
    assert 0 < client.pttl("a") <= 60_000
    with client.pipeline(transaction=False) as pipe:
        assert pipe.get("a").delete("a").execute() == ["1", 1]


def test_script_is_known_again_after_redis_has_forgotten_it(
    client: QuickClient, asker: QuickRedis
) -> None:
    assert asker.run(ECHO, ["k"], [1]) == ["k", "1"]
    client.script_flush()

    assert asker.run(ECHO, ["k"], [2]) == ["k", "2"]


def test_refusal_of_redis_leaves_the_connection_usable(client: QuickClient) -> None:
    client.set("text", "x")

    with pytest.raises(redis.ResponseError):
        client.incr("text")

    assert client.get("text") == "x"


def test_connection_that_was_hung_up_on_is_made_anew(
    client: QuickClient, redis_of_tests: "redis.Redis"
) -> None:
    before = client.client_id()
    redis_of_tests.client_kill_filter(_id=before)

    assert client.ping()
    assert client.client_id() != before


def test_answer_that_came_too_late_is_not_taken_for_the_next_ones(
    client: QuickClient, redis_of_tests: "redis.Redis"
) -> None:
    """Who gave up waiting has left a question behind; its answer is nobody's."""
    client.set("mine", "mine")
    client._line().send_command("ECHO", "somebody else's", check_health=False)
    while not client._kept.line.can_read():
        pass

    assert client.get("mine") == "mine"


def test_every_thread_has_a_connection_of_its_own(client: QuickClient) -> None:
    found: list[Any] = [client.client_id()]
    other = threading.Thread(target=lambda: found.append(client.client_id()))
    other.start()
    other.join()

    assert len(set(found)) == 2
    assert client.client_id() == found[0]


def test_forked_child_asks_on_another_connection(
    client: QuickClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the parent's they would read each other's answers."""
    parents = client.client_id()
    child = os.getpid() + 1
    monkeypatch.setattr(quick_redis.os, "getpid", lambda: child)

    assert client.client_id() != parents


def test_silent_redis_is_asked_once_in_three_seconds(
    asker: QuickRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def silent(client: Any) -> None:
        asked.append(client)
        raise redis.TimeoutError("silent")

    for _ in range(5):
        with pytest.raises(Away):
            asker.ask(silent)

    assert len(asked) == 1
    monkeypatch.setattr(asker, "_away_until", 0.0)
    assert asker.ask(lambda client: client.ping())
