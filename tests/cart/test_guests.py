"""Guests' carts in Redis: whose they are, how long they live, what happens when Redis is away."""

import socket
import time
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import redis

from apps.cart import carts, guests
from apps.cart.carts import CartNotFound, CartsUnavailable
from tests.factories import a_mug, make_alice

pytestmark = pytest.mark.django_db


@pytest.fixture
def carts_redis(settings, redis_of_tests):
    with redis.Redis.from_url(settings.CARTS_REDIS_URL, decode_responses=True) as client:
        yield client


@pytest.fixture
def mug():
    return a_mug(stock=10).sku


def key_of(cart):
    return f"cart:{cart.id.hex}"


def test_the_token_is_the_right_to_the_cart():
    cart = carts.create_guest()

    assert carts.find(cart.id, token=cart.token) == cart
    assert len(cart.token) == 43  # 256 bits
    assert carts.create_guest().token != cart.token


def test_redis_does_not_know_the_token(carts_redis, mug):
    cart = carts.add(carts.create_guest(), mug)

    kept = carts_redis.hgetall(key_of(cart))

    assert cart.token not in str(kept)
    assert kept.keys() == {"token", "promos", "version", "next", f"sku:{mug}"}


def test_a_signed_in_shopper_still_finds_her_guests_cart():
    cart = carts.create_guest()

    assert carts.find(cart.id, token=cart.token, user=make_alice()) == cart


def test_a_cart_lives_for_two_weeks_after_the_last_change(carts_redis, settings, mug):
    fortnight = timedelta(days=14).total_seconds()
    assert settings.CART_TIME.total_seconds() == fortnight
    cart = carts.create_guest()

    def left():
        return carts_redis.pttl(key_of(cart)) / 1000

    def days_pass():
        carts_redis.expire(key_of(cart), 60)

    assert fortnight - 5 < left() <= fortnight
    for change in (
        lambda: carts.add(cart, mug),
        lambda: carts.set_line(cart, mug, 2),
        lambda: carts.set_promos(cart, ["WELCOME10"]),
        lambda: carts.set_line(cart, mug, 0),
    ):
        days_pass()
        change()
        assert fortnight - 5 < left() <= fortnight


def test_looking_at_a_cart_does_not_keep_it(carts_redis):
    cart = carts.create_guest()
    carts_redis.expire(key_of(cart), 60)

    carts.find(cart.id, token=cart.token)

    assert carts_redis.ttl(key_of(cart)) <= 60


def test_a_cart_that_nobody_touched_is_gone(settings, mug):
    settings.CART_TIME = timedelta(milliseconds=30)
    cart = carts.create_guest()
    time.sleep(0.05)

    with pytest.raises(CartNotFound):
        carts.find(cart.id, token=cart.token)
    with pytest.raises(CartNotFound):
        carts.add(cart, mug)


def test_a_guests_cart_stays_when_it_is_ordered(mug):
    cart = carts.add(carts.create_guest(), mug)

    assert carts.close(cart) == cart
    assert carts.find(cart.id, token=cart.token) == cart
    assert carts.reopen(cart.id, token=cart.token) == cart


def test_who_signed_in_after_ordering_as_a_guest_gets_the_lines_back(mug):
    ordered = carts.add(carts.create_guest(), mug)
    alice = make_alice()

    back = carts.reopen(ordered.id, token=ordered.token, user=alice)

    assert back == carts.of_user(alice)
    assert back.lines == ordered.lines


@pytest.fixture
def a_closed_port(settings):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        settings.CARTS_REDIS_URL = f"redis://127.0.0.1:{taken.getsockname()[1]}/3"
        yield


