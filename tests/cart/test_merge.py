"""A guest signs in: per SKU the larger quantity; no line lost, none doubled, even if run twice."""

import pytest

from apps.cart import carts, customers, guests
from apps.cart.carts import CartNotFound, CartsUnavailable
from tests.factories import a_kettle, a_mug

pytestmark = pytest.mark.django_db


@pytest.fixture
def mug():
    return a_mug(stock=10).sku


@pytest.fixture
def kettle():
    return a_kettle(stock=10).sku


@pytest.fixture
def tray():
    return a_mug(stock=10).sku


def lines(cart):
    return [(line.sku, line.quantity) for line in cart.lines]


def a_guest_with(*wanted):
    cart = carts.create_guest()
    for sku, quantity in wanted:
        cart = carts.add(cart, sku, quantity)
    return cart


def is_gone(guest):
    try:
        carts.find(guest.id, token=guest.token)
    except CartNotFound:
        return True
    return False


def test_the_larger_quantity_stays(alice, mug, kettle, tray):
    own = carts.of_user(alice)
    carts.add(own, mug, 2)
    carts.add(own, kettle, 3)
    guest = a_guest_with((kettle, 1), (mug, 5), (tray, 1))

    merged = carts.merge(guest, alice)

    assert merged.id == own.id
    assert lines(merged) == [(mug, 5), (kettle, 3), (tray, 1)]
    assert carts.of_user(alice) == merged
    assert is_gone(guest)


def test_a_customer_without_a_cart_gets_the_guests_lines(alice, mug, kettle):
    merged = carts.merge(a_guest_with((mug, 1), (kettle, 2)), alice)

    assert lines(merged) == [(mug, 1), (kettle, 2)]
    assert merged.owner_id == alice.pk


def test_an_empty_guests_cart_changes_nothing(alice, mug):
    own = carts.add(carts.of_user(alice), mug, 2)
    guest = carts.create_guest()

    assert carts.merge(guest, alice) == own
    assert is_gone(guest)


def test_codes_of_both_carts_are_kept(alice):
    carts.set_promos(carts.of_user(alice), ["WELCOME10", "MORNING"])
    guest = carts.set_promos(carts.create_guest(), ["MORNING", "FREESHIP"])

    assert carts.merge(guest, alice).promo_codes == ("WELCOME10", "MORNING", "FREESHIP")


def test_merging_twice_is_merging_once(alice, mug, kettle):
    carts.add(carts.of_user(alice), mug, 1)
    guest = a_guest_with((mug, 2), (kettle, 1))

    first = carts.merge(guest, alice)

    assert lines(first) == [(mug, 2), (kettle, 1)]
    assert carts.merge(guest, alice) == first


def test_adding_up_would_double_what_runs_twice(alice, mug):
    """The control: a merge that adds quantities adds them again at a repeated sign-in."""
    guest = a_guest_with((mug, 2))
    own = carts.of_user(alice)

    for _ in range(2):
        for line in guest.lines:
            own = carts.add(own, line.sku, line.quantity)

    assert lines(own) == [(mug, 4)]


def test_crash_before_the_guests_cart_is_deleted_doubles_nothing(alice, mug, monkeypatch):
    class Killed(BaseException):
        pass

    def die(read):
        raise Killed

    guest = a_guest_with((mug, 2))
    with monkeypatch.context() as patched:
        patched.setattr(guests, "delete_unchanged", die)
        with pytest.raises(Killed):
            carts.merge(guest, alice)
    assert not is_gone(guest)

    merged = carts.merge(guest, alice)

    assert lines(merged) == [(mug, 2)]
    assert is_gone(guest)


def test_a_line_added_in_another_tab_meanwhile_is_not_lost(alice, mug, kettle, monkeypatch):
    guest = a_guest_with((mug, 1))
    merge_into = customers.merge_into

    def add_in_another_tab(cart, source):
        merged = merge_into(cart, source)
        monkeypatch.undo()
        carts.add(guest, kettle, 1)
        return merged

    monkeypatch.setattr(customers, "merge_into", add_in_another_tab)

    merged = carts.merge(guest, alice)

    assert lines(merged) == [(mug, 1), (kettle, 1)]
    assert is_gone(guest)


def test_an_outdated_view_of_the_cart_is_read_again(alice, mug, kettle):
    seen = a_guest_with((mug, 1))
    carts.add(seen, kettle, 1)

    assert lines(carts.merge(seen, alice)) == [(mug, 1), (kettle, 1)]


def test_a_cart_ordered_during_the_merge_leaves_the_lines_to_the_next(
    alice, mug, kettle, monkeypatch
):
    ordered = carts.add(carts.of_user(alice), mug, 1)
    guest = a_guest_with((kettle, 1))
    merge_into = customers.merge_into

    def order_in_another_tab(cart, source):
        monkeypatch.undo()
        carts.close(cart)
        return merge_into(cart, source)

    monkeypatch.setattr(customers, "merge_into", order_in_another_tab)

    merged = carts.merge(guest, alice)

    assert merged.id != ordered.id
    assert lines(merged) == [(kettle, 1)]
    assert lines(carts.find(ordered.id, user=alice)) == [(mug, 1)]


def test_what_is_sold_out_by_now_is_not_lost(alice, mug):
    from apps.inventory.models import StockItem

    guest = a_guest_with((mug, 2))
    StockItem.objects.update(on_hand=0)

    assert lines(carts.merge(guest, alice)) == [(mug, 2)]


def test_a_full_cart_loses_no_line_either(alice, mug, kettle, monkeypatch):
    monkeypatch.setattr("apps.cart.customers.LINES_MAX", 1)
    carts.add(carts.of_user(alice), mug)

    assert lines(carts.merge(a_guest_with((kettle, 1)), alice)) == [(mug, 1), (kettle, 1)]


def test_without_redis_the_merge_is_left_to_a_later_sign_in(alice, mug, settings):
    guest = a_guest_with((mug, 1))
    url, settings.CARTS_REDIS_URL = settings.CARTS_REDIS_URL, "redis://127.0.0.1:1/3"
    with pytest.raises(CartsUnavailable):
        carts.merge(guest, alice)
    settings.CARTS_REDIS_URL = url

    assert lines(carts.merge(guest, alice)) == [(mug, 1)]


def test_a_customers_own_cart_is_not_merged_into_itself(alice, mug):
    own = carts.add(carts.of_user(alice), mug, 2)

    assert carts.merge(own, alice) == own
