"""Limits: a script meets them, a shopper does not, whether or not Redis can count."""

import time
from contextlib import suppress

import pytest
import redis
from django.http import HttpResponse
from django.test import RequestFactory

from apps.core import rate_limits
from apps.core.client_addresses import address_of
from apps.core.rate_limits import (
    Limit,
    LimitReached,
    count,
    count_all,
    counting,
    refuse_if_reached,
)
from tests.api.conftest import Api, problem
from tests.factories import PASSWORD
from tests.redis_settings import full
from tools import embedded

THREE = Limit("three", 3, 60)
TEN = Limit("ten", 10, 60)


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


def test_several_are_counted_together_and_each_once():
    for _ in range(3):
        count_all([(THREE, "alice"), (TEN, "alice")])

    with pytest.raises(LimitReached):
        refuse_if_reached(THREE, "alice")
    assert left_of(TEN, "alice") == 7


def test_what_comes_after_a_limit_that_is_reached_is_not_counted():
    for _ in range(3):
        count(THREE, "alice")

    with pytest.raises(LimitReached) as reached:
        count_all([(TEN, "alice"), (THREE, "alice"), (WIDE, "alice")])

    assert reached.value.limit == THREE
    assert 1 <= reached.value.retry_after <= 60
    assert (left_of(TEN, "alice"), left_of(WIDE, "alice")) == (9, 3)


def left_of(limit, subject):
    """How often `subject` may still be counted, by trying."""
    for times in range(limit.amount + 1):
        try:
            count(limit, subject)
        except LimitReached:
            return times
    raise AssertionError("more than the limit")


def test_switched_off(settings):
    settings.RATE_LIMITS = False

    for _ in range(10):
        count(THREE, "alice")
        count_all([(THREE, "alice")])


# --- Redis cannot count -------------------------------------------------------------------------


@pytest.fixture
def fresh_counter(monkeypatch):
    """As in a process that has just started."""
    counter = counting._Counter()
    monkeypatch.setattr(counting, "_counter", counter)
    return counter


@pytest.fixture(params=["away", "full", "read-only"])
def no_counting_redis(request, settings, fresh_counter, redis_servers):
    """Redis does not answer, takes no more writes and evicts nothing, or is a replica."""
    server = redis_servers[embedded.REDIS_LIMITS]
    if request.param == "away":
        settings.RATE_LIMITS_REDIS_URL = "redis://127.0.0.1:1/0"
        yield
    elif request.param == "full":
        with full(server):
            yield
    else:
        server.replicaof("127.0.0.1", 1)
        yield
        server.replicaof("no", "one")


WIDE = Limit("wide", 3, 60, wide=True)


def test_guesser_meets_the_limit_while_redis_cannot_count(no_counting_redis):
    for _ in range(3):
        refuse_if_reached(THREE, "alice")
        count(THREE, "alice")

    with pytest.raises(LimitReached) as reached:
        count(THREE, "alice")
    with pytest.raises(LimitReached):
        refuse_if_reached(THREE, "alice")

    assert 1 <= int(reached.value.headers["Retry-After"]) <= 60
    count(THREE, "bob")
    rate_limits.forget(THREE, "alice")
    count(THREE, "alice")


def test_several_are_counted_by_the_process_while_redis_cannot_count(no_counting_redis):
    for _ in range(3):
        count_all([(WIDE, "alice"), (THREE, "alice")])

    with pytest.raises(LimitReached) as reached:
        count_all([(WIDE, "alice"), (THREE, "alice")])
    assert reached.value.limit == THREE


def test_wide_limit_lets_everybody_through_while_redis_cannot_count(no_counting_redis):
    for _ in range(10):
        count(WIDE, "alice")


def test_passwords_are_not_guessed_on_a_full_redis(alice, no_counting_redis):
    guess = {"email": "alice@example.com", "password": "wrong"}
    codes = [
        Api(f"192.0.2.{number}").post("/auth/token/", guess).status_code
        for number in range(rate_limits.LOGINS_OF_ACCOUNT.amount + 3)
    ]

    assert set(codes) == {401, 429}
    # One more where the minute ended between the tries: the window slides.
    assert codes.count(401) <= rate_limits.LOGINS_OF_ACCOUNT.amount + 1


def test_limits_that_guard_something_are_counted_wherever_redis_is():
    guarding = {limit.name for limit in vars(rate_limits).values() if is_limit(limit, wide=False)}

    assert guarding >= {
        "logins-address", "logins-account", "registrations-address", "wrong-tokens",
        "promo-tries-address", "carts-address",
    }  # fmt: skip


def is_limit(value, *, wide):
    return isinstance(value, Limit) and value.wide is wide


def test_crowd_of_invented_subjects_shares_one_count_and_no_more_memory(
    settings, fresh_counter, monkeypatch
):
    settings.RATE_LIMITS_REDIS_URL = "redis://127.0.0.1:1/0"
    monkeypatch.setattr(counting, "OWN_SUBJECTS_MAX", 5)
    for number in range(5):
        count(THREE, f"known {number}")

    passed = 0
    for number in range(20):
        with suppress(LimitReached):
            count(THREE, f"invented {number}")
            passed += 1

    assert passed == 3
    count(THREE, "known 1")
    assert len(fresh_counter._own[THREE.name].storage.storage) == 6


def test_script_that_redis_has_forgotten_is_sent_again(redis_servers):
    count(THREE, "alice")
    redis_servers[embedded.REDIS_LIMITS].script_flush()
    count(THREE, "alice")
    count(THREE, "alice")

    with pytest.raises(LimitReached):
        count(THREE, "alice")


def test_no_request_waits_twice_for_a_redis_that_is_away(monkeypatch):
    asked = []

    class Away:
        def hit(self, *args):
            asked.append(args)
            raise redis.TimeoutError("away")

    counter = counting._Counter()
    monkeypatch.setattr(counter, "_limiter", Away())
    monkeypatch.setattr(counting, "_counter", counter)

    for _ in range(10):
        count(WIDE, "alice")

    assert len(asked) == 1
    monkeypatch.setattr(counter, "_away_until", time.monotonic() - 1)
    count(WIDE, "alice")
    assert len(asked) == 2


def test_dead_redis_costs_no_more_than_its_timeout(settings, fresh_counter):
    settings.RATE_LIMITS_REDIS_URL = "redis://127.0.0.1:1/0"
    started = time.monotonic()

    for number in range(100):
        count(THREE, number)

    assert time.monotonic() - started < 10


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


def test_writes_are_limited_per_customer_at_whatever_address(alice):
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
        for number in range(rate_limits.WRONG_TOKENS.amount + 2)
    ]

    assert codes[0] == 404
    assert codes[-1] == 429
    assert codes == sorted(codes)


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
