"""Guests' carts in Redis: access by token, lifetime, and behaviour without Redis."""

import socket
import time
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import redis

from apps.cart import basket, carts, guests
from apps.cart.carts import CartNotFound, CartsUnavailable
from apps.cart.guests import connection, loss, tokens
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


def test_the_token_gives_access_to_the_cart():
    cart = carts.create_guest()

    assert carts.find(cart.id, token=cart.token) == cart
    assert len(cart.token) == 72  # the id, and 160 bits
    assert carts.create_guest().token != cart.token


def test_redis_does_not_know_the_token(carts_redis, mug):
    cart = carts.add(carts.create_guest(), mug)

    kept = carts_redis.hgetall(key_of(cart))

    assert cart.token not in str(kept)
    assert kept.keys() == {"token", "promos", "version", "next", f"sku:{mug}"}


def test_a_signed_in_shopper_still_finds_their_guest_cart():
    cart = carts.create_guest()

    assert carts.find(cart.id, token=cart.token, user=make_alice()) == cart


def test_a_cart_lives_for_two_weeks_after_the_last_change(carts_redis, settings, mug):
    fortnight = timedelta(days=14).total_seconds()
    assert settings.CART_TIME.total_seconds() == fortnight
    cart = carts.create_guest()

    def left():
        return carts_redis.pttl(key_of(cart)) / 1000

    def almost_expire():
        carts_redis.expire(key_of(cart), 60)

    assert fortnight - 5 < left() <= fortnight
    for change in (
        lambda: carts.add(cart, mug),
        lambda: carts.set_line(cart, mug, 2),
        lambda: carts.set_promos(cart, ["WELCOME10"]),
        lambda: carts.set_line(cart, mug, 0),
    ):
        almost_expire()
        change()
        assert fortnight - 5 < left() <= fortnight


def test_changes_do_not_keep_a_cart_for_ever(carts_redis, settings, mug):
    """Otherwise an attacker could collect carts without end by changing each now and then."""
    assert settings.CART_AGE_MAX == 2 * settings.CART_TIME
    cart = carts.create_guest()
    settings.CART_AGE_MAX = timedelta(hours=1)

    for change in (lambda: carts.add(cart, mug), lambda: carts.set_promos(cart, ["WELCOME10"])):
        change()
        assert 3590 < carts_redis.ttl(key_of(cart)) <= 3600

    settings.CART_AGE_MAX = timedelta(0)
    assert carts.add(cart, mug).quantity_of(mug) == 2, (
        "a change at the very end still returns the cart"
    )


def test_largest_cart_takes_no_more_memory_than_the_docs_say(carts_redis):
    """docs/operations.md says from these bytes how many carts one address can fill."""

    def filled(lines, sku_length):
        cart = carts.create_guest()
        for number in range(lines):
            guests.add(cart, f"{number:03d}".ljust(sku_length, "S"), 999, available=999, most=999)
        return carts_redis.memory_usage(key_of(cart))

    assert filled(3, 12) <= 500
    assert filled(basket.LINES_MAX, 12) <= 3_000
    assert filled(basket.LINES_MAX, basket.SKU_LENGTH_MAX) <= 15_000


def test_reading_a_cart_does_not_extend_it(carts_redis):
    cart = carts.create_guest()
    carts_redis.expire(key_of(cart), 60)

    carts.find(cart.id, token=cart.token)

    assert carts_redis.ttl(key_of(cart)) <= 60


def test_an_unchanged_cart_expires(settings, mug):
    settings.CART_TIME = timedelta(milliseconds=30)
    cart = carts.create_guest()
    time.sleep(0.05)

    with pytest.raises(CartNotFound):
        carts.find(cart.id, token=cart.token)
    with pytest.raises(CartNotFound):
        carts.add(cart, mug)


def test_an_ordered_cart_is_closed_and_open_again_when_the_order_is_cancelled(mug):
    cart = carts.add(carts.create_guest(), mug)

    closed = carts.close(cart)

    assert closed == replace(cart, open=False)
    assert carts.find(cart.id, token=cart.token) == closed
    assert carts.close(cart) == closed
    assert carts.next_of(closed) is None
    assert carts.reopen(cart.id, token=cart.token) == cart
    assert carts.reopen(cart.id, token=cart.token) == cart
    assert carts.add(cart, mug).quantity_of(mug) == 2


def test_an_ordered_cart_does_not_change_any_more(mug):
    closed = carts.close(carts.add(carts.create_guest(), mug))

    for change in (
        lambda: carts.add(closed, mug),
        lambda: carts.set_line(closed, mug, 0),
        lambda: carts.set_promos(closed, ["WELCOME10"]),
    ):
        with pytest.raises(carts.CartClosed):
            change()

    assert carts.find(closed.id, token=closed.token) == closed


