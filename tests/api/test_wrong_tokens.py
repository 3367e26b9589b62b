"""A wrong token is refused, and then refused as one of too many; the right one always opens."""

import pytest
from uuid_utils.compat import uuid7

from apps.core import rate_limits
from apps.orders.tokens import order_token
from tests.api.conftest import Api, problem
from tests.factories import OrderEventFactory, OrderFactory

LIMIT = rate_limits.WRONG_TOKENS.amount


@pytest.fixture
def order(db):
    order = OrderFactory()
    OrderEventFactory(order=order)
    return order


def guess(client: Api, path: str, header: str, *, times: int) -> list[int]:
    return [client.get(path, **{header: f"{n:040x}"}).status_code for n in range(times)]


def test_right_token_of_an_order_opens_it_after_any_number_of_wrong_ones(order):
    path, household = f"/orders/{order.pk}/", Api("192.0.2.66")
    wrong = guess(household, path, "X-Order-Token", times=LIMIT + 2)
    assert wrong == [404] * LIMIT + [429] * 2

    right = {"X-Order-Token": order_token(order.pk)}

    assert household.get(path, **right).status_code == 200
    assert Api("192.0.2.67").get(path, **right).status_code == 200
    assert household.get(f"{path}status/", **right).status_code == 200


def test_right_token_of_a_cart_opens_it_after_any_number_of_wrong_ones(api, db):
    cart = api.new_cart()["id"]
    path = f"/carts/{cart}/"
    assert guess(Api(), path, "X-Cart-Token", times=LIMIT + 1)[-1] == 429

    assert api.get(path).status_code == 200
    assert api.delete(f"{path}promo/").status_code == 200


def test_wrong_tokens_for_one_order_do_not_count_for_another(order):
    other = OrderFactory(pk=uuid7())
    OrderEventFactory(order=other)
    guesser = Api("192.0.2.66")
    assert guess(guesser, f"/orders/{order.pk}/", "X-Order-Token", times=LIMIT + 1)[-1] == 429

    assert guess(guesser, f"/orders/{other.pk}/", "X-Order-Token", times=1) == [404]


def test_guesses_from_many_addresses_count_together(order):
    path = f"/orders/{order.pk}/"
    for n in range(LIMIT):
        Api(f"198.51.100.{n}").get(path, X_Order_Token="0" * 40)

    refused = Api("203.0.113.5").get(path, X_Order_Token="1" * 40)

    problem(refused, 429, "rate_limited")
    assert int(refused["Retry-After"]) >= 1


def test_id_that_does_not_exist_is_answered_as_one_that_does(db):
    path = f"/orders/{uuid7()}/"

    assert guess(Api(), path, "X-Order-Token", times=LIMIT + 1) == [404] * LIMIT + [429]


def test_request_without_a_token_is_no_guess(order, alice):
    path = f"/orders/{order.pk}/"

    strangers = [Api().get(path), Api().as_user(alice).get(path)] * (LIMIT // 2 + 2)

    assert {answer.status_code for answer in strangers} == {404}


def test_owner_is_not_kept_out_by_a_wrong_token(order, alice):
    order.user = alice
    order.save()
    path = f"/orders/{order.pk}/"
    guess(Api(), path, "X-Order-Token", times=LIMIT + 1)

    assert Api().as_user(alice).get(path, X_Order_Token="0" * 40).status_code == 200


def test_checkout_with_the_right_token_is_taken_after_wrong_ones(api, mug, buy):
    cart = api.new_cart()["id"]
    assert api.put(f"/carts/{cart}/lines/{mug.sku}/", {"quantity": 1}).status_code == 200
    body = buy(lines=..., cart=cart)
    thief = Api("192.0.2.66")
    codes = [thief.checkout(body, X_Cart_Token=f"{n:040x}").status_code for n in range(LIMIT + 1)]
    assert codes == [404] * LIMIT + [429]

    assert api.checkout(body).status_code == 202
