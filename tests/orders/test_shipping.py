"""What may be handed to the carrier, and what must not."""

import pytest

from apps.orders.fulfilment.shipping import NotReady, hand_to_carrier, mark_delivered
from apps.payments import refunds
from apps.shipping.models import Shipment
from tests.orders.purchases import Shop


def test_parcel_is_shipped_and_delivered_and_the_shopper_gets_a_mail(shop: Shop) -> None:
    order_id = shop.place()
    shop.run()

    hand_to_carrier(order_id, actor="clerk")
    mark_delivered(order_id, actor="clerk")

    assert shop.statuses(order_id)[-2:] == ["SHIPPED", "DELIVERED"]
    assert Shipment.objects.get(order_id=order_id).state == "delivered"
    assert shop.mails(order_id).count("order_shipped") == 1


def test_order_that_was_refunded_in_full_is_not_handed_over(shop: Shop) -> None:
    order_id = shop.place()
    shop.run()
    paid = shop.payment(order_id).captured_amount
    refunds.request_refund(order_id, amount=paid, purpose="admin:1", reason="late", actor="clerk")
    assert refunds.send_due() == 1

    with pytest.raises(NotReady, match="refunded"):
        hand_to_carrier(order_id, actor="clerk")

    assert shop.statuses(order_id)[-1] == "CONFIRMED"
    assert Shipment.objects.get(order_id=order_id).state == "labelled"


def test_unfinished_order_is_not_handed_over(shop: Shop) -> None:
    order_id = shop.place()

    with pytest.raises(NotReady):
        hand_to_carrier(order_id, actor="clerk")

    assert shop.statuses(order_id) == ["PENDING"]


def test_parcel_is_handed_over_once_and_arrives_once(shop: Shop) -> None:
    order_id = shop.place_delivered()
    before = shop.statuses(order_id)

    with pytest.raises(NotReady, match="confirmed"):
        hand_to_carrier(order_id, actor="clerk")
    with pytest.raises(NotReady, match="shipped"):
        mark_delivered(order_id, actor="clerk")

    assert shop.statuses(order_id) == before
    assert before[-3:] == ["CONFIRMED", "SHIPPED", "DELIVERED"]
    assert shop.mails(order_id) == ["order_confirmed", "order_shipped"]


def test_parcel_that_was_not_shipped_is_not_delivered(shop: Shop) -> None:
    order_id = shop.place_confirmed()

    with pytest.raises(NotReady, match="shipped"):
        mark_delivered(order_id, actor="clerk")

    shop.assert_confirmed(order_id)
