"""The websocket: who may watch an order, and from which pages."""

import pytest
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.cached_db import SessionStore
from rest_framework_simplejwt.tokens import AccessToken

from apps.core import rate_limits
from apps.orders import tokens
from apps.orders.models import Order
from apps.realtime import routing
from apps.realtime.routing import application
from tests.factories import OrderFactory, make_alice, make_bob
from tests.realtime.sockets import TIMEOUT, address, closed_with, receive, run, watching
from tests.realtime.websocket import WebsocketCommunicator

pytestmark = pytest.mark.django_db(transaction=True)

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


@pytest.mark.parametrize("order_id", ["abc", "1", "0192a5c4-7b1e-7000-8000-000000000000", "%00"])
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
    return ["Bearer", str(AccessToken.for_user(user))]


def test_owner_watches_by_bearer_subprotocol(order):
    alice, bob = make_alice(), make_bob()
    Order.objects.update(user=alice)

    async def scenario():
        path = address(order, token=None)
        async with watching(path, subprotocols=bearer(alice)) as socket:
            assert socket.chosen == "Bearer"
            assert (await receive(socket))["seq"] == 1
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
    of_alice, of_bob = session_of(alice), session_of(bob)
    path = address(order, token=None)

    async def scenario():
        async with watching(path, headers=of_alice) as socket:
            assert (await receive(socket))["seq"] == 1
        for headers in (of_bob, [(b"cookie", b"sessionid=garbage")], [(b"cookie", b"\xff;=;")]):
            async with watching(path, headers=headers) as socket:
                assert await closed_with(socket) == 4404

    run(scenario)


def test_session_of_a_changed_password_opens_nothing(order):
    alice = make_alice()
    Order.objects.update(user=alice)
    of_alice = session_of(alice)
    alice.set_password("another-morning-8")
    alice.save()

    async def scenario():
        async with watching(address(order, token=None), headers=of_alice) as socket:
            assert await closed_with(socket) == 4404

    run(scenario)


def test_guessing_is_4404_then_4429(order):
    async def scenario():
        codes = []
        for number in range(rate_limits.WRONG_TOKENS.amount + 2):
            async with watching(address(order, token=f"guess{number}")) as socket:
                codes.append(await closed_with(socket))
        assert codes[0] == 4404
        assert codes[-1] == 4429
        assert codes == sorted(codes)

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
        connected, _ = await socket.connect(timeout=TIMEOUT)
        assert not connected

    run(scenario)


def test_our_own_page_may_watch(order):
    async def scenario():
        async with watching(address(order), headers=[(b"origin", b"http://localhost:8000")]) as s:
            assert (await receive(s))["seq"] == 1

    run(scenario)


@pytest.mark.parametrize("path", ["/", "/ws/", "/ws/orders/", "/ws/orders/x/y/", "/admin/"])
def test_other_addresses_are_refused_at_the_handshake(path, transactional_db):
    async def scenario():
        connected, _ = await WebsocketCommunicator(application, path).connect(timeout=TIMEOUT)
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
