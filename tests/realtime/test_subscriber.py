"""The subscription to Redis: killed, frozen or lost without an error, it is made anew.

Polling finds nothing here: what arrives was pushed, or read because a later push showed a gap.
"""

import asyncio
import os
import signal

import pytest
import redis
from channels.layers import get_channel_layer

from apps.orders import transitions
from apps.realtime import socket_registry, subscriber
from tests.realtime.sockets import (
    address,
    move,
    receive,
    run,
    until,
    watching,
)
from tools import embedded
from tools.embedded.redis_server import redis_pid, start_redis

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def polling_finds_nothing(monkeypatch):
    monkeypatch.setattr(socket_registry, "current_seqs", lambda order_ids: {})


class Redis:
    """A server that no other test uses."""

    def __init__(self, home):
        self.home = home
        self.url = f"{embedded.redis_url(home)}?db=2"

    def start(self):
        start_redis(self.home, say=print)

    def kill(self):
        pid = redis_pid(self.home)
        os.kill(pid, signal.SIGKILL)
        while redis_pid(self.home) is not None:
            pass

    def freeze(self):
        os.kill(redis_pid(self.home), signal.SIGSTOP)

    def thaw(self):
        os.kill(redis_pid(self.home), signal.SIGCONT)

    def subscriptions(self):
        """How many subscriptions to the group there are."""
        with redis.Redis.from_url(self.url) as client:
            ((_, number),) = client.pubsub_numsub(f"asgi__group__{transitions.GROUP}")
            return number


@pytest.fixture
def own_redis(tmp_path, settings):
    home = tmp_path / "home"
    with embedded.serving(home, postgres=False):
        server = Redis(home)
        layer = settings.CHANNEL_LAYERS["default"]
        hosts = [layer["CONFIG"]["hosts"][0] | {"address": server.url}]
        settings.CHANNEL_LAYERS = {"default": layer | {"CONFIG": {"hosts": hosts}}}
        yield server


def test_killed_redis_comes_back_and_so_do_the_pushes(order, own_redis, monkeypatch):
    monkeypatch.setattr(subscriber, "ECHO_EVERY", 0.1)
    monkeypatch.setattr(subscriber, "ECHO_TIMEOUT", 5.0)
    monkeypatch.setattr(subscriber, "REDIS_TIMEOUT", 2.0)
    monkeypatch.setattr(subscriber, "RETRY_AFTER", 0.1)

    async def scenario():
        async with watching(address(order)) as socket:
            await receive(socket)
            await asyncio.to_thread(own_redis.kill)
            await until(lambda: not socket_registry.registry.subscriber.is_subscribed)
            await move(order, to="PAYMENT_AUTHORIZED")
            assert await socket.receive_nothing(timeout=0.5), "only a push could have brought it"
            await asyncio.to_thread(own_redis.start)
            await until(lambda: socket_registry.registry.subscriber.is_subscribed)
            await move(order, to="CONFIRMED")
            assert [(await receive(socket))["seq"], (await receive(socket))["seq"]] == [2, 3]

    run(scenario)


def test_restart_between_two_echoes_needs_no_new_subscription(order, own_redis):
    """redis-py subscribes again on its new connection, within a second or two."""

    async def scenario():
        async with watching(address(order)) as socket:
            await receive(socket)
            await asyncio.to_thread(own_redis.kill)
            await asyncio.to_thread(own_redis.start)
            await until(lambda: own_redis.subscriptions() == 1)
            assert socket_registry.registry.subscriber.is_subscribed
            await move(order, to="PAYMENT_AUTHORIZED")
            assert (await receive(socket))["seq"] == 2

    run(scenario)


def test_message_type_of_another_release_does_not_end_the_subscription(order):
    """While both run, during a deploy. (The next echo would repair it seconds too late.)"""

    async def scenario():
        async with watching(address(order)) as socket:
            await receive(socket)
            await get_channel_layer().group_send(transitions.GROUP, {"type": "something.new"})
            await move(order, to="PAYMENT_AUTHORIZED")
            assert (await receive(socket))["seq"] == 2

    run(scenario)


@pytest.mark.parametrize("sends_echoes", [True, False])
def test_subscription_that_ended_unnoticed_is_found_by_the_echo(
    order, own_redis, monkeypatch, sends_echoes
):
    """And by nothing else: without the echo no push is ever received again."""
    monkeypatch.setattr(subscriber, "ECHO_EVERY", 0.3 if sends_echoes else 60.0)
    monkeypatch.setattr(subscriber, "ECHO_TIMEOUT", 2.0)
    monkeypatch.setattr(subscriber, "RETRY_AFTER", 0.1)

    async def scenario():
        async with watching(address(order)) as socket:
            await receive(socket)
            await unsubscribe_unnoticed(own_redis)
            await move(order, to="PAYMENT_AUTHORIZED")
            assert await socket.receive_nothing()
            if sends_echoes:
                await until(lambda: own_redis.subscriptions() == 1)
                await move(order, to="CONFIRMED")
                assert [(await receive(socket))["seq"], (await receive(socket))["seq"]] == [2, 3]
            else:
                await asyncio.sleep(4)
                assert socket_registry.registry.subscriber.is_subscribed, "it has not noticed"
                await move(order, to="CONFIRMED")
                assert await socket.receive_nothing(timeout=1)

    run(scenario)


async def unsubscribe_unnoticed(server):
    (shard,) = get_channel_layer()._get_layer()._shards
    await shard._pubsub.unsubscribe(f"asgi__group__{transitions.GROUP}")
    await until(lambda: server.subscriptions() == 0)


def test_frozen_redis_delays_no_handshake_and_is_subscribed_to_when_it_thaws(
    order, own_redis, monkeypatch
):
    monkeypatch.setattr(subscriber, "REDIS_TIMEOUT", 0.3)
    monkeypatch.setattr(subscriber, "ECHO_TIMEOUT", 0.5)
    monkeypatch.setattr(subscriber, "RETRY_AFTER", 0.1)

    async def scenario():
        own_redis.freeze()
        began = asyncio.get_running_loop().time()
        try:
            async with watching(address(order)) as socket:
                assert (await receive(socket))["seq"] == 1
                assert asyncio.get_running_loop().time() - began < 2
                await until(lambda: socket_registry.registry.subscriber._tried.is_set())
                own_redis.thaw()
                await until(lambda: socket_registry.registry.subscriber.is_subscribed)
                await move(order, to="PAYMENT_AUTHORIZED")
                assert (await receive(socket))["seq"] == 2
        finally:
            own_redis.thaw()

    run(scenario)


def test_socket_that_is_open_is_subscribed(order, own_redis):
    """SUBSCRIBE is not merely sent, it is answered: every push from now on arrives."""

    async def scenario():
        async with watching(address(order)) as socket:
            await receive(socket)
            assert own_redis.subscriptions() == 1

    run(scenario)
