"""An order's page: who sees it, what it offers, and what it does when asked."""

import re
from typing import Any
from uuid import uuid4

import pytest

from apps.cart import carts
from apps.catalog.models import Variant
from apps.inventory.models import Hold
from apps.orders import transitions
from apps.orders.models import Order, OrderEvent, Return, Saga
from apps.orders.saga import hold_times
from apps.orders.transitions import Transition
from apps.payments.models import Payment
from tests.factories import make_alice, make_bob
from tests.web.conftest import Visitor

S = Order.Status


def move_to(order: Order, *statuses: str) -> None:
    for status in statuses:
        transitions.make([Transition(order.pk, status)])
    order.refresh_from_db()


@pytest.fixture
def ordered(visitor: Visitor, mug: Variant) -> tuple[Order, str]:
    """An order of two mugs by a guest, and its address."""
    answer = visitor.buy(mug, 2)
    return Order.objects.get(), answer["Location"]


def test_stranger_finds_nothing(other_visitor: Visitor, ordered: tuple[Order, str]) -> None:
    order, address = ordered

    assert other_visitor.get(f"/orders/{order.pk}/").status_code == 404
    assert other_visitor.get(f"/orders/{order.pk}/?token={'0' * 40}").status_code == 404
    assert other_visitor.get(address).status_code == 200  # anyone with the token


def test_way_back_from_the_bank_needs_no_token_and_loses_the_secret(
    visitor: Visitor, ordered: tuple[Order, str]
) -> None:
    order, address = ordered

    answer = visitor.get(f"/orders/{order.pk}/?payment_intent_client_secret=x&payment_intent=pi_1")

    assert answer.status_code == 302
    assert answer["Location"] == address


def test_address_that_leaves_the_house_does_not_open_the_order(
    other_visitor: Visitor, ordered: tuple[Order, str]
) -> None:
    """The gateway and the bank keep it."""
    order, address = ordered
    kept = Payment.objects.get(order_id=order.pk).return_url
    assert kept.endswith(f"/orders/{order.pk}/")
    assert address.partition("token=")[2] not in kept

    secret = "payment_intent=pi_1&payment_intent_client_secret=x&redirect_status=succeeded"
    answer = other_visitor.get(f"/orders/{order.pk}/?{secret}")

    assert answer.status_code == 302
    assert answer["Location"] == f"/orders/{order.pk}/back/", "the gateway's parameters are dropped"
    page = other_visitor.get(answer["Location"])
    assert page.status_code == 200
    assert "You are back from your bank" in page.content.decode()
    assert order.number not in page.content.decode()
    unknown = uuid4()
    assert other_visitor.get(f"/orders/{unknown}/?{secret}").status_code == 302
    told = other_visitor.get(f"/orders/{unknown}/back/").content
    assert told == page.content, "the page does not tell whether there is an order"


def test_guessing_tokens_meets_a_limit(other_visitor: Visitor, ordered: tuple[Order, str]) -> None:
    order, _ = ordered

    answers = {
        other_visitor.get(f"/orders/{order.pk}/?token={n:040}").status_code for n in range(70)
    }

    assert answers == {404, 429}


def test_another_customers_order_is_not_found(visitor: Visitor, mug: Variant) -> None:
    visitor.force_login(make_alice())
    visitor.buy(mug)
    order = Order.objects.get()
    bob = Visitor(raise_request_exception=False)
    bob.force_login(make_bob())

    for path in ("", "bank/", "cancel/", "again/", "return/"):
        ask = bob.get if path in ("", "bank/") else bob.post
        assert ask(f"/orders/{order.pk}/{path}").status_code == 404


def test_page_shows_the_moves_as_text(visitor: Visitor, ordered: tuple[Order, str]) -> None:
    order, address = ordered
    transitions.make([Transition(order.pk, S.REQUIRES_ACTION, "<b>bold bank</b>")])

    page = visitor.get(address).content.decode()

    assert "<b>bold" not in page
    assert "&lt;b&gt;bold bank&lt;/b&gt;" in page


def test_bank_question_is_one_link_away(visitor: Visitor, ordered: tuple[Order, str]) -> None:
    order, address = ordered
    ask_the_bank(order, "https://bank.example/ask")

    page = visitor.get(address).content.decode()
    link = re.search(r'href="([^"]*)"[^>]*data-action-link', page)
    assert link is not None
    assert visitor.get(link[1])["Location"] == "https://bank.example/ask"


def test_order_is_called_off_before_it_ships(visitor: Visitor, ordered: tuple[Order, str]) -> None:
    order, address = ordered
    assert "Cancel this order" in visitor.get(address).content.decode()

    answer = visitor.post(f"/orders/{order.pk}/cancel/")

    assert answer.status_code == 302
    assert Saga.objects.get(order=order).cancel_requested_at is not None


def test_shipped_order_cannot_be_called_off(visitor: Visitor, ordered: tuple[Order, str]) -> None:
    order, address = ordered
    move_to(order, S.PAYMENT_AUTHORIZED, S.CONFIRMED, S.SHIPPED)

    visitor.post(f"/orders/{order.pk}/cancel/")
    page = visitor.get(address).content.decode()

    assert "It is too late for that" in page
    assert "Cancel this order" not in page
    assert Saga.objects.get(order=order).cancel_requested_at is None


