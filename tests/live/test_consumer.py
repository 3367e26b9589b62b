"""The websocket: who may watch, and that every move arrives once, in order, none left out."""

import asyncio
import uuid
from contextlib import AsyncExitStack

import pytest
from channels.layers import get_channel_layer
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.cached_db import SessionStore
from django.db import connection, connections

from apps.api.auth import tokens_for
from apps.live import consumer, ear, hub, routing
from apps.live.routing import application
from apps.orders import moves, payloads, tokens
from apps.orders.models import Order
from apps.orders.moves import Move
from storefront import bells, rate_limits
from tests.factories import OrderEventFactory, OrderFactory, make_alice, make_bob
from tests.live.sockets import address, closed_with, hear, move, run, watching, write_silently
from tests.live.websocket import WebsocketCommunicator

pytestmark = pytest.mark.django_db(transaction=True)


def event(order, seq):
    return payloads.event(order.events.get(seq=seq), number=order.number)


# --- What arrives -------------------------------------------------------------------------------


def test_past_moves_are_replayed_then_new_ones_come_live(order):
    moves.make([Move(order.pk, "PAYMENT_AUTHORIZED")])
    heard = []

    async def scenario():
        async with watching(address(order)) as socket:
            heard.extend([await hear(socket), await hear(socket)])
            await move(order, to="CONFIRMED")
            heard.append(await hear(socket))
            assert await socket.receive_nothing()

    run(scenario)

    assert heard == [event(order, seq) for seq in (1, 2, 3)]
    assert {"seq", "status", "message", "updated_at", "next_action"} <= heard[0].keys()


def test_replay_begins_after_the_last_seen(order):
    moves.make([Move(order.pk, "PAYMENT_AUTHORIZED")])

    async def scenario():
        async with watching(address(order, after_seq=1)) as socket:
            assert (await hear(socket))["seq"] == 2
        async with watching(address(order, after_seq=2)) as socket:
            assert await socket.receive_nothing()

    run(scenario)


def test_move_pushed_twice_is_sent_once(order):
    async def scenario():
        async with watching(address(order)) as socket:
            assert (await hear(socket))["seq"] == 1
            await move(order, to="PAYMENT_AUTHORIZED")
            assert (await hear(socket))["seq"] == 2
            again = {"type": "pushed", "payloads": [(str(order.pk), 2, "{}")]}
            await get_channel_layer().group_send(moves.GROUP, again)
            assert await socket.receive_nothing()

    run(scenario)


def test_lost_push_is_filled_in_from_the_database(order):
    """Move 2 is never pushed; the push of 3 tells that something is missing."""

    async def scenario():
        async with watching(address(order)) as socket:
            assert (await hear(socket))["seq"] == 1
            await asyncio.to_thread(write_silently, order, 2, "PAYMENT_AUTHORIZED")
            await move(order, to="CONFIRMED")
            assert [(await hear(socket))["seq"], (await hear(socket))["seq"]] == [2, 3]
            assert await socket.receive_nothing()

    run(scenario)


def test_move_between_replay_and_listening_is_not_lost(order, monkeypatch):
    """The move happens after the replay was read; the group was joined before."""
    read = payloads.events_after
    moved = []

    def read_then_move(placed, seq):
        events = read(placed, seq)
        if not moved:
            moved.append(True)
            moves.make([Move(order.pk, "PAYMENT_AUTHORIZED")])
        return events

    monkeypatch.setattr(consumer.payloads, "events_after", read_then_move)

    async def scenario():
        async with watching(address(order)) as socket:
            assert [(await hear(socket))["seq"], (await hear(socket))["seq"]] == [1, 2]

    run(scenario)


def test_two_watchers_of_one_order_both_hear(order):
    async def scenario():
        async with watching(address(order)) as one, watching(address(order)) as two:
            await hear(one), await hear(two)
            await move(order, to="PAYMENT_AUTHORIZED")
            assert (await hear(one))["seq"] == (await hear(two))["seq"] == 2
        async with watching(address(order, after_seq=2)) as late:
            await move(order, to="CONFIRMED")
            assert (await hear(late))["seq"] == 3

    run(scenario)


