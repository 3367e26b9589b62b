"""Limits: a script meets them, a shopper does not; without Redis everybody passes."""

import time

import pytest
import redis
from django.http import HttpResponse
from django.test import RequestFactory

from storefront import rate_limits
from storefront.rate_limits import Limit, LimitReached, address_of, count, refuse_if_reached
from tests.api.conftest import Api, problem
from tests.factories import PASSWORD

THREE = Limit("three", 3, 60)


def test_fourth_of_three_is_refused():
    for _ in range(3):
        count(THREE, "alice")

    with pytest.raises(LimitReached) as reached:
        count(THREE, "alice")

    headers = reached.value.headers
    assert 1 <= int(headers["Retry-After"]) <= 60
    assert headers["RateLimit-Limit"] == "3"
    assert headers["RateLimit-Remaining"] == "0"
    assert headers["RateLimit-Policy"] == "3;w=60"
    count(THREE, "bob")


def test_looking_counts_nothing():
    for _ in range(10):
        refuse_if_reached(THREE, "alice")
    for _ in range(3):
        count(THREE, "alice")

    with pytest.raises(LimitReached):
        refuse_if_reached(THREE, "alice")


def test_switched_off(settings):
    settings.RATE_LIMITS = False

    for _ in range(10):
        count(THREE, "alice")


def test_without_redis_everybody_passes_and_nobody_waits_twice(monkeypatch):
    asked = []

    class Away:
        def hit(self, *args):
            asked.append(args)
            raise redis.TimeoutError("away")

    counter = rate_limits._Counter()
    monkeypatch.setattr(counter, "_limiter", Away())
    monkeypatch.setattr(rate_limits, "_counter", counter)

    for _ in range(10):
        count(THREE, "alice")

    assert len(asked) == 1
    monkeypatch.setattr(counter, "_away_until", time.monotonic() - 1)
    count(THREE, "alice")
    assert len(asked) == 2


def test_dead_redis_costs_no_more_than_its_timeout(settings, monkeypatch):
    settings.RATE_LIMITS_REDIS_URL = "redis://127.0.0.1:1/0"
    monkeypatch.setattr(rate_limits, "_counter", rate_limits._Counter())
    started = time.monotonic()

    for _ in range(100):
        count(THREE, "alice")

    assert time.monotonic() - started < 2


# --- Addresses ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("proxies", "forwarded_for", "expected"),
    [
        (0, "203.0.113.5", "10.0.0.1"),
        (1, "", "10.0.0.1"),
        (1, "203.0.113.5", "203.0.113.5"),
        (1, "1.1.1.1, 203.0.113.5", "203.0.113.5"),
        (1, "1.1.1.1,2.2.2.2 ,  203.0.113.5  ", "203.0.113.5"),
        (2, "1.1.1.1, 203.0.113.5, 10.0.0.2", "203.0.113.5"),
        (2, "203.0.113.5", "10.0.0.1"),
        (1, "garbage", "10.0.0.1"),
        (1, "203.0.113.5, \x00'; DROP", "10.0.0.1"),
        (1, "," * 5000, "10.0.0.1"),
        (1, "1" * 100_000, "10.0.0.1"),
        (1, "203.0.113.5:4711", "203.0.113.5"),
        (1, "[2001:db8::1]:4711", "2001:db8::/64"),
        (1, "2001:db8::2", "2001:db8::/64"),
        (1, "::ffff:203.0.113.5", "203.0.113.5"),
        (1, "fe80::1%eth0", "fe80::/64"),
    ],
)
def test_client_is_whom_our_own_proxies_saw(settings, proxies, forwarded_for, expected):
    settings.TRUSTED_PROXIES = proxies

    assert address_of(peer="10.0.0.1", forwarded_for=forwarded_for) == expected


def test_no_address_at_all():
    assert address_of(peer="", forwarded_for="") == "unknown"


@pytest.mark.parametrize("proxies", [0, 1])
def test_rotating_forwarded_for_still_meets_the_limit(db, settings, proxies):
    settings.TRUSTED_PROXIES = proxies
    codes = set()

    for number in range(rate_limits.LOGINS_OF_ADDRESS.amount + 5):
        codes.add(
            Api()
            .post(
                "/auth/token/",
                {"email": f"u{number}@example.com", "password": "x"},
                X_Forwarded_For=f"203.0.113.{number}, 198.51.100.1",
            )
            .status_code
        )

    assert codes == {401, 429}


