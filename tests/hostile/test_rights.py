"""Other people's data: not found, not guessable, not reachable through their browsers."""

import asyncio
import gc
import uuid
from datetime import timedelta
from urllib.parse import urljoin, urlsplit

import pytest
from django.conf import settings as shop_settings
from django.test import Client
from django.urls import reverse

from apps.cart import carts
from apps.core import rate_limits, wrong_tokens
from apps.customers.models import Address
from apps.orders.models import Order
from apps.orders.tokens import order_token
from apps.realtime.routing import application
from tests.api.conftest import Api, problem
from tests.factories import (
    ADDRESS,
    PASSWORD,
    AddressFactory,
    OrderEventFactory,
    OrderFactory,
    OrderLineFactory,
    SagaFactory,
    make_bob,
    make_clerk,
)
from tests.hostile import addresses
from tests.realtime.websocket import WebsocketCommunicator

pytestmark = pytest.mark.django_db

NOBODYS = uuid.UUID("0198b2c4-1234-7123-8123-1234567890ab")


@pytest.fixture
def order(db):
    """Alice's, delivered."""
    placed = OrderFactory(status="DELIVERED")
    OrderLineFactory(order=placed, sku="MUG", quantity=2)
    OrderEventFactory(order=placed)
    SagaFactory(order=placed)
    return placed


# --- Another's order, cart, address → 404 -------------------------------------------------------

