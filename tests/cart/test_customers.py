"""Customers' carts in PostgreSQL: one open, ordered ones closed, lines restored by `reopen`."""

import pytest

from apps.cart import carts
from apps.cart.carts import CartClosed, CartNotFound
from apps.cart.models import Cart
from tests.factories import a_kettle, a_mug, make_bob

pytestmark = pytest.mark.django_db


@pytest.fixture
def mug():
    return a_mug(stock=10).sku


@pytest.fixture
def kettle():
    return a_kettle(stock=3).sku


def lines(cart):
    return [(line.sku, line.quantity) for line in cart.lines]


def test_a_customer_has_one_open_cart(alice):
    cart = carts.of_user(alice)

    assert carts.of_user(alice) == cart
    assert (cart.owner_id, cart.token) == (alice.pk, None)
    assert carts.find(cart.id, user=alice) == cart


def test_an_open_cart_is_read_in_one_query(alice, mug, django_assert_num_queries):
    cart = carts.add(carts.of_user(alice), mug)

    with django_assert_num_queries(1):
        assert carts.of_user(alice) == cart
    with django_assert_num_queries(1):
        assert carts.find(cart.id, user=alice) == cart


def test_an_ordered_cart_is_closed_and_the_next_one_is_new(alice, mug):
    ordered = carts.add(carts.of_user(alice), mug, 2)

    closed = carts.close(ordered)

    assert (closed.id, closed.open) == (ordered.id, False)
    assert lines(closed) == [(mug, 2)]
    following = carts.of_user(alice)
    assert following.id != ordered.id
    assert lines(following) == []
    # The customer can still read the closed one.
    assert carts.find(ordered.id, user=alice) == closed
    assert carts.close(ordered) == closed
    assert carts.of_user(alice) == following


def test_an_ordered_cart_does_not_change_any_more(alice, mug):
    cart = carts.close(carts.add(carts.of_user(alice), mug))

    for change in (
        lambda: carts.add(cart, mug),
        lambda: carts.set_line(cart, mug, 0),
        lambda: carts.set_promos(cart, ["WELCOME10"]),
    ):
        with pytest.raises(CartClosed):
            change()

    assert lines(carts.find(cart.id, user=alice)) == [(mug, 1)]


def test_lines_are_restored_when_the_order_was_cancelled(alice, mug, kettle):
    cart = carts.of_user(alice)
    carts.add(cart, mug, 2)
    carts.close(carts.set_promos(carts.add(cart, kettle, 1), ["WELCOME10"]))
    following = carts.of_user(alice)
    carts.add(following, mug, 5)

    back = carts.reopen(cart.id, user=alice)

    assert back.id == following.id
    assert lines(back) == [(mug, 5), (kettle, 1)]  # the larger number, nothing doubled
    assert back.promo_codes == ("WELCOME10",)
    assert carts.reopen(cart.id, user=alice) == back
    assert not carts.find(cart.id, user=alice).open


def test_lines_are_restored_while_their_stock_is_still_held(alice, mug):
    from apps.inventory.models import StockItem

    cart = carts.add(carts.of_user(alice), mug, 2)
    carts.close(cart)
    StockItem.objects.update(on_hand=2, reserved=2)  # by the very order that is being cancelled

    assert lines(carts.reopen(cart.id, user=alice)) == [(mug, 2)]


def test_an_open_cart_needs_no_reopening(alice, mug):
    cart = carts.add(carts.of_user(alice), mug)

    assert carts.reopen(cart.id, user=alice) == cart


def test_strangers_cannot_reopen_a_cart(alice, mug):
    cart = carts.add(carts.of_user(alice), mug)
    carts.close(cart)

    with pytest.raises(CartNotFound):
        carts.reopen(cart.id, user=make_bob())
    with pytest.raises(CartNotFound):
        carts.reopen(cart.id)


def test_a_forged_view_does_not_change_another_customers_cart(alice, mug):
    from dataclasses import replace

    cart = carts.of_user(alice)
    forged = replace(cart, owner_id=make_bob().pk)

    with pytest.raises(CartNotFound):
        carts.add(forged, mug)
    carts.close(forged)

    assert carts.of_user(alice) == cart


def test_a_change_updates_the_time_of_the_cart(alice, mug):
    cart = carts.of_user(alice)
    before = Cart.objects.get(pk=cart.id).updated_at

    carts.add(cart, mug)

    assert Cart.objects.get(pk=cart.id).updated_at > before
