"""A cart that never was is not found, whatever has happened to Redis; one that was lost is open."""

from uuid import uuid4

import pytest
from uuid_utils.compat import uuid7

from tests.api.conftest import Api, problem


@pytest.fixture
def body(api, mug, buy):
    cart = api.new_cart()["id"]
    assert api.put(f"/carts/{cart}/lines/{mug.sku}/", {"quantity": 1}).status_code == 200
    return buy(lines=..., cart=cart)


@pytest.mark.parametrize("made", [uuid4, uuid7])
def test_unknown_cart_is_not_found_after_redis_was_emptied(api, other, body, made, empty_all_redis):
    unknown = body | {"cart": str(made())}
    empty_all_redis()

    # With the token of another cart, with one that is none, and without.
    problem(api.checkout(unknown), 404, "not_found")
    problem(api.checkout(unknown, X_Cart_Token="guess"), 404, "not_found")
    problem(other.checkout(unknown), 404, "not_found")
    problem(api.get(f"/carts/{unknown['cart']}/"), 404, "not_found")


def test_strangers_do_not_hear_that_a_cart_was_lost(api, body, empty_all_redis):
    stranger = Api("203.0.113.9")
    stranger.new_cart()
    empty_all_redis()

    problem(stranger.checkout(body), 404, "not_found")
    problem(api.checkout(body), 503, "outcome_unknown")


def test_cart_that_followed_an_ordered_one_is_lost_as_well(api, body, mug, empty_all_redis):
    assert api.checkout(body).status_code == 202
    line = f"/carts/{body['cart']}/lines/{mug.sku}/"
    following = api.put(line, {"quantity": 1}).json()["id"]
    assert following != body["cart"]
    empty_all_redis()

    problem(api.checkout(body | {"cart": following}), 503, "outcome_unknown")