def test_moves_of_many_orders_reach_each_its_own_watchers(order, monkeypatch):
    """What nobody watches is told with the others, and passed over."""
    other, unwatched = OrderEventFactory().order, OrderEventFactory().order
    told = []
    push = bells.push
    monkeypatch.setattr(bells, "push", lambda *args: (told.append(args), push(*args)))

    async def scenario():
        async with (
            watching(address(order)) as one,
            watching(address(other)) as two,
        ):
            await hear(one), await hear(two)
            await move(unwatched, order, other, to="PAYMENT_AUTHORIZED")
            heard = [await hear(one), await hear(two)]
            assert [(m["id"], m["seq"]) for m in heard] == [(str(order.pk), 2), (str(other.pk), 2)]
            assert await one.receive_nothing()
            assert await two.receive_nothing()

    run(scenario)

    ((group, payloads),) = told
    assert (group, len(payloads)) == (moves.GROUP, 3), "one message was for all of them"


def test_more_moves_than_one_message_holds_arrive_all_and_in_order(monkeypatch):
    """By push: nothing is read again once the pages are open."""
    monkeypatch.setattr(bells, "TOGETHER", 3)
    orders = [OrderEventFactory().order for _ in range(10)]

    def read_again(*args):
        raise AssertionError("a push was missing")

    async def scenario():
        async with AsyncExitStack() as pages:
            sockets = [await pages.enter_async_context(watching(address(each))) for each in orders]
            for socket in sockets:
                await hear(socket)
            monkeypatch.setattr(consumer.payloads, "events_after", read_again)
            await move(*orders, to="PAYMENT_AUTHORIZED")
            await move(*orders, to="CONFIRMED")
            for socket, each in zip(sockets, orders, strict=True):
                heard = [await hear(socket), await hear(socket)]
                assert [(m["id"], m["seq"]) for m in heard] == [(str(each.pk), s) for s in (2, 3)]

    run(scenario)


def test_second_socket_asks_nothing_of_redis(order, monkeypatch):
    async def scenario():
        async with watching(address(order)) as first:
            await hear(first)
            monkeypatch.setattr(ear, "get_channel_layer", None)
            async with watching(address(order)) as second:
                await hear(second)
                await move(order, to="PAYMENT_AUTHORIZED")
                assert (await hear(first))["seq"] == (await hear(second))["seq"] == 2

    run(scenario)


def test_one_watcher_leaving_does_not_deafen_the_other(order):
    async def scenario():
        async with watching(address(order, after_seq=1)) as stays:
            async with watching(address(order, after_seq=1)):
                pass
            await move(order, to="PAYMENT_AUTHORIZED")
            assert (await hear(stays))["seq"] == 2

    run(scenario)


def test_markup_arrives_as_text(order):
    OrderEventFactory(order=order, seq=2, message="<script>alert('é')</script>")

    async def scenario():
        async with watching(address(order, after_seq=1)) as socket:
            assert (await hear(socket))["message"] == "<script>alert('é')</script>"

    run(scenario)


def test_nobody_is_remembered_after_leaving(order):
    async def scenario():
        async with watching(address(order)) as socket:
            await hear(socket)
            assert hub.hub._watchers
        assert not hub.hub._watchers

    run(scenario)


# --- Redis away ---------------------------------------------------------------------------------


@pytest.fixture
def redis_away(monkeypatch):
    class Away:
        async def new_channel(self, *args):
            raise ConnectionError("away")

        async def flush(self):
            pass

        group_add = group_discard = receive = new_channel

    monkeypatch.setattr(ear, "get_channel_layer", Away)
    monkeypatch.setattr(ear, "AWAY_SECONDS", 0.05)


def test_without_redis_moves_arrive_by_looking(order, redis_away):
    async def scenario():
        async with watching(address(order)) as socket:
            assert (await hear(socket))["seq"] == 1
            await move(order, to="PAYMENT_AUTHORIZED")
            assert (await hear(socket))["seq"] == 2

    run(scenario)


def test_redis_coming_back_is_joined_again(order, redis_away, monkeypatch):
    async def scenario():
        async with watching(address(order)) as socket:
            await hear(socket)
            assert not hub.hub._ear.hears
            monkeypatch.setattr(ear, "get_channel_layer", get_channel_layer)
            while not hub.hub._ear.hears:
                await asyncio.sleep(0.05)
            monkeypatch.setattr(hub, "current_seqs", lambda ids: {})
            await move(order, to="PAYMENT_AUTHORIZED")
            assert (await hear(socket))["seq"] == 2

    run(scenario)


