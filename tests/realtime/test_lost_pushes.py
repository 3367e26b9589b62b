"""The websocket without Redis, without a push, after a restart of the database."""

import asyncio

import pytest
from channels.layers import get_channel_layer
from django.db import connection, connections

from apps.realtime import socket_registry, subscriber
from tests.factories import OrderFactory
from tests.realtime.sockets import address, move, receive, run, watching, write_silently

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def redis_away(monkeypatch):
    class Away:
        async def new_channel(self, *args):
            raise ConnectionError("away")

        async def flush(self):
            pass

        group_add = group_discard = receive = new_channel

    monkeypatch.setattr(subscriber, "get_channel_layer", Away)
    monkeypatch.setattr(subscriber, "RETRY_AFTER", 0.05)


def test_without_redis_transitions_arrive_by_polling(order, redis_away):
    async def scenario():
        async with watching(address(order)) as socket:
            assert (await receive(socket))["seq"] == 1
            await move(order, to="PAYMENT_AUTHORIZED")
            assert (await receive(socket))["seq"] == 2

    run(scenario)


def test_redis_coming_back_is_joined_again(order, redis_away, monkeypatch):
    async def scenario():
        async with watching(address(order)) as socket:
            await receive(socket)
            assert not socket_registry.registry.subscriber.is_subscribed
            monkeypatch.setattr(subscriber, "get_channel_layer", get_channel_layer)
            while not socket_registry.registry.subscriber.is_subscribed:
                await asyncio.sleep(0.05)
            monkeypatch.setattr(socket_registry, "current_seqs", lambda ids: {})
            await move(order, to="PAYMENT_AUTHORIZED")
            assert (await receive(socket))["seq"] == 2

    run(scenario)


def test_push_that_never_came_is_found_by_polling(order):
    async def scenario():
        async with watching(address(order)) as socket:
            await receive(socket)
            await asyncio.to_thread(write_silently, order, 2, "PAYMENT_AUTHORIZED")
            await socket_registry.registry.poll()
            assert (await receive(socket))["seq"] == 2

    run(scenario)


def end_sessions(spared):
    """End all of the server's sessions but `spared` (the test's own), as a restart does; wait."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname ="
                " current_database() AND pid NOT IN (pg_backend_pid(), %s)",
                [spared],
            )
    finally:
        connections.close_all()


def test_restarted_database_is_asked_on_a_new_connection(order):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (mine,) = cursor.fetchone()

    async def scenario():
        async with watching(address(order)) as socket:
            await receive(socket)
            await move(order, to="PAYMENT_AUTHORIZED")
            await receive(socket)
            await asyncio.to_thread(end_sessions, mine)
            await asyncio.to_thread(write_silently, order, 3, "CONFIRMED")
            await socket_registry.registry.poll()
            assert (await receive(socket))["seq"] == 3

    run(scenario)


def test_polling_takes_one_query_for_all(order, django_assert_num_queries):
    others = [OrderFactory() for _ in range(5)]

    with django_assert_num_queries(1):
        seqs = socket_registry.current_seqs([str(each.pk) for each in (order, *others)])

    assert seqs[str(order.pk)] == 1
