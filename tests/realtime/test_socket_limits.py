"""How many sockets a process keeps, and how long an idle one."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from apps.realtime import consumer, socket_limits, socket_registry
from apps.realtime.socket_limits import open_sockets
from tests.realtime.sockets import (
    address,
    closed_with,
    receive,
    run,
    watching,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_socket_is_left():
    yield
    assert open_sockets.count() == 0


def from_address(ip: str) -> list[tuple[bytes, bytes]]:
    return [(b"x-forwarded-for", ip.encode())]


@pytest.fixture
def behind_a_proxy(settings):
    settings.TRUSTED_PROXIES = 1


def test_one_address_opens_so_many_and_no_more(order, settings, behind_a_proxy):
    settings.LIVE_SOCKETS_OF_ADDRESS = 3

    async def scenario():
        async with AsyncExitStack() as pages:
            for _ in range(3):
                page = await pages.enter_async_context(
                    watching(address(order), headers=from_address("192.0.2.1"))
                )
                await receive(page)
            async with watching(address(order), headers=from_address("192.0.2.1")) as one_more:
                assert await closed_with(one_more) == consumer.TOO_MANY
            async with watching(address(order), headers=from_address("192.0.2.2")) as other:
                assert (await receive(other))["seq"] == 1

    run(scenario)


def test_a_place_is_free_again_when_its_page_is_closed(order, settings, behind_a_proxy):
    settings.LIVE_SOCKETS_OF_ADDRESS = 1

    async def scenario():
        for _ in range(3):
            async with watching(address(order), headers=from_address("192.0.2.1")) as page:
                assert (await receive(page))["seq"] == 1

    run(scenario)


def test_strangers_take_no_place_for_long(order, settings, behind_a_proxy):
    """A socket that is closed with 4404 counts no longer."""
    settings.LIVE_SOCKETS_OF_ADDRESS = 1

    async def scenario():
        for _ in range(3):
            wrong = address(order, token="wrong")
            async with watching(wrong, headers=from_address("192.0.2.1")) as stranger:
                assert await closed_with(stranger) == consumer.NOT_FOUND

    run(scenario)


def test_the_process_has_a_limit_for_all(order, settings, behind_a_proxy):
    settings.LIVE_SOCKETS_MAX = 2

    async def scenario():
        async with AsyncExitStack() as pages:
            for number in range(2):
                here = from_address(f"192.0.2.{number}")
                page = await pages.enter_async_context(watching(address(order), headers=here))
                await receive(page)
            async with watching(address(order), headers=from_address("192.0.2.9")) as one_more:
                assert await closed_with(one_more) == consumer.UNAVAILABLE

    run(scenario)


def test_load_tests_come_from_one_address(order, settings, behind_a_proxy):
    settings.LIVE_SOCKETS_OF_ADDRESS = 1
    settings.RATE_LIMITS = False

    async def scenario():
        async with AsyncExitStack() as pages:
            for _ in range(3):
                here = from_address("192.0.2.1")
                page = await pages.enter_async_context(watching(address(order), headers=here))
                await receive(page)

    run(scenario)


@pytest.fixture
def short_idle_time(monkeypatch):
    monkeypatch.setattr(socket_limits, "IDLE_SECONDS", 1.5)
    monkeypatch.setattr(socket_registry, "IDLE_CHECK_SECONDS", 0.1)


def test_idle_socket_is_closed(order, short_idle_time):
    async def scenario():
        async with watching(address(order)) as page:
            assert (await receive(page))["seq"] == 1
            assert await closed_with(page) == consumer.IDLE

    run(scenario)


def test_message_now_and_then_keeps_it_open(order, short_idle_time):
    async def scenario():
        async with watching(address(order)) as page:
            assert (await receive(page))["seq"] == 1
            for _ in range(6):
                await page.send_to(text_data="here")
                await asyncio.sleep(0.4)
            assert await page.receive_nothing(timeout=0.05)

    run(scenario)