CALLS = [
    ("get", "/orders/{}/", None), ("get", "/orders/{}/status/", None),
    ("get", "/orders/{}/events/", None), ("post", "/orders/{}/cancel/", {}),
    ("post", "/orders/{}/returns/", {"lines": [{"sku": "MUG", "quantity": 1}], "reason": "x"}),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_anothers_order_reads_like_none_at_all(api, order, method, path, body):
    other = OrderFactory()
    bob = Api("198.51.100.7").as_user(make_bob())
    keys = [{}, {"X_Order_Token": order_token(other.pk)}, {"X_Order_Token": "0" * 40},
            {"X_Order_Token": order_token(order.pk)[:-1]}, {"X_Order_Token": "é"}]  # fmt: skip

    def ask(client, order_id, key):
        more = (body,) if body is not None else ()
        return problem(
            getattr(client, method)(path.format(order_id), *more, **key), 404, "not_found"
        )

    answers = [ask(client, pk, key) for client in (api, bob)
               for pk in (order.pk, NOBODYS) for key in keys]  # fmt: skip

    assert all(answer == answers[0] for answer in answers)
    assert Order.objects.get(pk=order.pk).status == "DELIVERED"


def test_anothers_order_has_no_page(visitor, order):
    visitor.force_login(make_bob())

    for route in ("", "cancel/", "again/", "return/"):
        path = f"/orders/{order.pk}/{route}"
        answer = visitor.post(path) if route else visitor.get(path)
        assert answer.status_code == 404, path


def test_anothers_cart_is_not_found(api, mug, alice, buy, monkeypatch):
    monkeypatch.setattr("apps.cart.guests.loss.LOSS_MATTERS_FOR", timedelta(0))  # emptied long ago
    of_alice = carts.of_user(alice)
    carts.set_line(of_alice, mug.sku, 1)
    guests = carts.create_guest()
    mallory = Api("198.51.100.66")
    mallory.new_cart()  # a right to another cart
    for cart in (of_alice.id, guests.id, NOBODYS):
        path = f"/carts/{cart}/"
        answers = [
            mallory.get(path),
            mallory.put(f"{path}lines/{mug.sku}/", {"quantity": 3}),
            mallory.put(f"{path}promo/", {"code": "X"}),
            mallory.delete(f"{path}promo/"),
            mallory.get(f"{path}shipping-methods/", {"country": "US"}),
            mallory.checkout(buy(cart=str(cart)) | {"lines": None}),
        ]
        assert [answer.status_code for answer in answers] == [404] * 6
    assert [line.quantity for line in carts.of_user(alice).lines] == [1]
    assert not Order.objects.exists()


def test_anothers_address_is_not_found(api, visitor, alice):
    entry = AddressFactory(user=alice)
    bob = make_bob()
    api.as_user(bob)
    visitor.force_login(bob)
    path = f"/me/addresses/{entry.pk}/"

    answers = [api.get(path), api.put(path, ADDRESS), api.patch(path, {"city": "Salem"}),
               api.delete(path), visitor.get(f"/account/addresses/{entry.pk}/"),
               visitor.post(f"/account/addresses/{entry.pk}/", ADDRESS | {"city": "Salem"}),
               visitor.post(f"/account/addresses/{entry.pk}/delete/"),
               visitor.post(f"/account/addresses/{entry.pk}/default/")]  # fmt: skip

    assert [answer.status_code for answer in answers] == [404] * 8
    assert Address.objects.get().city == ADDRESS["city"]


def test_the_office_is_not_for_customers(visitor, alice):
    visitor.force_login(alice)
    routes = [r for r in addresses.of_admin() if r not in ("/admin/login/", "/admin/logout/")]

    for route in routes:
        path = addresses.filled(route)
        for answer in (visitor.get(path), visitor.post(path)):
            assert answer.status_code in (302, 403, 404), route
            if answer.status_code == 302:
                assert answer["Location"].startswith("/admin/"), route
    assert len(routes) > 100


# --- Guessing tokens → 404, then 429 ------------------------------------------------------------


def guesses(ask):
    """The answers to as many guesses as are allowed, and to two more."""
    return [ask(number) for number in range(rate_limits.WRONG_TOKENS.amount + 2)]


@pytest.mark.parametrize("path", ["/orders/{}/status/", "/orders/{}/", "/carts/{}/"])
def test_app_that_guesses_tokens_is_404_then_429(order, path):
    guesser = Api("192.0.2.66")
    header = "X-Cart-Token" if "carts" in path else "X-Order-Token"
    target = NOBODYS if "carts" in path else order.pk

    codes = [
        answer.status_code
        for answer in guesses(
            lambda number: guesser.get(path.format(target), **{header: f"{number:040x}"})
        )
    ]

    assert set(codes[:-2]) == {404}
    assert codes[-1] == 429
    # The right token opens it all the same, from that address as from any other.
    right = {"X-Order-Token": order_token(order.pk)}
    order_path = f"/orders/{order.pk}/status/"
    assert guesser.get(order_path, **right).status_code == 200
    assert Api("192.0.2.67").get(order_path, **right).status_code == 200


def test_browser_that_guesses_tokens_is_404_then_429(mallory, visitor, order):
    path = f"/orders/{order.pk}/"

    answers = guesses(lambda number: mallory.get(path, {"token": f"{number:040x}"}))

    assert {answer.status_code for answer in answers[:-2]} == {404}
    assert answers[-1].status_code == 429
    assert int(answers[-1]["Retry-After"]) >= 1
    assert "Slowly, please." in answers[-1].content.decode()
    for browser in (mallory, visitor):
        assert browser.get(path, {"token": order_token(order.pk)}).status_code == 200


def test_right_tokens_are_no_guesses(order):
    owner, path = Api("192.0.2.68"), f"/orders/{order.pk}/status/"

    right = {"X-Order-Token": order_token(order.pk)}
    codes = {answer.status_code for answer in guesses(lambda _: owner.get(path, **right))}

    assert codes == {200}


def closed_with(path, *, times=1):
    """The code that the last of `times` sockets to `path` was closed with, each of them anew."""

    async def scenario():
        codes = []
        for _ in range(times):
            socket = WebsocketCommunicator(application, path)
            connected, _chosen = await socket.connect(timeout=60)
            assert connected
            message = await socket.receive_output(timeout=60)
            codes.append(message["code"] if message["type"] == "websocket.close" else 0)
            await socket.disconnect()
        return codes

    codes = asyncio.run(scenario())
    gc.collect()
    return codes


@pytest.mark.django_db(transaction=True)
def test_socket_that_guesses_tokens_is_4404_then_4429():
    order = OrderFactory()
    OrderEventFactory(order=order)
    path = f"/ws/orders/{order.pk}/?token="
    limit = rate_limits.WRONG_TOKENS
    for _ in range(limit.amount - 2):
        wrong_tokens.count("order", order.pk, "guess")

    codes = closed_with(f"{path}{'0' * 40}", times=4)

    assert codes[:2] == [4404, 4404]
    assert codes[-1] == 4429
    assert closed_with(f"{path}{order_token(order.pk)}") == [0]


# --- Missing or wrong CSRF → 403 ----------------------------------------------------------------


def careful(**more):
    return Client(enforce_csrf_checks=True, raise_request_exception=False, **more)


@pytest.mark.parametrize("given", [None, "", "a" * 32, "a" * 64, "\x00", "é"])
def test_no_page_is_written_to_from_elsewhere(alice, given):
    browser = careful()
    browser.force_login(alice)
    browser.cookies["csrftoken"] = "b" * 32
    form = {} if given is None else {"csrfmiddlewaretoken": given}

    answers = {route: browser.post(addresses.filled(route), form) for route in addresses.of_pages()}

    assert {answer.status_code for answer in answers.values()} <= {403, 405}
    refused = {route for route, answer in answers.items() if answer.status_code == 403}
    assert {"/checkout/", "/cart/promo/", "/account/logout/", "/account/login/"} <= refused


def test_page_is_not_written_to_by_a_page_of_another_origin(alice):
    browser = careful()
    browser.force_login(alice)
    browser.cookies["csrftoken"] = "b" * 32
    form = {"csrfmiddlewaretoken": "b" * 32, "which": "name", "name": "Mallory"}
    path = "/account/profile/"

    for origin in ("https://evil.example", "null", "http://127.0.0.1.evil.example"):
        assert browser.post(path, form, headers={"Origin": origin}).status_code == 403, origin

    own = {"Origin": shop_settings.SHOP_URL}
    assert browser.post(path, form, headers=own).status_code == 302, "the form itself is right"


def test_api_is_not_written_to_by_session_alone(alice):
    browser = careful()
    browser.force_login(alice)
    for path in ("/api/v1/carts/", "/api/v1/checkouts/", "/api/v1/me/addresses/"):
        answer = browser.post(path, ADDRESS, content_type="application/json")
        assert answer.status_code == 403, path
        assert answer["Content-Type"] == "application/problem+json"
    assert not Address.objects.exists()


def test_office_is_not_written_to_from_elsewhere():
    browser = careful()
    browser.force_login(make_clerk())

    for name in ("admin:customers_user_add", "admin:promos_promo_add", "admin:logout"):
        assert browser.post(reverse(name)).status_code == 403, name
    assert careful().post("/admin/login/", {"username": "a", "password": "b"}).status_code == 403


# --- Sessions and where a sign-in leads ---------------------------------------------------------


def credentials(path, alice, clerk):
    """(login, password) for the form at `path`."""
    if "register" in path:
        return "carol@example.com", "three-slow-kettles"
    return (clerk if "admin" in path else alice).email, PASSWORD


@pytest.mark.parametrize("path", ["/account/login/", "/account/register/", "/admin/login/"])
def test_session_id_fixed_before_the_login_is_rotated(alice, path):
    clerk = make_clerk()
    browser = Client()
    session = browser.session
    session["mark"] = 1
    session.save()
    browser.cookies["sessionid"] = fixed = session.session_key
    email = {"/account/login/": alice.email, "/admin/login/": clerk.email}.get(
        path, "c@example.com"
    )
    password = "three-slow-kettles" if "register" in path else PASSWORD

    answer = browser.post(path, {"email": email, "username": email, "password": password})

    assert answer.status_code == 302
    assert browser.cookies["sessionid"].value != fixed
    thief = Client()
    thief.cookies["sessionid"] = fixed
    assert thief.get("/account/").status_code == 302
    assert browser.get("/account/").status_code == 200


OTHER_HOSTS = ["//evil.example", "https:evil.example", "\\evil", "/\\evil", "\\\\evil", "///evil",
             "https://evil.example/", "javascript:alert(1)", "/\t/evil.example", "\x00//evil",
             "http:///evil.example", " //evil.example"]  # fmt: skip


@pytest.mark.parametrize("goal", OTHER_HOSTS)
@pytest.mark.parametrize(
    "path", ["/account/login/", "/account/register/", "/admin/login/", "/queue/rush/"]
)
def test_next_stays_in_the_shop(alice, path, goal):
    clerk = make_clerk()
    browser = Client()
    email = {"/account/login/": alice.email, "/admin/login/": clerk.email}.get(
        path, "c@example.com"
    )
    password = "three-slow-kettles" if "register" in path else PASSWORD

    answers = [
        browser.get(path, {"next": goal}),
        browser.post(path, {"email": email, "username": email, "password": password, "next": goal}),
        # Signed in by now: the page redirects at once.
        browser.get(path, {"next": goal}),
    ]

    for answer in answers:
        where = answer.headers.get("Location", "/")
        # As a browser reads it, for which a backslash is a slash.
        there = urlsplit(urljoin(f"http://testserver{path}", where.replace("\\", "/")))
        assert (there.scheme, there.netloc) == ("http", "testserver"), where
        assert f'value="{goal}"'.encode() not in answer.content


@pytest.mark.parametrize("path", ["/", "/account/login/", "/admin/login/", "/api/v1/products/"])
@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1@evil.example", "a\x00", "é", "[:",
             "127.0.0.1:x", "127.0.0.1/evil", "evil.local.example"],
)  # fmt: skip
def test_forged_host_is_a_400(visitor, path, host):
    answer = visitor.get(path, headers={"host": host})

    assert answer.status_code == 400
    assert b"evil" not in answer.content


