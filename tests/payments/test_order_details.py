"""What the gateway is told of an order: description, shipping address, buyer, and no token."""

from __future__ import annotations

import json
from typing import Any
from unittest import mock
from uuid import UUID

from apps.orders import tokens
from apps.orders.intake import queue
from apps.orders.models import Order
from apps.payments import charging
from apps.payments.models import GatewayCall
from tests.factories import ADDRESS, a_mug
from tests.orders.purchases import Shop
from tests.payments.test_charging import once


def at_stripe(shop: Shop, order_id: UUID) -> dict[str, Any]:
    path = f"/v1/payment_intents/{shop.payment(order_id).intent_id}"
    return dict(shop.sandbox.client().raw_request("get", path).data)


def test_gateway_is_told_what_it_is_paid_for(shop: Shop) -> None:
    order_id = shop.place_confirmed()
    shown, order = at_stripe(shop, order_id), shop.order(order_id)
    assert shown["description"] == f"Order {order.number}"
    assert shown["shipping"]["name"] == order.shipping_address["name"]
    assert shown["shipping"]["address"]["postal_code"] == order.shipping_address["postal_code"]
    metadata = shown["metadata"]
    assert (metadata["email"], metadata["order"]) == (order.email, order.number)
    assert metadata["billing_name"] == order.shipping_address["name"], "no other was given"
    assert tokens.order_token(order_id) not in json.dumps(shown)


def test_billing_name_is_that_of_the_billing_address(shop: Shop) -> None:
    place = queue.place_order

    def billed(request: Any) -> Any:
        return place(request._replace(billing_address=ADDRESS | {"name": "Bob Buyer"}))

    with mock.patch.object(queue, "place_order", billed):
        order_id = shop.place_confirmed()
    shown = at_stripe(shop, order_id)
    assert shown["metadata"]["billing_name"] == "Bob Buyer"
    assert shown["shipping"]["name"] == ADDRESS["name"]


def test_of_goods_that_are_not_shipped_no_address_is_told(shop: Shop) -> None:
    voucher = a_mug(stock=10, price=5000, sku="VOUCHER", requires_shipping=False)
    order_id = shop.place((voucher, 1))
    shop.run()
    shown = at_stripe(shop, order_id)
    assert (shown["status"], shown["shipping"]) == ("succeeded", None)


def test_address_that_stripe_does_not_take_makes_no_second_charge(shop: Shop) -> None:
    """The payment is made without it. Its answer is lost, and the request is made once more."""
    order_id = shop.place()
    payment = shop.payment(order_id)
    payment.details["shipping"]["country"] = "Oregon"
    payment.save(update_fields=["details"])
    [lost] = charging.ask(charging.authorizations([order_id]))
    assert lost.facts
    shop.run()
    assert len(shop.intents()) == 1
    shop.assert_confirmed(order_id)


def test_address_changed_since_is_not_sent_under_the_old_key(shop: Shop) -> None:
    """The request under a key must say the same each time, or the gateway refuses it."""
    shop.sandbox.faults(once("reset_after", "payment_intents.create"))
    order_id = shop.place()
    shop.run()
    Order.objects.update(shipping_address=ADDRESS | {"name": "Somebody Else"})
    shop.run_hurried(order_id)
    assert len(shop.intents()) == 1
    assert at_stripe(shop, order_id)["shipping"]["name"] == ADDRESS["name"]
    outcomes = GatewayCall.objects.filter(purpose="authorize").values_list("outcome", flat=True)
    assert sorted(outcomes) == ["answered", "retry"]
