"""What the tests of websockets have in common: a loop, open pages, and orders that move."""

import asyncio
import gc
import json
import threading
from contextlib import asynccontextmanager

from channels.layers import get_channel_layer
from django.db import connections

from apps.live.routing import application
from apps.orders import moves, tokens
from apps.orders.models import Order
from apps.orders.moves import Move
from storefront.connections import drop_dead_connections
from tests.factories import OrderEventFactory
from tests.live.websocket import WebsocketCommunicator


def run(scenario):
    """Run a coroutine on a loop of its own, as the live process does."""

    async def whole():
        try:
            await asyncio.wait_for(scenario(), 20)
        finally:
            await get_channel_layer().flush()

    asyncio.run(whole())
    # The loop's threads are gone; their connections wait in reference cycles for the collector.
    gc.collect()


def address(order, **query):
    query = {"token": tokens.order_token(order.pk)} | query
    asked = "&".join(f"{name}={value}" for name, value in query.items() if value is not None)
    return f"/ws/orders/{order.pk}/?{asked}"


@asynccontextmanager
async def watching(path, *, headers=(), subprotocols=None):
    socket = WebsocketCommunicator(
        application, path, headers=list(headers), subprotocols=subprotocols
    )
    connected, socket.chosen = await socket.connect(timeout=5)
    assert connected
    try:
        yield socket
    finally:
        await socket.disconnect()


async def hear(socket):
    return json.loads(await socket.receive_from(timeout=5))


async def closed_with(socket):
    message = await socket.receive_output(timeout=5)
    assert message["type"] == "websocket.close", message
    return message["code"]


async def move(*orders, to):
    """Another process moves the orders, all in one commit."""

    def make():
        try:
            moves.make([Move(order.pk, to) for order in orders])
        finally:
            connections.close_all()

    thread = threading.Thread(target=make)
    thread.start()
    await asyncio.get_running_loop().run_in_executor(None, thread.join)


def write_silently(order, seq, status):
    """The order moves, and nobody is told."""
    drop_dead_connections()
    try:
        OrderEventFactory(order=order, seq=seq, status=status)
        Order.objects.filter(pk=order.pk).update(seq=seq, status=status)
    finally:
        connections.close_all()
