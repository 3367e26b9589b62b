"""A stolen Idempotency-Key gives access to nothing. Keys are written in logs and in forms.

Each request that takes a key is sent with another person's key, without their session or token.
"""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
import redis

from apps.cart import guests
from apps.catalog.models import Variant
from apps.customers.models import User
from apps.orders.models import Order
from apps.orders.tokens import order_token
from tests.api.conftest import Api, problem
from tests.factories import ADDRESS, a_mug, make_bob
from tests.web.conftest import Visitor

Buy = Callable[..., dict[str, Any]]


@pytest.fixture
def teapot(mug: Variant) -> Variant:
    """What the attacker has in their own cart."""
    return a_mug(stock=5, price=900)


@pytest.fixture
def form_of_alice(visitor: Visitor, mug: Variant) -> dict[str, str]:
    """The form with which a guest has just ordered; it holds the order's key."""
    visitor.add(mug)
    form = visitor.checkout_form()
    assert visitor.post("/checkout/", form)["Location"].startswith("/orders/")
    return form


def by_page(visitor: Visitor, mug: Variant, api: Api, buy: Buy, alice: User) -> str:
    visitor.add(mug)
    form = visitor.checkout_form()
    visitor.post("/checkout/", form)
    return form["key"]


def by_page_signed_in(visitor: Visitor, mug: Variant, api: Api, buy: Buy, alice: User) -> str:
    visitor.force_login(alice)
    return by_page(visitor, mug, api, buy, alice)


def by_app(visitor: Visitor, mug: Variant, api: Api, buy: Buy, alice: User) -> str:
    key = str(uuid4())
    assert api.checkout(buy(), key=key).status_code == 202
    return key


def by_app_signed_in(visitor: Visitor, mug: Variant, api: Api, buy: Buy, alice: User) -> str:
    key = str(uuid4())
    assert api.as_user(alice).checkout(buy(), key=key).status_code == 202
    return key


@pytest.fixture(params=[by_page, by_page_signed_in, by_app, by_app_signed_in])
def stolen_key(
    request: pytest.FixtureRequest,
    visitor: Visitor,
    mug: Variant,
    api: Api,
    buy: Buy,
    alice: User,
) -> str:
    """The key of an order that alice has made, as a guest or signed in, by page or by an app."""
    key: str = request.param(visitor, mug, api, buy, alice)
    assert Order.objects.count() == 1
    return key


def reveals(order: Order, answer: Any) -> bool:
    """Whether the answer leads to the order, or holds the token that opens it."""
    shown = answer.content.decode() + str(dict(answer.headers))
    return order_token(order.pk) in shown or str(order.pk) in shown or order.number in shown


@pytest.mark.parametrize("signed_in", [False, True])
def test_page_without_a_cart_opens_nothing(
    mallory: Visitor, stolen_key: str, signed_in: bool
) -> None:
    if signed_in:
        mallory.force_login(make_bob())

    answer = mallory.post("/checkout/", {"key": stolen_key})

    assert (answer.status_code, answer["Location"]) == (302, "/cart/")
    assert not reveals(Order.objects.get(), answer)


@pytest.mark.parametrize("signed_in", [False, True])
def test_page_with_a_cart_makes_an_order_of_its_own(
    mallory: Visitor, stolen_key: str, teapot: Variant, signed_in: bool
) -> None:
    of_alice = Order.objects.get()
    if signed_in:
        mallory.force_login(make_bob())
    mallory.add(teapot)

    answer = mallory.post("/checkout/", mallory.checkout_form(key=stolen_key, email="m@evil.test"))

    assert not reveals(of_alice, answer)
    assert answer["Location"].startswith(
        f"/orders/{Order.objects.exclude(pk=of_alice.pk).get().pk}/"
    )


def test_page_with_the_same_form_opens_nothing(
    mallory: Visitor, form_of_alice: dict[str, str]
) -> None:
    """Alice's form, out of a proxy's log: the key belongs to the session of alice."""
    answer = mallory.post("/checkout/", form_of_alice)

    # What the form says itself comes back, in a cart of mallory's own.
    assert answer.status_code == 409
    assert not reveals(Order.objects.get(), answer)


