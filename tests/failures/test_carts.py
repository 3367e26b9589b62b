"""Carts: stuck after a failed attempt, charged for what was added later, lost at login."""

from functools import partial
from uuid import UUID

import pytest

from apps.cart import carts, customers
from apps.cart.basket import CartLineView
from apps.cart.models import CartLine
from apps.customers.models import User
from apps.inventory import holds
from apps.orders.models import Order
from apps.orders.saga import engine
from apps.web.views.account import sign_in
from tests.api.conftest import problem
from tests.factories import PASSWORD, PromoFactory, a_kettle, a_mug, make_alice
from tests.failures.shoppers import CHALLENGE, DECLINED, Shopper, meet
from tests.orders.checkouts import everything
from tests.orders.purchases import TOTAL, Shop, at_once
from tests.web.conftest import Visitor

# --- Cart can never complete after a compensation -------------------------------------------------


@pytest.mark.usefixtures("declines_are_final")
@pytest.mark.parametrize("failure", ["declined", "refused at the bank", "no shipment", "lost hold"])
def test_cart_completes_after_its_first_order_was_undone(
    shop: Shop, alice: Shopper, monkeypatch: pytest.MonkeyPatch, failure: str
) -> None:
    last, promo = a_mug(stock=1), PromoFactory(code="ONCE", one_use=True)
    cart_id = alice.cart_of((last, 1))
    assert alice.put(f"/carts/{cart_id}/promo/", {"code": "ONCE"}).status_code == 200
    card = {"declined": DECLINED, "refused at the bank": CHALLENGE}.get(failure, "pm_card_visa")
    first = alice.buys(cart=cart_id, payment_method=card, key="k-1")
    with monkeypatch.context() as patch:
        if failure == "no shipment":
            patch.setattr("apps.shipping.parcels.create_labels", lambda requests: {})
        elif failure == "lost hold":
            holds.release([first])
        shop.run()
        if failure == "refused at the bank":
            shop.answer_challenge(first, "refuse")
            shop.hear()
            shop.run()
    assert alice.sees(first) == "CANCELLED"
    assert alice.in_cart(cart_id) == [(last.sku, 1)], "it need not be filled again"

    second = alice.buys(cart=cart_id, key="k-2")
    shop.run()

    assert second != first
    assert (shop.stock(last), Order.objects.count()) == ((0, 0), 2)
    promo.refresh_from_db()
    assert promo.used == 1, "the code came back with the cart"
    shop.assert_cancelled(first)
    shop.assert_confirmed(second)


def test_cart_of_an_order_that_is_being_undone_says_so_and_is_free_when_it_is_over(
    shop: Shop, alice: Shopper
) -> None:
    cart_id = alice.cart_of((shop.mug, 1))
    first = alice.buys(cart=cart_id)
    shop.run()
    shop.sandbox.faults({"fault": "outage"})
    assert alice.cancels(first).status_code == 202
    shop.run()
    assert shop.saga(first).state == "undoing", "the money is not refunded yet"
    before = everything()

    refused = alice.orders(alice.body(cart=cart_id))

    assert problem(refused, 409, "cart_already_ordered")["order"]["id"] == str(first)
    assert everything() == before
    shop.sandbox.faults()
    shop.run_hurried(first)
    second = alice.buys(cart=cart_id)
    shop.run()
    assert shop.stock() == (9, 0)
    shop.assert_cancelled(first)
    shop.assert_confirmed(second)


@pytest.mark.usefixtures("declines_are_final")
def test_customers_cart_comes_back_from_a_cancelled_order_and_completes(shop: Shop) -> None:
    alice = Visitor(raise_request_exception=False)
    alice.force_login(make_alice())
    answer = alice.buy(shop.mug, 2, payment_method=DECLINED)
    shop.run()
    first = Order.objects.get()
    assert first.status == "CANCELLED"

    back = alice.post(f"/orders/{first.pk}/again/")
    assert (back.status_code, back["Location"]) == (302, f"/checkout/?after={first.pk}")
    alice.post(f"/orders/{first.pk}/again/")  # pressed twice
    form = alice.checkout_form()
    answer = alice.post("/checkout/", form)
    shop.run()

    second = Order.objects.exclude(pk=first.pk).get()
    assert f"/orders/{second.pk}/" in answer["Location"]
    assert [(line.sku, line.quantity) for line in second.lines.all()] == [(shop.mug.sku, 2)]
    assert shop.stock() == (8, 0)
    shop.assert_cancelled(first.pk)
    shop.assert_confirmed(second.pk)