def test_one_cart_follows_an_ordered_one_and_has_its_token(mug):
    closed = carts.close(carts.add(carts.create_guest(), mug))

    following = carts.follow(closed)

    assert (following.token, following.lines, following.open) == (closed.token, (), True)
    assert carts.follow(closed) == carts.next_of(closed) == following
    second = carts.close(carts.add(following, mug))
    third = carts.follow(closed)
    assert third.id not in (closed.id, second.id)
    assert carts.next_of(closed) == third, "through all the carts between"


def test_an_ordered_cart_is_never_merged_again_but_what_followed_it_is(mug):
    other = a_mug(stock=10).sku
    read = carts.add(carts.create_guest(), mug)
    carts.add(read, other)
    closed = carts.close(read)
    alice = make_alice()

    merged = carts.merge(closed, alice)

    assert [(line.sku, line.quantity) for line in merged.lines] == [(other, 1)]
    assert carts.merge(closed, alice) == merged
    assert carts.next_of(closed) is None


def test_lines_are_restored_to_a_guest_who_has_signed_in_since(mug):
    ordered = carts.add(carts.create_guest(), mug)
    alice = make_alice()

    restored = carts.reopen(ordered.id, token=ordered.token, user=alice)

    assert restored == carts.of_user(alice)
    assert restored.lines == ordered.lines


@pytest.fixture
def a_closed_port(settings):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        settings.CARTS_REDIS_URL = f"redis://127.0.0.1:{bound.getsockname()[1]}/3"
        yield


@pytest.fixture
def a_frozen_server(settings):
    """Accepts connections and never answers, as Redis does after SIGSTOP."""
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


@pytest.mark.parametrize("failure", ["a_closed_port", "a_frozen_server"])
def test_without_redis_every_call_fails_soon_with_carts_unavailable(failure, mug, request):
    cart = carts.create_guest()
    request.getfixturevalue(failure)

    for call in every_call(cart, mug):
        started = time.monotonic()
        with pytest.raises(CartsUnavailable):
            call()
        # Half a second to connect, half a second for the answer; a second try would take two.
        assert time.monotonic() - started < 1.9


def test_without_redis_customers_carts_still_work(a_closed_port, mug):
    alice = make_alice()
    cart = carts.add(carts.of_user(alice), mug)

    assert carts.find(cart.id, user=alice) == cart


def test_a_full_redis_refuses_changes_and_keeps_its_carts(carts_redis, mug):
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


def test_client_recovers_after_a_restart_of_redis(carts_redis, mug):
    cart = carts.add(carts.create_guest(), mug)

    # To a client a restart means dropped connections and unknown scripts.
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
    """`may_be_lost`: whether a missing cart may have existed a moment ago."""

    def test_is_reported_after_redis_was_emptied(self, carts_redis):
        cart = carts.create_guest()
        assert not carts.may_be_lost(cart.id, cart.token)

        carts_redis.flushall()
        time.sleep(0.01)

        assert carts.may_be_lost(cart.id, cart.token), "no other cart exists yet"
        later = carts.create_guest()
        assert carts.may_be_lost(cart.id, cart.token)
        assert not carts.may_be_lost(later.id, later.token)

    def test_is_reported_after_redis_was_started(self, carts_redis, monkeypatch):
        """Redis comes back without its last second, but with an old `carts:since`."""
        cart = carts.create_guest()
        carts_redis.set("carts:since", time.time() - 86_400)
        up = carts_redis.info("server")["uptime_in_seconds"]
        made = time.time() - up - 30
        old = UUID(int=(int(made * 1000) << 80) | (cart.id.int & ((1 << 80) - 1)))

        monkeypatch.setattr(loss, "LOSS_MATTERS_FOR", timedelta(seconds=up + 30))
        token = tokens.token_of(old)
        assert carts.may_be_lost(old, token)
        assert not carts.may_be_lost(cart.id, cart.token)
        monkeypatch.setattr(loss, "LOSS_MATTERS_FOR", timedelta(seconds=up))
        assert not carts.may_be_lost(old, token), "too long ago"

    def test_is_not_reported_for_ids_that_are_not_ours(self, carts_redis):
        assert not carts.may_be_lost(uuid4(), None)

    def test_is_unknown_while_redis_is_down(self, monkeypatch):
        def down():
            raise redis.ConnectionError("down")

        cart = carts.create_guest()
        monkeypatch.setattr(connection, "client", down)
        with pytest.raises(CartsUnavailable):
            carts.may_be_lost(cart.id, cart.token)
