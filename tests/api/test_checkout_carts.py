"""POST /checkouts/ with a cart: ordered once, by its owner, and told when the cart is gone."""

from datetime import timedelta
from uuid import uuid4

import pytest
import redis
from uuid_utils.compat import uuid7

from apps.inventory.models import StockItem
from apps.orders.models import Order
from tests.api.conftest import Api, held, problem
from tests.factories import PromoFactory, make_bob


@pytest.fixture
def cart_of(mug):
    def make(api):
        cart = api.new_cart()
        assert api.put(f"/carts/{cart['id']}/lines/{mug.sku}/", {"quantity": 2}).status_code == 200
        return cart["id"]

    return make


def test_guest_orders_their_cart(api, buy, cart_of, mug):
    answer = api.checkout(buy(lines=..., cart=cart_of(api)))

    assert answer.json()["order"]["total"]["amount"] == "41.99"
    assert held(mug) == 2


def test_customer_orders_their_cart(api, buy, cart_of, alice):
    answer = api.as_user(alice).checkout(buy(lines=..., cart=cart_of(api)))

    assert answer.status_code == 202
    assert Order.objects.get().user_id == alice.pk


@pytest.fixture(params=["guest", "customer"])
def shopper(request, shop, alice):
    return Api().as_user(alice) if request.param == "customer" else Api()


def test_retry_of_an_ordered_cart_replays(shopper, buy, cart_of):
    body = buy(lines=..., cart=cart_of(shopper))
    first = shopper.checkout(body, key="k-1")
    again = shopper.checkout(body, key="k-1")

    assert first.status_code == again.status_code == 202, again.content
    assert again["Idempotent-Replayed"] == "true"
    assert again.json() == first.json()


class TestCartThatIsGone:
    """Redis was emptied, or is away, between two tries with one key."""

    @pytest.fixture
    def body(self, api, buy, cart_of):
        return buy(lines=..., cart=cart_of(api))

    def test_what_was_ordered_with_it_is_told(self, api, body, empty_all_redis):
        first = api.checkout(body, key="k-1")
        empty_all_redis()
        again = api.checkout(body, key="k-1")

        assert first.status_code == again.status_code == 202, again.content
        assert again["Idempotent-Replayed"] == "true"
        assert again.json() == first.json()
        other = body | {"email": "bob@example.com"}
        problem(api.checkout(other, key="k-1"), 422, "idempotency_key_reused")
        assert Order.objects.count() == 1

    def test_while_redis_is_away_it_is_told_too(self, api, body, monkeypatch):
        first = api.checkout(body, key="k-1")

        def away():
            raise redis.ConnectionError("away")

        monkeypatch.setattr("apps.cart.guests.connection.client", away)
        assert api.checkout(body, key="k-1").json() == first.json()
        problem(api.checkout(body, key="k-2"), 503, "overloaded")

    def test_client_that_was_cut_off_cannot_be_told_at_once(self, api, body, empty_all_redis):
        """The first try may be on its way in another process, with the cart as it was."""
        empty_all_redis()

        refused = api.checkout(body, key="k-1")

        problem(refused, 503, "outcome_unknown")
        assert refused["Retry-After"] == "2"

    def test_soon_it_is_known_that_nothing_was_ordered(
        self, api, body, empty_all_redis, monkeypatch
    ):
        empty_all_redis()
        monkeypatch.setattr("apps.cart.guests.loss.LOSS_MATTERS_FOR", timedelta(0))

        problem(api.checkout(body, key="k-1"), 404, "not_found")

    def test_which_never_was_is_not_found(self, api, buy):
        api.new_cart()
        for cart in (uuid4(), uuid7()):
            problem(api.checkout(buy(lines=..., cart=str(cart))), 404, "not_found")


def test_cart_in_two_tabs_is_ordered_once(shopper, buy, cart_of):
    body = buy(lines=..., cart=cart_of(shopper))
    first = shopper.checkout(body).json()["order"]

    second = problem(shopper.checkout(body), 409, "cart_already_ordered")

    assert second["order"] == {"id": first["id"], "number": first["number"]}
    assert Order.objects.count() == 1


def test_second_tab_is_told_of_the_order_rather_than_of_its_promo(shopper, buy, cart_of):
    PromoFactory(code="ONCE", one_use=True)
    body = buy(lines=..., cart=cart_of(shopper))
    assert shopper.put(f"/carts/{body['cart']}/promo/", {"code": "once"}).status_code == 200
    assert shopper.checkout(body).status_code == 202

    problem(shopper.checkout(body), 409, "cart_already_ordered")


def test_cart_of_a_cancelled_order_can_be_ordered_again(api, buy, cart_of):
    body = buy(lines=..., cart=cart_of(api))
    first = api.checkout(body)
    Order.objects.filter(pk=first.json()["order"]["id"]).update(status="CANCELLED")
    StockItem.objects.update(reserved=0)

    assert api.checkout(body).status_code == 202


def test_strangers_cart_cannot_be_ordered(api, other, buy, cart_of, alice):
    of_alice = cart_of(Api().as_user(alice))
    of_guest = cart_of(api)

    problem(other.checkout(buy(lines=..., cart=of_guest)), 404, "not_found")
    problem(other.checkout(buy(lines=..., cart=of_alice)), 404, "not_found")
    bob = Api("203.0.113.9").as_user(make_bob())
    problem(bob.checkout(buy(lines=..., cart=of_alice)), 404, "not_found")
    assert not Order.objects.exists()


def test_empty_cart_cannot_be_ordered(api, buy):
    answer = api.checkout(buy(lines=..., cart=api.new_cart()["id"]))

    assert problem(answer, 400, "invalid")["errors"][0]["code"] == "empty"
    assert not Order.objects.exists()


def test_cart_keeps_its_promo(api, buy, cart_of):
    PromoFactory(code="MORNING")
    cart = cart_of(api)
    assert api.put(f"/carts/{cart}/promo/", {"code": "morning"}).status_code == 200

    answer = api.checkout(buy(lines=..., cart=cart))

    assert answer.json()["order"]["total"]["amount"] == "38.39"
