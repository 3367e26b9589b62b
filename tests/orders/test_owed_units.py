"""What an accepted order still waits for: first come, first served, told on page, mail and API."""

from uuid import UUID

import pytest
from django.test import Client

from apps.catalog.models import Variant
from apps.inventory import back_orders, stock
from apps.orders import emails, order_parts, payloads
from apps.orders.fulfilment import shipping
from apps.orders.fulfilment.cancellation import request_cancellation
from apps.orders.models import Order
from apps.orders.tokens import order_token
from tests.factories import a_mug
from tests.orders.purchases import Shop


def owed(shop: Shop, *order_ids: UUID) -> list[int]:
    """Units that each of the orders waits for."""
    found = back_orders.owed(order_ids)
    assert set(found.values()) <= {*range(1, 100)}
    return [sum(n for (order_id, _sku), n in found.items() if order_id == o) for o in order_ids]


@pytest.fixture
def mug(shop: Shop) -> Variant:
    return a_mug(stock=3, inventory_policy="continue")


def test_who_ordered_last_waits_first(shop: Shop, mug: Variant) -> None:
    orders = [shop.place_confirmed((mug, n)) for n in (2, 2)] + [shop.place((mug, 3))]
    assert owed(shop, *orders) == [0, 1, 3]

    shop.run()  # the third is confirmed: its units have left the books, and are owed as before
    assert owed(shop, *orders) == [0, 1, 3]

    stock.receive(sku=mug.sku, quantity=2, reason="delivery", actor="clerk")
    assert owed(shop, *orders) == [0, 0, 2]


def test_units_of_a_later_order_that_is_cancelled_are_not_counted(shop: Shop, mug: Variant) -> None:
    first, waits, later = (shop.place_confirmed((mug, n)) for n in (2, 2, 3))

    request_cancellation(later)
    shop.run()

    assert owed(shop, first, waits, later) == [0, 1, 0]


def test_goods_that_nobody_counts_are_never_owed(shop: Shop) -> None:
    uncounted = a_mug(stock=0, inventory_policy="untracked")

    assert owed(shop, shop.place_confirmed((uncounted, 3))) == [0]


def test_shopper_is_told_what_ships_later(shop: Shop, mug: Variant) -> None:
    order_id = shop.place_confirmed((mug, 5), (shop.mug, 1))
    order = Order.objects.get(pk=order_id)

    lines = {line["sku"]: line["back_ordered"] for line in payloads.order(order)["lines"]}
    assert lines == {mug.sku: 2, shop.mug.sku: 0}
    page = Client().get(f"/orders/{order_id}/?token={order_token(order_id)}").content.decode()
    assert page.count("3 in stock, 2 on back order: ships later.") == 1
    (mail,) = emails.confirmations([order_id])
    assert "2 of them on back order\n" in mail.body
    assert "as soon as everything is here" in mail.body
    assert "packing" not in mail.body
    assert "Estimated delivery" not in mail.body


def test_nothing_is_said_of_units_that_are_there(shop: Shop, mug: Variant) -> None:
    order_id = shop.place_confirmed((mug, 3))

    (mail,) = emails.confirmations([order_id])

    assert "back order" not in mail.body
    assert "we are packing it now" in mail.body


def test_what_has_left_the_house_does_not_wait(shop: Shop, mug: Variant) -> None:
    order_id = shop.place_confirmed((mug, 5))
    shipping.hand_to_carrier(order_id, actor="clerk")

    assert order_parts.units_to_come(Order.objects.get(pk=order_id)) == {}
