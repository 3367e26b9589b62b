"""Rules for every cart: guests' in Redis and customers' in PostgreSQL."""

from uuid import uuid4

import pytest
from django.contrib.auth.models import AnonymousUser

from apps.cart import carts
from apps.cart.carts import (
    CartNotFound,
    CartView,
    InsufficientStock,
    InvalidQuantity,
    QuantityLimited,
    TooManyLines,
    TooManyPromos,
    UnknownSku,
)
from apps.catalog.models import Product, Variant
from tests.factories import a_kettle, a_mug, held_mug, make_alice, make_bob, sold_out_mug
from tools import embedded

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["guest", "customer"])
def cart(request):
    if request.param == "guest":
        return carts.create_guest()
    return carts.of_user(make_alice())


@pytest.fixture
def mug():
    return a_mug(stock=10).sku


@pytest.fixture
def kettle():
    return a_kettle(stock=3).sku


def lines(cart):
    return [(line.sku, line.quantity) for line in cart.lines]


def as_kept(cart):
    """The cart, read again by its owner or with its token."""
    from apps.customers.models import User

    user = User.objects.filter(pk=cart.owner_id).first()
    return carts.find(cart.id, token=cart.token, user=user)


def test_a_new_cart_is_empty(cart):
    assert (cart.lines, cart.promo_codes, cart.open) == ((), (), True)
    assert as_kept(cart) == cart


def test_lines_are_in_the_order_of_adding(cart, mug, kettle):
    cart = carts.add(cart, mug)
    cart = carts.add(cart, kettle, 2)
    cart = carts.add(cart, mug, 3)

    assert lines(cart) == [(mug, 4), (kettle, 2)]
    assert as_kept(cart) == cart
    assert (cart.quantity_of(mug), cart.quantity_of("nothing")) == (4, 0)


def test_a_line_is_set_to_a_number_and_taken_out_by_zero(cart, mug, kettle):
    carts.add(cart, mug, 2)
    carts.add(cart, kettle)

    assert lines(carts.set_line(cart, mug, 7)) == [(mug, 7), (kettle, 1)]
    assert lines(carts.set_line(cart, mug, 0)) == [(kettle, 1)]
    assert lines(carts.set_line(cart, mug, 0)) == [(kettle, 1)]
    # Added again it comes last, like a new line.
    assert lines(carts.set_line(cart, mug, 1)) == [(kettle, 1), (mug, 1)]
    assert lines(as_kept(cart)) == [(kettle, 1), (mug, 1)]


def test_more_than_is_for_sale_is_refused(cart, mug):
    assert lines(carts.set_line(cart, mug, 10)) == [(mug, 10)]

    with pytest.raises(InsufficientStock) as refused:
        carts.set_line(cart, mug, 11)

    assert (refused.value.sku, refused.value.available) == (mug, 10)
    assert lines(as_kept(cart)) == [(mug, 10)]


def test_the_sum_must_be_for_sale(cart, kettle):
    carts.add(cart, kettle, 2)

    with pytest.raises(InsufficientStock) as refused:
        carts.add(cart, kettle, 2)

    assert refused.value.available == 3
    assert lines(as_kept(cart)) == [(kettle, 2)]
    assert lines(carts.add(cart, kettle, 1)) == [(kettle, 3)]


@pytest.mark.parametrize("make", [sold_out_mug, held_mug, lambda: a_mug(stock=None)])
def test_what_is_sold_out_or_held_by_others_cannot_be_added(cart, make):
    sku = make().sku

    with pytest.raises(InsufficientStock) as refused:
        carts.add(cart, sku)

    assert refused.value.available == 0
    assert str(refused.value) == "This is sold out."
    assert lines(as_kept(cart)) == []


def test_two_carts_may_both_contain_the_last_unit(cart):
    last = a_mug(stock=1).sku
    bobs = carts.of_user(make_bob())

    assert lines(carts.add(cart, last)) == [(last, 1)]
    assert lines(carts.add(bobs, last)) == [(last, 1)]


def test_what_is_not_sold_cannot_be_added(cart):
    inactive = a_mug(active=False).sku
    hidden = a_mug(published=False).sku

    for sku in (inactive, hidden, "NO-SUCH-SKU", "", "x" * 256, "A\x00B", "A\ud800"):
        with pytest.raises(UnknownSku):
            carts.add(cart, sku)
        with pytest.raises(UnknownSku):
            carts.set_line(cart, sku, 1)
        assert lines(carts.set_line(cart, sku, 0)) == []

    assert lines(as_kept(cart)) == []


