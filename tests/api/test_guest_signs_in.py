"""A guest's cart moves into the account when their app signs in, as it does on the page."""

import pytest

from apps.cart import carts
from apps.cart.guests import connection, tokens
from tests.api.conftest import Api, problem
from tests.factories import PASSWORD, a_mug

LOGIN = {"email": "alice@example.com", "password": PASSWORD}


@pytest.fixture
def mugs(shop):
    return a_mug(stock=9), a_mug(stock=9)


def lines_of(answer) -> dict[str, int]:
    return {line["sku"]: line["quantity"] for line in answer.json()["lines"]}


def with_two(api, mug) -> str:
    cart = api.new_cart()["id"]
    assert api.put(f"/carts/{cart}/lines/{mug.sku}/", {"quantity": 2}).status_code == 200
    return cart


def signed_in(answer) -> Api:
    assert answer.status_code in (200, 201), answer.content
    app = Api()
    app.headers["Authorization"] = f"Bearer {answer.json()['access']}"
    return app


def test_sign_in_merges_the_cart_of_the_token(api, alice, mugs):
    mug, other_mug = mugs
    carts.set_line(carts.of_user(alice), other_mug.sku, 1)
    guests = with_two(api, mug)

    answer = api.post("/auth/token/", LOGIN)

    own = carts.of_user(alice)
    assert answer.json()["cart"] == str(own.id)
    assert lines_of(signed_in(answer).get(f"/carts/{own.id}/")) == {mug.sku: 2, other_mug.sku: 1}
    problem(api.get(f"/carts/{guests}/"), 404, "not_found")


def test_merged_twice_is_merged_once(api, alice, mugs):
    with_two(api, mugs[0])

    first, second = api.post("/auth/token/", LOGIN), api.post("/auth/token/", LOGIN)

    assert first.json()["cart"] == second.json()["cart"]
    assert lines_of(signed_in(second).post("/carts/")) == {mugs[0].sku: 2}


def test_new_account_has_the_guests_cart(api, mugs):
    with_two(api, mugs[0])
    new = {"email": "carol@example.com", "password": "slow-morning-9"}

    answer = api.post("/auth/register/", new)

    app = signed_in(answer)
    assert lines_of(app.get(f"/carts/{answer.json()['cart']}/")) == {mugs[0].sku: 2}


def test_app_that_signed_in_without_the_token_brings_it_to_its_cart(api, alice, mugs):
    with_two(api, mugs[0])
    app = signed_in(Api().post("/auth/token/", LOGIN))

    assert lines_of(app.post("/carts/", X_Cart_Token=api.headers["X-Cart-Token"])) == {
        mugs[0].sku: 2
    }


def test_cart_that_followed_an_ordered_one_is_merged(api, alice, mugs, buy):
    mug, other_mug = mugs
    cart = with_two(api, mug)
    assert api.checkout(buy(lines=..., cart=cart)).status_code == 202
    assert api.put(f"/carts/{cart}/lines/{other_mug.sku}/", {"quantity": 1}).status_code == 200

    app = signed_in(api.post("/auth/token/", LOGIN))

    assert lines_of(app.post("/carts/")) == {other_mug.sku: 1}


@pytest.mark.parametrize("token", ["x", "0" * 72, "0" * 32 + "f" * 40])
def test_token_that_the_shop_did_not_make_merges_nothing(api, alice, mugs, token):
    answer = api.post("/auth/token/", LOGIN, X_Cart_Token=token)

    assert set(answer.json()) == {"access", "refresh"}
    assert lines_of(signed_in(answer).post("/carts/", X_Cart_Token=token)) == {}


def test_wrong_password_merges_nothing(api, alice, mugs):
    guests = with_two(api, mugs[0])

    problem(api.post("/auth/token/", LOGIN | {"password": "no"}), 401, "authentication_failed")

    assert lines_of(api.get(f"/carts/{guests}/")) == {mugs[0].sku: 2}


def test_sign_in_goes_on_without_redis(api, alice, mugs, monkeypatch):
    guests = with_two(api, mugs[0])
    with monkeypatch.context() as patch:

        def away():
            raise connection.redis.ConnectionError("away")

        patch.setattr(connection, "client", away)
        answer = api.post("/auth/token/", LOGIN)

    assert answer.status_code == 200
    assert lines_of(api.get(f"/carts/{guests}/")) == {mugs[0].sku: 2}
    assert lines_of(signed_in(answer).post("/carts/", X_Cart_Token=api.headers["X-Cart-Token"]))


class TestToken:
    def test_names_its_cart(self, carts_redis):
        cart = carts.create_guest()
        assert tokens.named_by(cart.token) == cart.id
        assert tokens.is_of(cart.token, cart.id)

    def test_is_known_after_a_new_secret_key(self, carts_redis, settings):
        cart = carts.create_guest()
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "another-" * 8

        assert tokens.named_by(cart.token) == cart.id
        assert carts.token_again(cart.id) == cart.token
        assert carts.find(cart.id, token=cart.token) == cart

    def test_is_of_the_carts_that_follow_and_of_no_others(self, carts_redis):
        cart, other = carts.create_guest(), carts.create_guest()
        following = carts.follow(carts.close(cart))

        assert tokens.is_of(cart.token, following.id)
        assert not tokens.is_of(other.token, following.id)
        assert not tokens.is_of(other.token, cart.id)