def test_page_while_carts_are_unavailable_opens_nothing(
    mallory: Visitor, form_of_alice: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cart = guests.create()
    session = mallory.session
    session["cart"] = {"id": str(cart.id), "token": cart.token}
    session.save()

    def away() -> None:
        raise redis.ConnectionError("away")

    monkeypatch.setattr("apps.cart.guests.connection.client", away)
    answer = mallory.post("/checkout/", form_of_alice)

    assert answer.status_code == 503
    assert not reveals(Order.objects.get(), answer)


def test_page_after_redis_was_emptied_opens_nothing(
    mallory: Visitor,
    form_of_alice: dict[str, str],
    teapot: Variant,
    empty_all_redis: Callable[[], None],
) -> None:
    mallory.add(teapot)
    empty_all_redis()

    answer = mallory.post("/checkout/", form_of_alice)

    assert answer.status_code == 409
    assert not reveals(Order.objects.get(), answer)


def test_own_session_is_led_to_its_order_however_late(
    visitor: Visitor, form_of_alice: dict[str, str], mug: Variant
) -> None:
    order = Order.objects.get()
    expected = f"/orders/{order.pk}/?token={order_token(order.pk)}"

    again = [visitor.post("/checkout/", form_of_alice) for _ in range(2)]
    again.append(visitor.post("/checkout/", {"key": form_of_alice["key"]}))

    assert [answer["Location"] for answer in again] == [expected] * 3
    assert Order.objects.count() == 1


@pytest.mark.parametrize("signed_in", [False, True])
@pytest.mark.parametrize("with_cart", [False, True])
def test_app_with_other_words_gets_no_token(
    stolen_key: str, buy: Buy, teapot: Variant, signed_in: bool, with_cart: bool
) -> None:
    of_alice = Order.objects.get()
    mallory = Api("198.51.100.66")
    if signed_in:
        mallory.as_user(make_bob())
    body = buy(email="m@evil.test", lines=[{"sku": teapot.sku, "quantity": 1}])
    if with_cart:
        cart = mallory.new_cart()
        mallory.put(f"/carts/{cart['id']}/lines/{teapot.sku}/", {"quantity": 1})
        del body["lines"]
        body["cart"] = cart["id"]

    answer = mallory.checkout(body, key=stolen_key)

    assert answer.status_code in (202, 422)
    assert not reveals(of_alice, answer)
    assert "Idempotent-Replayed" not in answer


@pytest.mark.parametrize("signed_in", [False, True])
def test_app_with_a_cart_that_is_not_there_gets_no_token(
    stolen_key: str, buy: Buy, empty_all_redis: Callable[[], None], signed_in: bool
) -> None:
    mallory = Api("198.51.100.66")
    if signed_in:
        mallory.as_user(make_bob())
    cart = mallory.new_cart()
    empty_all_redis()
    body = buy(cart=cart["id"])
    del body["lines"]

    answer = mallory.checkout(body, key=stolen_key)

    assert answer.status_code in (400, 404, 422, 503)
    assert not reveals(Order.objects.get(), answer)


def test_app_that_knows_a_customers_key_and_words_makes_a_guests_order(
    api: Api, buy: Buy, alice: User
) -> None:
    of_alice = api.as_user(alice).checkout(buy(), key="k-1").json()

    guests_own = Api("198.51.100.66").checkout(buy(), key="k-1")
    bobs_own = Api("198.51.100.66").as_user(make_bob()).checkout(buy(), key="k-1")

    for answer in (guests_own, bobs_own):
        assert answer.status_code == 202
        assert "Idempotent-Replayed" not in answer
        assert answer.json()["order"]["id"] != of_alice["order"]["id"]


def test_customer_with_a_guests_key_and_words_makes_an_order_of_their_own(
    api: Api, buy: Buy, alice: User
) -> None:
    guests_own = api.checkout(buy(), key="k-1").json()

    answer = Api().as_user(alice).checkout(buy(), key="k-1")

    assert answer.status_code == 202
    assert answer.json()["order"]["id"] != guests_own["order"]["id"]


def test_app_cannot_ask_with_the_key_of_a_page(api: Api, buy: Buy, visitor: Visitor) -> None:
    visitor.add(Variant.objects.get(sku=buy()["lines"][0]["sku"]))
    form = visitor.checkout_form(**ADDRESS)
    visitor.post("/checkout/", form)
    of_alice = Order.objects.get()

    answer = api.checkout(buy(), key=form["key"])

    assert not reveals(of_alice, answer)


def test_refusal_of_a_known_key_tells_no_more_than_that(api: Api, buy: Buy) -> None:
    api.checkout(buy(), key="k-1")

    document = problem(
        Api("198.51.100.66").checkout(buy(email="m@evil.test"), key="k-1"),
        422,
        "idempotency_key_reused",
    )

    assert set(document) == {"type", "title", "status", "detail", "code"}