def test_what_is_no_longer_sold_can_be_taken_out(cart, mug, kettle):
    carts.add(cart, mug)
    carts.add(cart, kettle)
    Variant.objects.filter(sku=mug).update(active=False)
    Product.objects.filter(variants__sku=kettle).update(published=False)

    assert lines(carts.set_line(cart, mug, 0)) == [(kettle, 1)]
    assert lines(carts.set_line(cart, kettle, 0)) == []


@pytest.mark.parametrize("quantity", [-1, 1000, 2**31, 2**63, 1.5, 1.0, "1", "1e9", True, None])
def test_a_quantity_is_a_whole_number_up_to_999(cart, mug, quantity):
    for change in (carts.set_line, carts.add):
        with pytest.raises(InvalidQuantity) as refused:
            change(cart, mug, quantity)
        assert refused.value.maximum == 999

    assert lines(as_kept(cart)) == []


def test_zero_units_cannot_be_added(cart, mug):
    with pytest.raises(InvalidQuantity):
        carts.add(cart, mug, 0)


def test_the_sum_stays_below_a_thousand(cart):
    nails = a_mug(stock=5_000, units_per_line=5_000).sku
    carts.set_line(cart, nails, 999)

    with pytest.raises(InvalidQuantity):
        carts.add(cart, nails, 1)

    assert lines(as_kept(cart)) == [(nails, 999)]


def test_more_than_one_order_may_have_is_refused_with_the_number(cart):
    nails = a_mug(stock=5_000, units_per_line=50).sku
    carts.set_line(cart, nails, 50)

    for too_much in (lambda: carts.set_line(cart, nails, 51), lambda: carts.add(cart, nails, 1)):
        with pytest.raises(QuantityLimited) as refused:
            too_much()
        assert refused.value.allowed == 50

    assert lines(as_kept(cart)) == [(nails, 50)]


def test_more_than_is_for_sale_is_refused_by_stock_and_not_by_the_limit(cart):
    with pytest.raises(InsufficientStock):
        carts.set_line(cart, a_mug(stock=20, units_per_line=50).sku, 60)


def test_a_cart_has_a_maximum_of_lines(cart, mug, kettle, monkeypatch):
    monkeypatch.setattr("apps.cart.guests.store.LINES_MAX", 2)
    monkeypatch.setattr("apps.cart.customers.LINES_MAX", 2)
    carts.add(cart, mug)
    carts.add(cart, kettle)

    with pytest.raises(TooManyLines) as refused:
        carts.add(cart, a_mug().sku)

    assert refused.value.maximum == 2
    assert lines(carts.add(cart, mug)) == [(mug, 2), (kettle, 1)]  # existing lines may still grow


def test_codes_are_kept_with_the_cart(cart, mug):
    carts.add(cart, mug)

    changed = carts.set_promos(cart, ["WELCOME10", "FREESHIP", "WELCOME10"])

    assert changed.promo_codes == ("WELCOME10", "FREESHIP")
    assert lines(changed) == [(mug, 1)]
    assert as_kept(cart) == changed
    assert carts.set_promos(cart, ()).promo_codes == ()


@pytest.mark.parametrize("codes", [[""], ["x" * 61], ["A\x00"], [str(n) for n in range(11)]])
def test_what_cannot_be_a_code_is_refused(cart, codes):
    with pytest.raises(TooManyPromos):
        carts.set_promos(cart, codes)

    assert as_kept(cart).promo_codes == ()


def test_a_stranger_finds_no_cart(cart):
    bob = make_bob()

    for who in (
        {},
        {"user": bob},
        {"user": AnonymousUser()},
        {"token": "guessed"},
        {"token": ""},
        {"token": "\ud800é"},
        {"user": bob, "token": "guessed"},
        {"token": carts.create_guest().token},
    ):
        with pytest.raises(CartNotFound):
            carts.find(cart.id, **who)
    with pytest.raises(CartNotFound):
        carts.find(uuid4(), token=cart.token, user=bob)


def test_changing_a_deleted_cart_does_not_create_it(mug, redis_servers):
    redis = redis_servers[embedded.REDIS_CARTS]
    guest, customers = carts.create_guest(), carts.of_user(make_alice())
    redis.flushall()
    make_gone(customers)

    for cart in (guest, customers):
        for change in (
            lambda cart: carts.add(cart, mug),
            lambda cart: carts.set_line(cart, mug, 0),
            lambda cart: carts.set_promos(cart, ["WELCOME10"]),
        ):
            with pytest.raises(CartNotFound):
                change(cart)

    assert redis.dbsize() == 0


def make_gone(cart):
    from apps.cart.models import Cart

    Cart.objects.filter(pk=cart.id).delete()


def test_a_token_is_not_in_the_representation():
    cart = carts.create_guest()

    assert cart.token not in repr(cart)
    assert isinstance(cart, CartView)