def test_garbage_forwarded_for_is_no_500(db, settings):
    settings.TRUSTED_PROXIES = 1

    assert Api().post("/carts/", X_Forwarded_For="\x7f, <script>, ,,,").status_code == 201


# --- The API's limits ---------------------------------------------------------------------------


def exhaust(limit, subject):
    for _ in range(limit.amount):
        count(limit, subject)


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/checkouts/", rate_limits.CHECKOUTS_OF_ADDRESS),
        ("/carts/", rate_limits.NEW_CARTS_OF_ADDRESS),
        ("/auth/register/", rate_limits.REGISTRATIONS_OF_ADDRESS),
        ("/auth/token/", rate_limits.LOGINS_OF_ADDRESS),
        ("/auth/token/refresh/", rate_limits.WRITES_OF_ADDRESS),
        ("/orders/0198b2c4-1234-7123-8123-1234567890ab/cancel/", rate_limits.WRITES_OF_ADDRESS),
    ],
)
def test_writes_are_limited_per_address(db, path, limit):
    exhaust(limit, "192.0.2.1")

    answer = Api("192.0.2.1").post(path, {})

    problem(answer, 429, "rate_limited")
    assert int(answer["Retry-After"]) >= 1
    assert answer["RateLimit-Limit"] == str(limit.amount)
    assert Api("192.0.2.2").post(path, {}).status_code != 429


def test_writes_are_limited_per_customer_wherever_she_is(alice):
    exhaust(rate_limits.WRITES_OF_USER, alice.pk)

    problem(Api("192.0.2.9").as_user(alice).patch("/me/", {"name": "A"}), 429, "rate_limited")


def test_cart_is_limited_wherever_it_is_written_from(api, db):
    cart = api.new_cart()["id"]
    exhaust(rate_limits.WRITES_OF_CART, cart)

    elsewhere = Api("192.0.2.9")
    elsewhere.headers = api.headers
    problem(elsewhere.delete(f"/carts/{cart}/promo/"), 429, "rate_limited")
    assert elsewhere.get(f"/carts/{cart}/").status_code == 200


def test_account_is_limited_wherever_it_is_guessed_from(alice):
    for number in range(rate_limits.LOGINS_OF_ACCOUNT.amount):
        guess = {"email": "alice@example.com", "password": "wrong"}
        Api(f"192.0.2.{number}").post("/auth/token/", guess)

    known = {"email": "Alice@example.com", "password": PASSWORD}
    problem(Api("192.0.2.99").post("/auth/token/", known), 429, "rate_limited")


def test_guessing_tokens_is_404_then_429(db):
    guesser = Api("192.0.2.66")
    path = "/orders/0198b2c4-1234-7123-8123-1234567890ab/status/"
    codes = [
        guesser.get(path, X_Order_Token=f"guess{number}").status_code
        for number in range(rate_limits.WRONG_TOKENS_OF_ADDRESS.amount + 2)
    ]

    assert codes[0] == 404
    assert codes[-1] == 429
    assert codes == sorted(codes)


def test_right_guess_after_too_many_wrong_ones_opens_nothing(api, db):
    cart = api.new_cart()["id"]
    exhaust(rate_limits.WRONG_TOKENS_OF_ADDRESS, "127.0.0.1")

    problem(api.get(f"/carts/{cart}/"), 429, "rate_limited")


def test_looking_around_is_not_limited(db):
    for limit in (rate_limits.WRITES_OF_ADDRESS, rate_limits.CHECKOUTS_OF_ADDRESS):
        exhaust(limit, "192.0.2.1")

    assert Api("192.0.2.1").get("/products/").status_code == 200


# --- For pages ----------------------------------------------------------------------------------


def test_page_behind_a_limit():
    def too_many(request, reached):
        return HttpResponse("slowly", status=429)

    @rate_limits.limited((THREE, rate_limits.by_address), answer=too_many)
    def page(request):
        return HttpResponse("welcome")

    posts = [page(RequestFactory().post("/", REMOTE_ADDR="192.0.2.1")) for _ in range(4)]

    assert [answer.status_code for answer in posts] == [200, 200, 200, 429]
    assert int(posts[-1]["Retry-After"]) >= 1
    assert page(RequestFactory().get("/", REMOTE_ADDR="192.0.2.1")).status_code == 200
