"""The websocket: every transition arrives once, in order, none left out."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from channels.layers import get_channel_layer

from apps.core import dispatch
from apps.orders import payloads, transitions
from apps.orders.transitions import Transition
from apps.realtime import consumer, socket_registry, subscriber
from tests.factories import OrderEventFactory
from tests.realtime.sockets import (
    address,
    closed_with,
    move,
    receive,
    run,
    until_subscribed,
    watching,
    write_silently,
)

pytestmark = pytest.mark.django_db(transaction=True)


def event(order, seq):
    return payloads.event(order.events.get(seq=seq), number=order.number)


# --- What arrives -------------------------------------------------------------------------------


def test_past_transitions_are_replayed_then_new_ones_come_live(order):
    transitions.make([Transition(order.pk, "PAYMENT_AUTHORIZED")])
    received = []

    async def scenario():
        async with watching(address(order)) as socket:
            received.extend([await receive(socket), await receive(socket)])
            await move(order, to="CONFIRMED")
            received.append(await receive(socket))
            assert await socket.receive_nothing()

    run(scenario)

    assert received == [event(order, seq) for seq in (1, 2, 3)]
    assert {"seq", "status", "message", "updated_at", "next_action"} <= received[0].keys()


def test_replay_begins_after_the_last_seen(order):
    transitions.make([Transition(order.pk, "PAYMENT_AUTHORIZED")])

    async def scenario():
        async with watching(address(order, after_seq=1)) as socket:
            assert (await receive(socket))["seq"] == 2
        async with watching(address(order, after_seq=2)) as socket:
            assert await socket.receive_nothing()

    run(scenario)


def test_transition_pushed_twice_is_sent_once(order):
    async def scenario():
        async with watching(address(order)) as socket:
            assert (await receive(socket))["seq"] == 1
            await move(order, to="PAYMENT_AUTHORIZED")
            assert (await receive(socket))["seq"] == 2
            again = {"type": "pushed", "payloads": [(str(order.pk), 2, "{}")]}
            await get_channel_layer().group_send(transitions.GROUP, again)
            assert await socket.receive_nothing()

    run(scenario)


def test_lost_push_is_filled_in_from_the_database(order):
    """Transition 2 is never pushed; the push of 3 shows that one is missing."""

    async def scenario():
        async with watching(address(order)) as socket:
            assert (await receive(socket))["seq"] == 1
            await asyncio.to_thread(write_silently, order, 2, "PAYMENT_AUTHORIZED")
            await move(order, to="CONFIRMED")
            assert [(await receive(socket))["seq"], (await receive(socket))["seq"]] == [2, 3]
            assert await socket.receive_nothing()

    run(scenario)


def test_transition_between_replay_and_listening_is_not_lost(order, monkeypatch):
    """The transition happens after the replay was read; the socket was registered before."""
    read = payloads.events_after
    moved = []

    def read_then_move(placed, seq):
        events = read(placed, seq)
        if not moved:
            moved.append(True)
            transitions.make([Transition(order.pk, "PAYMENT_AUTHORIZED")])
        return events

    monkeypatch.setattr(consumer.payloads, "events_after", read_then_move)

    async def scenario():
        async with watching(address(order)) as socket:
            assert [(await receive(socket))["seq"], (await receive(socket))["seq"]] == [1, 2]

    run(scenario)


def test_two_watchers_of_one_order_both_receive(order):
    async def scenario():
        async with watching(address(order)) as one, watching(address(order)) as two:
            await receive(one), await receive(two)
            await move(order, to="PAYMENT_AUTHORIZED")
            assert (await receive(one))["seq"] == (await receive(two))["seq"] == 2
        async with watching(address(order, after_seq=2)) as late:
            await move(order, to="CONFIRMED")
            assert (await receive(late))["seq"] == 3

    run(scenario)


def test_transitions_of_many_orders_reach_each_its_own_watchers(order, monkeypatch):
    """A transition that no socket watches is broadcast with the others, and ignored."""
    other, unwatched = OrderEventFactory().order, OrderEventFactory().order
    broadcasts = []
    push = dispatch.broadcast_on_commit
    monkeypatch.setattr(
        dispatch, "broadcast_on_commit", lambda *args: (broadcasts.append(args), push(*args))
    )

    async def scenario():
        async with (
            watching(address(order)) as one,
            watching(address(other)) as two,
        ):
            await receive(one), await receive(two)
            await move(unwatched, order, other, to="PAYMENT_AUTHORIZED")
            received = [await receive(one), await receive(two)]
            assert [(m["id"], m["seq"]) for m in received] == [
                (str(order.pk), 2),
                (str(other.pk), 2),
            ]
            assert await one.receive_nothing()
            assert await two.receive_nothing()

    run(scenario)

    ((group, payloads),) = broadcasts
    assert (group, len(payloads)) == (transitions.GROUP, 3), "one message was for all of them"


def test_more_transitions_than_one_message_holds_arrive_all_and_in_order(monkeypatch):
    """By push: nothing is read again once the sockets are open."""
    monkeypatch.setattr(dispatch, "TOGETHER", 3)
    orders = [OrderEventFactory().order for _ in range(10)]

    def read_again(*args):
        raise AssertionError("a push was missing")

    async def scenario():
        async with AsyncExitStack() as pages:
            sockets = [await pages.enter_async_context(watching(address(each))) for each in orders]
            for socket in sockets:
                await receive(socket)
            await until_subscribed()
            monkeypatch.setattr(consumer.payloads, "events_after", read_again)
            await move(*orders, to="PAYMENT_AUTHORIZED")
            await move(*orders, to="CONFIRMED")
            for socket, each in zip(sockets, orders, strict=True):
                received = [await receive(socket), await receive(socket)]
                assert [(m["id"], m["seq"]) for m in received] == [
                    (str(each.pk), s) for s in (2, 3)
                ]

    run(scenario)


def test_second_socket_asks_nothing_of_redis(order, monkeypatch):
    async def scenario():
        async with watching(address(order)) as first:
            await receive(first)
            await until_subscribed()
            monkeypatch.setattr(subscriber, "get_channel_layer", None)
            async with watching(address(order)) as second:
                await receive(second)
                await move(order, to="PAYMENT_AUTHORIZED")
                assert (await receive(first))["seq"] == (await receive(second))["seq"] == 2

    run(scenario)


def test_one_watcher_leaving_does_not_end_the_other_ones_pushes(order):
    async def scenario():
        async with watching(address(order, after_seq=1)) as stays:
            async with watching(address(order, after_seq=1)):
                pass
            await move(order, to="PAYMENT_AUTHORIZED")
            assert (await receive(stays))["seq"] == 2

    run(scenario)


def test_markup_arrives_as_text(order):
    OrderEventFactory(order=order, seq=2, message="<script>alert('é')</script>")

    async def scenario():
        async with watching(address(order, after_seq=1)) as socket:
            assert (await receive(socket))["message"] == "<script>alert('é')</script>"

    run(scenario)


def test_no_watcher_is_remembered_after_leaving(order):
    async def scenario():
        async with watching(address(order)) as socket:
            await receive(socket)
            assert socket_registry.registry._watchers
        assert not socket_registry.registry._watchers

    run(scenario)


# --- What clients say ---------------------------------------------------------------------------


def test_messages_of_clients_are_ignored(order):
    async def scenario():
        async with watching(address(order)) as socket:
            await receive(socket)
            for said in ("ping", "{}", '{"type": "order.moved", "payload": {"seq": 9}}', "ü"):
                await socket.send_to(text_data=said)
            await socket.send_to(bytes_data=b"\x00\xff")
            assert await socket.receive_nothing()
            await move(order, to="PAYMENT_AUTHORIZED")
            assert (await receive(socket))["seq"] == 2

    run(scenario)


def test_long_message_closes(order):
    async def scenario():
        async with watching(address(order)) as socket:
            await receive(socket)
            await socket.send_to(text_data="x" * 2000)
            assert await closed_with(socket) == 1009

    run(scenario)


def test_client_that_sends_too_much_is_closed(order, monkeypatch):
    monkeypatch.setattr(consumer, "MESSAGES_MAX", 3)

    async def scenario():
        async with watching(address(order)) as socket:
            await receive(socket)
            for _ in range(4):
                await socket.send_to(text_data="ping")
            assert await closed_with(socket) == 1008

    run(scenario)