def test_guest_gets_their_things_back_beside_their_new_cart(
    visitor: Visitor, mug: Variant, ordered: tuple[Order, str]
) -> None:
    order, address = ordered
    visitor.add(mug)  # one more, begun meanwhile
    move_to(order, S.PAYMENT_FAILED, S.CANCELLED)
    Saga.objects.filter(order=order).update(state=Saga.State.UNDONE)
    assert "Back into the cart" in visitor.get(address).content.decode()

    answer = visitor.post(f"/orders/{order.pk}/again/")

    assert answer["Location"] == "/cart/"
    page = visitor.get("/cart/").content.decode()
    assert "An empty bowl." not in page
    assert mug.sku in page


def test_customer_gets_their_cart_back(visitor: Visitor, mug: Variant) -> None:
    alice = make_alice()
    visitor.force_login(alice)
    visitor.buy(mug, 2)
    order = Order.objects.get()
    move_to(order, S.CANCELLED)

    visitor.post(f"/orders/{order.pk}/again/")

    assert carts.of_user(alice).quantity_of(mug.sku) == 2


def test_living_order_is_not_put_back(visitor: Visitor, ordered: tuple[Order, str]) -> None:
    order, _ = ordered

    assert visitor.post(f"/orders/{order.pk}/again/").status_code == 404


def test_delivered_goods_are_sent_back(
    visitor: Visitor, mug: Variant, ordered: tuple[Order, str]
) -> None:
    order, address = ordered
    move_to(order, S.PAYMENT_AUTHORIZED, S.CONFIRMED, S.SHIPPED, S.DELIVERED)
    assert "Send something back" in visitor.get(address).content.decode()

    answer = visitor.post(
        f"/orders/{order.pk}/return/", {f"quantity-{mug.sku}": "1", "reason": "One is enough."}
    )

    assert answer.status_code == 302
    announced = Return.objects.get()
    assert [(line.line.sku, line.quantity) for line in announced.lines.all()] == [(mug.sku, 1)]


@pytest.mark.parametrize("quantity", ["3", "-1", "1.5", "x", "0"])
def test_return_that_cannot_be_keeps_what_was_typed(
    visitor: Visitor, mug: Variant, ordered: tuple[Order, str], quantity: str
) -> None:
    order, _ = ordered
    move_to(order, S.PAYMENT_AUTHORIZED, S.CONFIRMED, S.SHIPPED, S.DELIVERED)

    answer = visitor.post(
        f"/orders/{order.pk}/return/",
        {f"quantity-{mug.sku}": quantity, "reason": "Too many mornings."},
    )

    page = answer.content.decode()
    assert answer.status_code == 400
    assert "Too many mornings." in page
    assert f'value="{quantity}"' in page
    assert not Return.objects.exists()


def test_order_that_has_not_arrived_has_no_return(
    visitor: Visitor, mug: Variant, ordered: tuple[Order, str]
) -> None:
    order, _ = ordered

    answer = visitor.post(
        f"/orders/{order.pk}/return/", {f"quantity-{mug.sku}": "1", "reason": "Early."}
    )

    assert answer.status_code == 400
    assert not Return.objects.exists()


def ask_the_bank(order: Order, url: str = "https://bank.example/3ds/1") -> None:
    """As the worker leaves an order whose bank asks the shopper."""
    Payment.objects.filter(order_id=order.pk).update(status="requires_action", next_action_url=url)
    Saga.objects.update(waiting_for="the shopper's bank", deadline_at=order.placed_at)
    payment = Payment.objects.get(order_id=order.pk)
    transitions.make([hold_times.action_required(payment, order.placed_at)])


def test_way_to_the_bank_leads_by_the_shop_which_keeps_the_items_longer(
    visitor: Visitor, ordered: tuple[Order, str], settings: Any
) -> None:
    order, address = ordered
    ask_the_bank(order)
    link = re.search(r'href="(/orders/[^"]*/bank/[^"]*)"', visitor.get(address).content.decode())
    assert link is not None

    answer = visitor.get(link[1])

    assert (answer.status_code, answer["Location"]) == (302, "https://bank.example/3ds/1")
    expires_at = Hold.objects.get(order_id=order.pk).expires_at
    assert expires_at == order.placed_at + settings.HOLD_TIME
    assert f"We hold your items until {expires_at:%H:%M} UTC." in (
        visitor.get(address).content.decode()
    )


def test_stranger_keeps_nothing_longer(other_visitor: Visitor, ordered: tuple[Order, str]) -> None:
    order, _ = ordered
    ask_the_bank(order)

    assert other_visitor.get(f"/orders/{order.pk}/bank/").status_code == 404
    assert OrderEvent.objects.filter(order=order).count() == 2


@pytest.mark.parametrize("url", ["", "javascript:alert(1)"])
def test_who_is_asked_by_no_bank_comes_back_to_the_order(
    visitor: Visitor, ordered: tuple[Order, str], url: str
) -> None:
    order, address = ordered
    if url:
        ask_the_bank(order, url)

    answer = visitor.get(address.replace("/?", "/bank/?"))

    assert (answer.status_code, answer["Location"]) == (302, address)
