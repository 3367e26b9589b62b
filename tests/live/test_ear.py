"""The ear at Redis: killed, frozen or deaf without a word, pushes arrive again, as pushes.

The look-out is blind here: what arrives was pushed, or read because a later push told of it.
"""

import asyncio
import os
import signal

import pytest
import redis
from channels.layers import get_channel_layer

from apps.live import ear, hub
from apps.orders import moves
from storefront import embedded
from storefront.embedded.redis_server import redis_pid, start_redis
from tests.live.sockets import address, hear, move, run, watching

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def blind(monkeypatch):
    monkeypatch.setattr(hub, "current_seqs", lambda order_ids: {})


class Redis:
    """A server that nobody else uses."""

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

    def ears(self):
        """How many subscriptions to the group there are."""
        with redis.Redis.from_url(self.url) as client:
            ((_, number),) = client.pubsub_numsub(f"asgi__group__{moves.GROUP}")
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


async def until(condition):
    while not await asyncio.to_thread(condition):
        await asyncio.sleep(0.02)


def test_killed_redis_comes_back_and_so_do_the_pushes(order, own_redis, monkeypatch):
    monkeypatch.setattr(ear, "SPEAK_EVERY", 0.1)
    monkeypatch.setattr(ear, "AWAY_SECONDS", 0.1)

    async def scenario():
        async with watching(address(order)) as socket:
            await hear(socket)
            await asyncio.to_thread(own_redis.kill)
            await until(lambda: not hub.hub._ear.hears)
            await move(order, to="PAYMENT_AUTHORIZED")
            assert await socket.receive_nothing(timeout=0.5), "only a push could have brought it"
            await asyncio.to_thread(own_redis.start)
            await until(lambda: hub.hub._ear.hears)
            await move(order, to="CONFIRMED")
            assert [(await hear(socket))["seq"], (await hear(socket))["seq"]] == [2, 3]

    run(scenario)


def test_restart_between_two_words_is_not_even_noticed(order, own_redis):
    """redis-py subscribes again on its new connection, within a second or two."""

    async def scenario():
        async with watching(address(order)) as socket:
            await hear(socket)
            await asyncio.to_thread(own_redis.kill)
            await asyncio.to_thread(own_redis.start)
            await until(lambda: own_redis.ears() == 1)
            assert hub.hub._ear.hears
            await move(order, to="PAYMENT_AUTHORIZED")
            assert (await hear(socket))["seq"] == 2

    run(scenario)


def test_word_of_another_release_does_not_make_deaf(order):
    """While both run, during a deploy. (Our own next word would mend it seconds too late.)"""

    async def scenario():
        async with watching(address(order)) as socket:
            await hear(socket)
            await get_channel_layer().group_send(moves.GROUP, {"type": "something.new"})
            await move(order, to="PAYMENT_AUTHORIZED")
            assert (await hear(socket))["seq"] == 2

    run(scenario)


@pytest.mark.parametrize("speaks", [True, False])
def test_deaf_without_a_word_is_found_out_by_our_own(order, own_redis, monkeypatch, speaks):
    """And not found out by anything else: without the word no push is ever heard again."""
    monkeypatch.setattr(ear, "SPEAK_EVERY", 0.3 if speaks else 60.0)
    monkeypatch.setattr(ear, "WORD_PATIENCE", 2.0)
    monkeypatch.setattr(ear, "AWAY_SECONDS", 0.1)

    async def scenario():
        async with watching(address(order)) as socket:
            await hear(socket)
            await unsubscribe_behind_everybodys_back(own_redis)
            await move(order, to="PAYMENT_AUTHORIZED")
            assert await socket.receive_nothing()
            if speaks:
                await until(lambda: own_redis.ears() == 1)
                await move(order, to="CONFIRMED")
                assert [(await hear(socket))["seq"], (await hear(socket))["seq"]] == [2, 3]
            else:
                await asyncio.sleep(4)
                assert hub.hub._ear.hears, "so it believes"
                await move(order, to="CONFIRMED")
                assert await socket.receive_nothing(timeout=1)

    run(scenario)


async def unsubscribe_behind_everybodys_back(server):
    (shard,) = get_channel_layer()._get_layer()._shards
    await shard._pubsub.unsubscribe(f"asgi__group__{moves.GROUP}")
    await until(lambda: server.ears() == 0)


def test_frozen_redis_holds_up_no_handshake_and_is_heard_when_it_thaws(
    order, own_redis, monkeypatch
):
    monkeypatch.setattr(ear, "REDIS_PATIENCE", 0.3)
    monkeypatch.setattr(ear, "WORD_PATIENCE", 0.5)
    monkeypatch.setattr(ear, "AWAY_SECONDS", 0.1)

    async def scenario():
        own_redis.freeze()
        began = asyncio.get_running_loop().time()
        try:
            async with watching(address(order)) as socket:
                assert (await hear(socket))["seq"] == 1
                assert asyncio.get_running_loop().time() - began < 2
                await until(lambda: hub.hub._ear._tried.is_set())
                own_redis.thaw()
                await until(lambda: hub.hub._ear.hears)
                await move(order, to="PAYMENT_AUTHORIZED")
                assert (await hear(socket))["seq"] == 2
        finally:
            own_redis.thaw()

    run(scenario)


def test_whoever_watches_is_subscribed(order, own_redis):
    """Not only SUBSCRIBE is on its way: what is pushed from now on does not pass by."""

    async def scenario():
        async with watching(address(order)) as socket:
            await hear(socket)
            assert own_redis.ears() == 1

    run(scenario)
