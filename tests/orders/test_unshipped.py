"""Goods that need no shipping: no parcel, no date of delivery, and nothing is packed."""

import pytest

from apps.notifications.models import Notification
from apps.orders import payloads
from apps.orders.fulfilment import cancellation, shipping
from apps.orders.fulfilment.shipping import NotReady
from apps.orders.intake.quote import quote_lines
from apps.orders.models import Order, OrderEvent
from apps.shipping.models import Shipment
from tests.factories import PromoFactory, a_mug
from tests.orders.purchases import Shop


@pytest.fixture
def voucher(shop: Shop):
    return a_mug(stock=10, price=5000, sku="VOUCHER", requires_shipping=False)


def test_voucher_is_sold_without_a_parcel(shop: Shop, voucher) -> None:
    order_id = shop.place((voucher, 1))
    shop.run()

    order = Order.objects.get()
    assert (order.status, order.shipping_method, order.shipping_amount) == ("CONFIRMED", "", 0)
    assert shop.payment(order_id).status == "captured"
    assert not Shipment.objects.exists()
    document = payloads.order(order)
    assert document["shipment"] is None
    assert document["message"] == "Paid and confirmed. There is nothing to ship."
    mail = Notification.objects.get().body
    assert "packing" not in mail
    assert "Estimated delivery" not in mail
    assert "Shipping" not in mail
    assert "do create_shipment: done" in shop.log(order_id)
    shop.assert_audit_clean()


def test_voucher_beside_a_mug_goes_with_its_parcel(shop: Shop, voucher) -> None:
    order_id = shop.place((voucher, 1), (shop.mug, 1))
    shop.run()

    shop.assert_confirmed(order_id)
    assert shop.order(order_id).shipping_method == "standard"
    assert "packing" in OrderEvent.objects.get(order=order_id, status="CONFIRMED").message
    assert "packing" in Notification.objects.get().body


def test_orders_of_both_kinds_go_together(shop: Shop, voucher) -> None:
    without, with_parcel = shop.place((voucher, 1)), shop.place()
    shop.run()

    assert list(Shipment.objects.values_list("order_id", flat=True)) == [with_parcel]
    assert shop.order(without).status == shop.order(with_parcel).status == "CONFIRMED"


def test_empty_cart_may_still_be_filled_with_what_is_shipped(shop: Shop) -> None:
    PromoFactory(code="SHIP", free_shipping=True)

    quote = quote_lines([], promo_codes=["SHIP"])

    assert quote.ships
    assert not quote.problems


def test_staff_mark_it_delivered_when_it_is_done(shop: Shop, voucher) -> None:
    order_id = shop.place((voucher, 1))
    shop.run()

    with pytest.raises(NotReady):
        shipping.hand_to_carrier(order_id, actor="clerk")
    assert shop.order(order_id).status == "CONFIRMED"
    shipping.mark_delivered(order_id, actor="clerk")

    assert shop.order(order_id).status == "DELIVERED"
    assert OrderEvent.objects.get(order=order_id, seq=4).message == "Your order is complete."
    assert not Shipment.objects.exists()
    shop.assert_audit_clean()


def test_confirmed_parcel_is_not_delivered_before_it_has_left(shop: Shop) -> None:
    order_id = shop.place_confirmed()

    with pytest.raises(NotReady):
        shipping.mark_delivered(order_id, actor="clerk")

    shop.assert_confirmed(order_id)


def test_it_is_not_marked_delivered_while_it_is_being_cancelled(shop: Shop, voucher) -> None:
    order_id = shop.place((voucher, 1))
    shop.run()
    cancellation.request_cancellation(order_id)

    with pytest.raises(NotReady):
        shipping.mark_delivered(order_id, actor="clerk")
    shop.run()

    shop.assert_cancelled(order_id)
    assert shop.stock(voucher) == (10, 0)


def test_code_for_free_shipping_does_not_apply(shop: Shop, voucher) -> None:
    PromoFactory(code="SHIP", free_shipping=True)

    only = quote_lines([(voucher.sku, 1)], promo_codes=["SHIP"])
    both = quote_lines([(voucher.sku, 1), (shop.mug.sku, 1)], promo_codes=["SHIP"])

    assert [problem.code for problem in only.problems] == ["promo_not_applicable"]
    assert only.promos == ()
    assert not both.problems
    assert [promo.code for promo in both.promos] == ["SHIP"]