@pytest.fixture
def a_frozen_server(settings):
    """Takes connections, never answers: what SIGSTOP makes of Redis."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        settings.CARTS_REDIS_URL = f"redis://127.0.0.1:{server.getsockname()[1]}/3"
        yield


def every_call(cart, sku):
    return [
        carts.create_guest,
        lambda: carts.find(cart.id, token=cart.token),
        lambda: carts.add(cart, sku),
        lambda: carts.set_line(cart, sku, 0),
        lambda: carts.set_promos(cart, ["WELCOME10"]),
    ]


@pytest.mark.parametrize("trouble", ["a_closed_port", "a_frozen_server"])
def test_without_redis_every_call_ends_soon_and_by_name(trouble, mug, request):
    cart = carts.create_guest()
    request.getfixturevalue(trouble)

    for call in every_call(cart, mug):
        started = time.monotonic()
        with pytest.raises(CartsUnavailable):
            call()
        # Half a second to connect, half a second for the answer, no second try.
        assert time.monotonic() - started < 1.4


def test_without_redis_customers_shop_on(a_closed_port, mug):
    alice = make_alice()
    cart = carts.add(carts.of_user(alice), mug)

    assert carts.find(cart.id, user=alice) == cart


def test_a_full_redis_refuses_by_name_and_keeps_what_it_has(carts_redis, mug):
    cart = carts.add(carts.create_guest(), mug)
    limit = carts_redis.config_get("maxmemory")["maxmemory"]
    policy = carts_redis.config_get("maxmemory-policy")["maxmemory-policy"]
    carts_redis.config_set("maxmemory-policy", "noeviction")
    carts_redis.config_set("maxmemory", 1)
    try:
        with pytest.raises(CartsUnavailable):
            carts.add(cart, mug)
        with pytest.raises(CartsUnavailable):
            carts.create_guest()
        assert carts.find(cart.id, token=cart.token) == cart
    finally:
        carts_redis.config_set("maxmemory", limit)
        carts_redis.config_set("maxmemory-policy", policy)


def test_a_restarted_redis_is_found_again(carts_redis, mug):
    cart = carts.add(carts.create_guest(), mug)

    # Dropped connections and forgotten scripts are what a restart looks like from here.
    carts_redis.script_flush()
    carts_redis.client_kill_filter(_type="normal", skipme=True)

    assert carts.add(cart, mug).quantity_of(mug) == 2


def test_an_emptied_redis_is_an_unknown_cart(carts_redis):
    cart = carts.create_guest()
    carts_redis.flushall()

    with pytest.raises(CartNotFound):
        carts.find(cart.id, token=cart.token)


def test_a_find_is_one_round_trip(carts_redis, mug):
    cart = carts.add(carts.create_guest(), mug)
    before = carts_redis.info("commandstats")["cmdstat_hgetall"]["calls"]

    guests.find(cart.id, cart.token)

    assert carts_redis.info("commandstats")["cmdstat_hgetall"]["calls"] == before + 1


class TestLoss:
    """Whether a cart that is not there may have been, a moment ago."""

    def test_is_felt_after_redis_was_emptied(self, carts_redis):
        cart = carts.create_guest()
        assert not carts.may_be_lost(cart.id)

        carts_redis.flushall()
        time.sleep(0.01)

        assert carts.may_be_lost(cart.id), "nobody else has a cart yet"
        later = carts.create_guest()
        assert carts.may_be_lost(cart.id)
        assert not carts.may_be_lost(later.id)

    def test_is_felt_after_redis_was_started(self, carts_redis, monkeypatch):
        """It comes back without its last second, and with the mark of the first day."""
        cart = carts.create_guest()
        carts_redis.set("carts:since", time.time() - 86_400)
        up = carts_redis.info("server")["uptime_in_seconds"]
        made = time.time() - up - 30
        old = UUID(int=(int(made * 1000) << 80) | (cart.id.int & ((1 << 80) - 1)))

        monkeypatch.setattr(guests, "LOSS_IS_FELT_FOR", timedelta(seconds=up + 30))
        assert carts.may_be_lost(old)
        assert not carts.may_be_lost(cart.id)
        monkeypatch.setattr(guests, "LOSS_IS_FELT_FOR", timedelta(seconds=up))
        assert not carts.may_be_lost(old), "that is over"

    def test_is_no_excuse_for_what_is_not_ours(self, carts_redis):
        assert not carts.may_be_lost(uuid4())

    def test_cannot_be_told_while_redis_is_away(self, monkeypatch):
        def away():
            raise redis.ConnectionError("away")

        cart = carts.create_guest()
        monkeypatch.setattr(guests, "_client", away)
        with pytest.raises(CartsUnavailable):
            carts.may_be_lost(cart.id)