def test_push_that_never_came_is_found_by_looking(order):
    async def scenario():
        async with watching(address(order)) as socket:
            await hear(socket)
            await asyncio.to_thread(write_silently, order, 2, "PAYMENT_AUTHORIZED")
            await hub.hub.look()
            assert (await hear(socket))["seq"] == 2

    run(scenario)


def hang_up(spared):
    """End all of the server's sessions but `spared` (the test's own), as a restart would."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname ="
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
            await hear(socket)
            await move(order, to="PAYMENT_AUTHORIZED")
            await hear(socket)
            await asyncio.to_thread(hang_up, mine)
            await asyncio.sleep(0.1)
            await asyncio.to_thread(write_silently, order, 3, "CONFIRMED")
            await hub.hub.look()
            assert (await hear(socket))["seq"] == 3

    run(scenario)


def test_looking_takes_one_query_for_all(order, django_assert_num_queries):
    others = [OrderFactory() for _ in range(5)]

    with django_assert_num_queries(1):
        seqs = hub.current_seqs([str(each.pk) for each in (order, *others)])

    assert seqs[str(order.pk)] == 1


# --- Who may watch ------------------------------------------------------------------------------


@pytest.mark.parametrize("token", [None, "", "guess", "%C3%BC", "%00", "x" * 500])
def test_stranger_is_closed_with_4404(order, token):
    async def scenario():
        async with watching(address(order, token=token)) as socket:
            assert await closed_with(socket) == 4404

    run(scenario)


def test_token_of_another_order_opens_nothing(order):
    other = tokens.order_token(OrderFactory().pk)

    async def scenario():
        async with watching(address(order, token=other)) as socket:
            assert await closed_with(socket) == 4404

    run(scenario)


@pytest.mark.parametrize("order_id", ["abc", "1", str(uuid.uuid4()), "%00"])
def test_no_such_order_is_closed_with_4404(order_id, transactional_db):
    async def scenario():
        async with watching(f"/ws/orders/{order_id}/?token=x") as socket:
            assert await closed_with(socket) == 4404

    run(scenario)


@pytest.mark.parametrize("after_seq", ["-1", "x", "1e3", str(2**31), "9" * 50])
def test_after_seq_is_a_whole_number(order, after_seq):
    async def scenario():
        async with watching(address(order, after_seq=after_seq)) as socket:
            assert await closed_with(socket) == 4400

    run(scenario)


def bearer(user):
    return ["Bearer", tokens_for(user)["access"]]


def test_owner_watches_by_bearer_subprotocol(order):
    alice, bob = make_alice(), make_bob()
    Order.objects.update(user=alice)

    async def scenario():
        path = address(order, token=None)
        async with watching(path, subprotocols=bearer(alice)) as socket:
            assert socket.chosen == "Bearer"
            assert (await hear(socket))["seq"] == 1
        for protocols in (bearer(bob), ["Bearer", "garbage"], ["Bearer"], ["Bearer", "ü"]):
            async with watching(path, subprotocols=protocols) as socket:
                assert socket.chosen == "Bearer"
                assert await closed_with(socket) == 4404

    run(scenario)


def session_of(user):
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return [
        (b"cookie", f"theme=dark; {settings.SESSION_COOKIE_NAME}={session.session_key}".encode())
    ]


def test_owner_watches_by_session(order):
    alice, bob = make_alice(), make_bob()
    Order.objects.update(user=alice)
    hers, his = session_of(alice), session_of(bob)
    path = address(order, token=None)

    async def scenario():
        async with watching(path, headers=hers) as socket:
            assert (await hear(socket))["seq"] == 1
        for headers in (his, [(b"cookie", b"sessionid=garbage")], [(b"cookie", b"\xff;=;")]):
            async with watching(path, headers=headers) as socket:
                assert await closed_with(socket) == 4404

    run(scenario)


def test_session_of_a_changed_password_opens_nothing(order):
    alice = make_alice()
    Order.objects.update(user=alice)
    hers = session_of(alice)
    alice.set_password("another-morning-8")
    alice.save()

    async def scenario():
        async with watching(address(order, token=None), headers=hers) as socket:
            assert await closed_with(socket) == 4404

    run(scenario)


def test_guessing_is_4404_then_4429(order):
    async def scenario():
        codes = []
        for number in range(rate_limits.WRONG_TOKENS_OF_ADDRESS.amount + 2):
            async with watching(address(order, token=f"guess{number}")) as socket:
                codes.append(await closed_with(socket))
        assert codes[0] == 4404
        assert codes[-1] == 4429
        assert codes == sorted(codes)

    run(scenario)


# --- What clients say ---------------------------------------------------------------------------


def test_small_talk_is_ignored(order):
    async def scenario():
        async with watching(address(order)) as socket:
            await hear(socket)
            for said in ("ping", "{}", '{"type": "order.moved", "payload": {"seq": 9}}', "ü"):
                await socket.send_to(text_data=said)
            await socket.send_to(bytes_data=b"\x00\xff")
            assert await socket.receive_nothing()
            await move(order, to="PAYMENT_AUTHORIZED")
            assert (await hear(socket))["seq"] == 2

    run(scenario)


def test_long_message_closes(order):
    async def scenario():
        async with watching(address(order)) as socket:
            await hear(socket)
            await socket.send_to(text_data="x" * 2000)
            assert await closed_with(socket) == 1009

    run(scenario)


def test_chatterer_is_shown_out(order, monkeypatch):
    monkeypatch.setattr(consumer, "MESSAGES_MAX", 3)

    async def scenario():
        async with watching(address(order)) as socket:
            await hear(socket)
            for _ in range(4):
                await socket.send_to(text_data="ping")
            assert await closed_with(socket) == 1008

    run(scenario)


# --- Origins ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "ours"),
    [
        ("http://localhost:8000", True),
        ("http://127.0.0.1:9999", True),
        ("http://[::1]:8000", True),
        ("https://evil.example", False),
        ("http://localhost.evil.example", False),
        ("http://evil.example/localhost", False),
        ("http://localhost@evil.example", False),
        ("null", False),
        ("", False),
        ("file://", False),
        ("javascript:alert(1)", False),
        ("http://[", False),
        ("http://localhost:port", False),
    ],
)
def test_origin_in_development(origin, ours):
    assert routing.is_ours(origin) is ours


@pytest.mark.parametrize(
    ("origin", "ours"),
    [
        ("https://shop.example", True),
        ("https://www.shop.example", True),
        ("http://shop.example", False),
        ("https://shop.example:8443", False),
        ("https://localhost:8000", False),
        ("https://evil.example", False),
    ],
)
def test_origin_in_production(settings, origin, ours):
    settings.DEVELOPMENT = False
    settings.ALLOWED_HOSTS = ["shop.example", "www.shop.example"]
    settings.SHOP_URL = "https://shop.example"

    assert routing.is_ours(origin) is ours


@pytest.mark.parametrize(
    "headers",
    [
        [(b"origin", b"https://evil.example")],
        [(b"origin", b"null")],
        [(b"origin", b"http://localhost"), (b"origin", b"https://evil.example")],
    ],
)
def test_bad_origin_is_refused_at_the_handshake(order, headers):
    async def scenario():
        socket = WebsocketCommunicator(application, address(order), headers=headers)
        connected, _ = await socket.connect(timeout=5)
        assert not connected

    run(scenario)


def test_our_own_page_may_watch(order):
    async def scenario():
        async with watching(address(order), headers=[(b"origin", b"http://localhost:8000")]) as s:
            assert (await hear(s))["seq"] == 1

    run(scenario)


@pytest.mark.parametrize("path", ["/", "/ws/", "/ws/orders/", "/ws/orders/x/y/", "/admin/"])
def test_other_addresses_are_refused_at_the_handshake(path, transactional_db):
    async def scenario():
        connected, _ = await WebsocketCommunicator(application, path).connect(timeout=5)
        assert not connected

    run(scenario)


def test_plain_http_is_a_short_404():
    sent = []

    async def scenario():
        async def send(message):
            sent.append(message)

        await application({"type": "http", "path": "/", "headers": []}, None, send)

    run(scenario)

    assert sent[0]["status"] == 404
    assert len(sent[1]["body"]) < 100