# --- Cart edited during payment -------------------------------------------------------------------


def test_cart_edited_during_payment_changes_neither_order_nor_charge(
    shop: Shop, alice: Shopper
) -> None:
    kettle = a_kettle(stock=5)
    cart_id = alice.cart_of((shop.mug, 1))
    order_id = alice.buys(cart=cart_id, payment_method=CHALLENGE, key="k-1")
    shop.run()

    alice.puts(cart_id, shop.mug, 5)
    alice.puts(cart_id, kettle, 1)
    shop.answer_challenge(order_id, "approve")
    again = alice.orders(alice.body(cart=cart_id, payment_method=CHALLENGE), key="k-1")
    shop.hear()
    shop.run()

    assert (again.status_code, again.json()["order"]["id"]) == (202, str(order_id))
    order = shop.order(order_id)
    assert [(line.sku, line.quantity) for line in order.lines.all()] == [(shop.mug.sku, 1)]
    assert (order.total_amount, shop.at_gateway(order_id)) == (TOTAL, [("succeeded", TOTAL, 0)])
    assert (shop.stock(), shop.stock(kettle)) == ((9, 0), (5, 0))
    assert alice.in_cart(cart_id) == [(shop.mug.sku, 1)], "what was ordered"
    following = alice.get(f"/carts/{cart_id}/").json()["next_cart"]
    assert alice.in_cart(following) == [(shop.mug.sku, 5), (kettle.sku, 1)], "the rest stays"
    shop.assert_confirmed(order_id)


def test_customers_cart_edited_during_payment_is_their_next_one(shop: Shop) -> None:
    user, kettle = make_alice(), a_kettle(stock=5)
    alice = Visitor(raise_request_exception=False)
    alice.force_login(user)
    alice.buy(shop.mug, payment_method=CHALLENGE)
    shop.run()
    order = Order.objects.get()

    alice.add(kettle, 2)
    shop.answer_challenge(order.pk, "approve")
    shop.hear()
    shop.run()

    assert [(line.sku, line.quantity) for line in order.lines.all()] == [(shop.mug.sku, 1)]
    assert shop.at_gateway(order.pk) == [("succeeded", TOTAL, 0)]
    ordered, following = carts.find(order.cart_id, user=user), carts.of_user(user)
    assert ordered.lines == (CartLineView(shop.mug.sku, 1),)
    assert not ordered.open
    assert following.lines == (CartLineView(kettle.sku, 2),)
    shop.assert_confirmed(order.pk)


def test_cart_edited_in_another_tab_is_not_charged_at_a_total_that_was_not_shown(
    shop: Shop, alice: Shopper
) -> None:
    cart_id = alice.cart_of((shop.mug, 1))
    seen = {"amount": "25.48", "currency": "USD"}
    alice.puts(cart_id, shop.mug, 3)
    before = everything()

    refused = alice.orders(alice.body(cart=cart_id, expected_total=seen))

    quote = problem(refused, 409, "price_changed")["quote"]
    assert quote["totals"]["total"] == {"amount": "64.45", "currency": "USD"}
    assert everything() == before
    assert shop.intents() == []


@pytest.mark.race
def test_cart_edited_while_it_is_ordered_is_ordered_as_it_was_read(
    shop: Shop, alice: Shopper, bob: Shopper
) -> None:
    """Whichever comes first, the order is one of the two carts and its total fits its lines."""
    cart_id = alice.cart_of((shop.mug, 1))
    other_tab = Shopper(shop, "alice")
    other_tab.headers |= alice.headers

    def either(number: int) -> UUID | None:
        if number:
            other_tab.puts(cart_id, shop.mug, 4)
            return None
        return alice.buys(cart=cart_id)

    answers = at_once(2, either)
    shop.run()

    assert not [answer for answer in answers if isinstance(answer, Exception)]
    order = Order.objects.get()
    (line,) = order.lines.all()
    assert line.quantity in (1, 4)
    assert order.subtotal_amount == line.quantity * 1800
    assert shop.at_gateway(order.pk) == [("succeeded", order.total_amount, 0)]
    assert shop.stock() == (10 - line.quantity, 0)
    assert engine.advance() == 0
    shop.assert_confirmed(order.pk)


