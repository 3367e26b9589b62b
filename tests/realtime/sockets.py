"""What the tests of websockets share: an event loop, open sockets, orders that change status."""

import asyncio
import gc
import json
import threading
from contextlib import asynccontextmanager

from channels.layers import get_channel_layer
from django.db import connections

from apps.core.connections import drop_dead_connections
from apps.orders import tokens, transitions
from apps.orders.models import Order
from apps.orders.transitions import Transition
from apps.realtime import socket_registry
from apps.realtime.routing import application
from tests.factories import OrderEventFactory
from tests.realtime.websocket import WebsocketCommunicator

TIMEOUT = 30  # seconds; reached only where something is missing, however busy the machine is


def run(scenario):
    """Run a coroutine on an event loop of its own, as the websocket process does."""

    async def whole():
        try:
            await asyncio.wait_for(scenario(), 120)
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
    connected, socket.chosen = await socket.connect(timeout=TIMEOUT)
    assert connected
    try:
        yield socket
    finally:
        await socket.disconnect()


async def receive(socket):
    return json.loads(await socket.receive_from(timeout=TIMEOUT))


async def until(condition):
    """Wait until `condition()` holds; it runs on a thread. `run` limits the time."""
    while not await asyncio.to_thread(condition):
        await asyncio.sleep(0.02)


async def until_subscribed():
    """Wait until pushes reach this process; before that, transitions arrive by polling."""
    await until(lambda: socket_registry.registry.subscriber.is_subscribed)


async def closed_with(socket):
    message = await socket.receive_output(timeout=TIMEOUT)
    assert message["type"] == "websocket.close", message
    return message["code"]


async def move(*orders, to):
    """Change the status of the orders on another thread, all in one commit."""

    def make():
        try:
            transitions.make([Transition(order.pk, to) for order in orders])
        finally:
            connections.close_all()

    thread = threading.Thread(target=make)
    thread.start()
    await asyncio.get_running_loop().run_in_executor(None, thread.join)


def write_silently(order, seq, status):
    """Change the order's status without a push."""
    drop_dead_connections()
    try:
        OrderEventFactory(order=order, seq=seq, status=status)
        Order.objects.filter(pk=order.pk).update(seq=seq, status=status)
    finally:
        connections.close_all()
