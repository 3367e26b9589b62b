"""Two tabs at the same moment: no line lost, no limit passed; without guards both happen."""

import threading

import pytest
import redis

from apps.cart import carts
from apps.cart.carts import InsufficientStock, UnknownSku
from apps.cart.models import Cart, CartLine
from apps.catalog.models import Variant
from tests.factories import a_kettle, a_mug, make_alice
from tests.threads import at_once

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]


@pytest.fixture(params=["guest", "customer"])
def cart(request):
    if request.param == "guest":
        return carts.create_guest()
    return carts.of_user(make_alice())


def errors(answers):
    return [answer for answer in answers if isinstance(answer, Exception)]


def lines(cart):
    return sorted((line.sku, line.quantity) for line in cart.lines)


def as_kept(cart):
    if cart.owner_id is None:
        return carts.find(cart.id, token=cart.token)
    return carts.find(cart.id, user=Cart.objects.get(pk=cart.id).user)


def test_everything_added_at_once_is_there(cart):
    mug = a_mug(stock=100).sku

    assert errors(at_once(8, lambda number: carts.add(cart, mug, 2))) == []

    assert lines(as_kept(cart)) == [(mug, 16)]


def test_tabs_that_add_different_things_lose_no_line(cart):
    skus = [a_mug(stock=5).sku for _ in range(8)]

    assert errors(at_once(8, lambda number: carts.add(cart, skus[number]))) == []

    assert lines(as_kept(cart)) == sorted((sku, 1) for sku in skus)


def test_tabs_together_pass_no_limit(cart):
    last_five = a_mug(stock=5).sku

    refused = errors(at_once(8, lambda number: carts.add(cart, last_five)))

    assert [type(error) for error in refused] == [InsufficientStock] * 3
    assert lines(as_kept(cart)) == [(last_five, 5)]


def test_opposite_orders_of_lines_meet_without_a_deadlock(cart):
    mug, kettle = a_mug(stock=50).sku, a_kettle(stock=50).sku

    def work(number):
        for sku in (mug, kettle) if number % 2 else (kettle, mug):
            carts.add(cart, sku)

    assert errors(at_once(8, work)) == []
    assert lines(as_kept(cart)) == sorted([(mug, 8), (kettle, 8)])


def test_guests_read_change_and_write_back_would_lose_lines(settings):
    """The control for Redis: what the script prevents."""
    with redis.Redis.from_url(settings.CARTS_REDIS_URL, decode_responses=True) as client:
        client.set("unguarded", 0)
        both_read = threading.Barrier(2)

        def add_unguarded(number):
            there = int(client.get("unguarded"))
            both_read.wait()
            client.set("unguarded", there + 1)

        assert errors(at_once(2, add_unguarded)) == []
        assert client.get("unguarded") == "1"


def test_customers_read_change_and_write_back_would_lose_units():
    """The control for PostgreSQL: what the lock on the cart prevents."""
    mug = a_mug(stock=10).sku
    cart = carts.add(carts.of_user(make_alice()), mug)
    both_read = threading.Barrier(2)

    def add_unguarded(number):
        line = CartLine.objects.get(cart_id=cart.id, sku=mug)
        both_read.wait()
        line.quantity += 1
        line.save()

    assert errors(at_once(2, add_unguarded)) == []
    assert lines(as_kept(cart)) == [(mug, 2)]  # one and two more are three


def test_many_tabs_open_one_cart():
    alice = make_alice()

    answers = at_once(8, lambda number: carts.of_user(alice))

    assert errors(answers) == []
    assert {cart.id for cart in answers} == {carts.of_user(alice).id}
    assert Cart.objects.count() == 1


def test_logins_at_once_merge_the_guests_cart_once():
    alice = make_alice()
    mug, kettle = a_mug(stock=50).sku, a_kettle(stock=50).sku
    for _ in range(5):
        own = carts.set_line(carts.of_user(alice), mug, 3)
        carts.set_line(own, kettle, 0)
        guest = carts.add(carts.add(carts.create_guest(), mug, 2), kettle, 4)

        answers = at_once(6, lambda number, guest=guest: carts.merge(guest, alice))

        assert errors(answers) == []
        assert lines(carts.of_user(alice)) == sorted([(mug, 3), (kettle, 4)])


def test_adding_while_logging_in_loses_nothing():
    """Every line that was confirmed to the guest is in the customer's cart afterwards."""
    alice = make_alice()
    skus = [a_mug(stock=5).sku for _ in range(12)]
    guest = carts.add(carts.create_guest(), skus[0])
    confirmed = [skus[0]]

    def shop_or_login(number):
        if number == 0:
            return carts.merge(guest, alice)
        for sku in skus[1:]:
            try:
                carts.add(guest, sku)
            except carts.CartNotFound:
                break  # the page then adds to the customer's cart instead
            confirmed.append(sku)
        return None

    assert errors(at_once(2, shop_or_login)) == []

    own = carts.of_user(alice)
    assert {line.sku for line in own.lines} >= set(confirmed)


def test_adding_while_ordering_changes_no_ordered_cart():
    alice = make_alice()
    mug = a_mug(stock=50).sku
    for _ in range(5):
        cart = carts.add(carts.of_user(alice), mug)

        def order_or_add(number, cart=cart):
            if number == 0:
                return lines(carts.close(cart))
            return carts.add(cart, mug)

        answers = at_once(4, order_or_add)

        (as_ordered,) = [answer for answer in answers if isinstance(answer, list)]
        assert errors(answers) == []
        assert lines(carts.find(cart.id, user=alice)) == as_ordered
        (ordered,) = as_ordered
        (following,) = lines(carts.of_user(alice)) or [(mug, 0)]
        assert ordered[1] + following[1] == 4, "none of the three is lost"
        carts.set_line(carts.of_user(alice), mug, 0)


def test_a_product_switched_off_while_it_is_added_is_added_or_unknown(cart):
    mug = a_mug(stock=50).sku

    def add_or_switch_off(number):
        if number == 0:
            return Variant.objects.filter(sku=mug).update(active=False)
        return carts.add(cart, mug)

    answers = at_once(6, add_or_switch_off)

    assert all(isinstance(error, UnknownSku) for error in errors(answers))
    added = 5 - len(errors(answers))
    assert lines(as_kept(cart)) == ([(mug, added)] if added else [])