# --- Merge on login loses or doubles lines --------------------------------------------------------


@pytest.fixture
def user(shop: Shop) -> User:
    """Alice has an account with a cart of five mugs and a tray in it."""
    alice = make_alice()
    mine = carts.of_user(alice)
    carts.add(mine, shop.mug.sku, 5)
    carts.add(mine, a_mug(stock=9, sku="TRAY").sku, 1)
    return alice


def a_guest(*lines: tuple) -> Visitor:
    """A browser with a guest's cart."""
    browser = Visitor(raise_request_exception=False)
    for variant, quantity in lines:
        browser.add(variant, quantity)
    return browser


def signs_in(browser: Visitor, user: User) -> None:
    answer = browser.post("/account/login/", {"email": user.email, "password": PASSWORD})
    assert answer.status_code == 302, answer.content


def customers_cart(user: User) -> dict[str, int]:
    return {line.sku: line.quantity for line in carts.of_user(user).lines}


def test_merge_on_login_loses_no_line_and_doubles_none(shop: Shop, user: User) -> None:
    kettle = a_kettle(stock=9, sku="KETTLE")
    browser = a_guest((shop.mug, 2), (kettle, 3))
    merged = {shop.mug.sku: 5, "TRAY": 1, "KETTLE": 3}

    signs_in(browser, user)
    assert customers_cart(user) == merged
    for _ in range(2):
        browser.post("/account/logout/")
        signs_in(browser, user)
        assert customers_cart(user) == merged

    answer = browser.post("/checkout/", browser.checkout_form())
    shop.run()
    order = Order.objects.get()
    assert answer.status_code == 302
    assert {line.sku: line.quantity for line in order.lines.all()} == merged
    assert shop.stock() == (5, 0)
    shop.assert_confirmed(order.pk)


@pytest.mark.race
def test_merge_of_two_logins_at_once_while_another_tab_adds_loses_and_doubles_nothing(
    shop: Shop, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    kettle, cup = a_kettle(stock=9, sku="KETTLE"), a_mug(stock=9, sku="CUP")
    browser = a_guest((shop.mug, 7), (kettle, 3))
    kept = browser.session["cart"]
    tabs = [Visitor(raise_request_exception=False) for _ in range(2)]
    for tab in tabs:
        tab.cookies["sessionid"] = browser.cookies["sessionid"].value
    guest = carts.find(UUID(kept["id"]), token=kept["token"])
    # Both have read the guest's cart; now the other tab adds, and then both merge what they read.
    other_tab = partial(carts.add, guest, cup.sku, 1)
    meet(monkeypatch, sign_in, "authenticate")  # the first login ends the session of both
    meet(monkeypatch, customers, "merge_into", meanwhile=other_tab)

    answers = at_once(2, lambda n: signs_in(tabs[n], user))

    assert answers == [None, None]
    assert customers_cart(user) == {shop.mug.sku: 7, "TRAY": 1, "KETTLE": 3, "CUP": 1}


@pytest.mark.race
def test_control_merge_that_adds_up_doubles_the_lines_of_two_logins(
    shop: Shop, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = a_guest((shop.mug, 2))
    tabs = [Visitor(raise_request_exception=False) for _ in range(2)]
    for tab in tabs:
        tab.cookies["sessionid"] = browser.cookies["sessionid"].value

    def adds_up(cart, source):
        for line in source.lines:
            CartLine.objects.get_or_create(cart_id=cart.id, sku=line.sku, defaults={"quantity": 0})
            carts.add(cart, line.sku, line.quantity)
        return carts.of_user(user)

    monkeypatch.setattr(customers, "merge_into", adds_up)
    meet(monkeypatch, sign_in, "authenticate")
    meet(monkeypatch, customers, "merge_into")

    at_once(2, lambda n: signs_in(tabs[n], user))

    assert customers_cart(user) == {shop.mug.sku: 9, "TRAY": 1}, "five, and twice the same two"