def test_forwarded_host_is_not_trusted(api, mug):
    for _ in range(30):
        OrderFactory()
    listed = api.get("/products/", {"page_size": "1"}, X_Forwarded_Host="evil.example")

    assert b"evil" not in listed.content


# --- Limits and addresses -----------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/account/login/", rate_limits.LOGINS_OF_ADDRESS),
        ("/admin/login/", rate_limits.LOGINS_OF_ADDRESS),
        ("/account/password/reset/", rate_limits.RESETS_OF_ADDRESS),
    ],
)
def test_rotating_forwarded_for_still_meets_the_limit(settings, alice, path, limit, count):
    settings.TRUSTED_PROXIES = count
    for _ in range(limit.amount - 1):
        rate_limits.count(limit, "198.51.100.1" if count else "127.0.0.1")
    codes = [
        Client()
        .post(
            path,
            {"email": f"u{number}", "username": f"u{number}", "password": "x"},
            headers={"X-Forwarded-For": f"203.0.113.{number}, 198.51.100.1"},
        )
        .status_code
        for number in range(3)
    ]

    assert codes[0] in (200, 400)
    assert codes[1:] == [429, 429]


@pytest.mark.parametrize("garbage", ["\x7f, <script>", ",,,,", "1" * 50_000, "::1%\x00", "é"])
def test_garbage_in_forwarded_for_is_no_error(settings, visitor, mug, garbage):
    settings.TRUSTED_PROXIES = 1
    headers = {"X-Forwarded-For": garbage}

    assert visitor.get("/", headers=headers).status_code == 200
    assert visitor.post("/account/login/", {"email": "a"}, headers=headers).status_code == 400
    path = f"/stripe/webhook/{uuid.uuid4()}/"
    assert visitor.post(path, b"{}", "application/json", headers=headers).status_code in (400, 404)
