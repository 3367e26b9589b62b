"""What the intake accepts: one order, written whole, its cart ordered once."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.conf import settings

from apps.cart import carts
from apps.cart.models import Cart
from apps.inventory.models import Hold
from apps.orders import tokens
from apps.orders.errors import CartAlreadyOrdered, OutOfStock
from apps.orders.models import IdempotencyKey, Order, OrderEvent, Saga
from apps.payments.models import Payment
from apps.promos.models import Redemption
from tests.factories import PromoFactory, a_kettle, a_mug, a_sales_tax, make_alice
from tests.orders.checkouts import a_checkout, cancel, everything, place, reserved, together

pytestmark = pytest.mark.usefixtures("open_shop")


class TestAcceptedOrder:
    def test_is_written_whole(self, mug):
        a_sales_tax()
        kettle = a_kettle(stock=2, price=8900)
        request = a_checkout(
            (mug, 2), (kettle, 1), billing_address={"name": "Bob", "country": "US"}
        )

        accepted = place(request)

        order = Order.objects.get()
        assert (order.pk, order.status, order.seq) == (accepted.order_id, "PENDING", 1)
        assert (order.email, order.user_id, order.cart_id) == ("alice@example.com", None, None)
        # 12500 of goods and 8.25 % of it, half up.
        assert (
            order.subtotal_amount,
            order.discount_amount,
            order.shipping_amount,
            order.tax_amount,
            order.total_amount,
        ) == (12_500, 0, 599, 1031, 14_130)
        assert order.shipping_address == request.shipping_address
        assert order.billing_address == request.billing_address
        assert list(order.lines.values_list("sku", "quantity", "unit_amount", "line_amount")) == [
            (mug.sku, 2, 1800, 3600),
            (kettle.sku, 1, 8900, 8900),
        ]
        payment = Payment.objects.get(order_id=order.pk)
        assert (payment.status, payment.amount, payment.captured_amount) == ("created", 14_130, 0)
        assert payment.payment_method == "pm_card_visa"
        saga = Saga.objects.get()
        assert (saga.state, saga.step, saga.attempts) == ("forward", "authorize_payment", 0)
        assert saga.due_at is not None
        event = OrderEvent.objects.get()
        assert (event.seq, event.status) == (1, "PENDING")
        assert event.message == "Order received. Your items are held for you."
        key = IdempotencyKey.objects.get()
        assert (key.scope, key.key, key.order_id) == ("guest", request.key, order.pk)
        assert bytes(key.fingerprint) == request.fingerprint

    def test_holds_its_units_for_a_quarter_of_an_hour(self, mug):
        accepted = place(a_checkout((mug, 2)))

        hold = Hold.objects.get(order_id=accepted.order_id)
        assert (hold.quantity, hold.state, reserved(mug)) == (2, "active", 2)
        assert timedelta(minutes=15) == settings.HOLD_TIME
        assert Saga.objects.get().deadline_at == hold.expires_at

    def test_is_answered_with_all_that_the_contract_names(self, mug):
        (accepted,) = together(a_checkout((mug, 1), base_url="https://shop.example"))

        order = Order.objects.get()
        token = tokens.order_token(order.pk)
        itself = f"https://shop.example/api/v1/orders/{order.pk}/"
        assert accepted.replayed is False
        assert accepted.answer == {
            "order": {
                "id": str(order.pk),
                "number": order.number,
                "status": "PENDING",
                "total": {"amount": "23.99", "currency": "USD"},
                "token": token,
            },
            "links": {
                "self": itself,
                "status": f"{itself}status/",
                "events": f"{itself}events/",
                "websocket": f"wss://shop.example/ws/orders/{order.pk}/?token={token}",
            },
            "queue": {"position": 0, "estimated_wait_seconds": 1},
        }

    def test_counts_a_sku_that_stands_in_it_twice_together(self, mug):
        place(a_checkout((mug, 1), (mug, 2)))

        assert list(Order.objects.get().lines.values_list("sku", "quantity")) == [(mug.sku, 3)]
        assert reserved(mug) == 3

    def test_redeems_its_promo(self, mug):
        PromoFactory(code="FIVE", fixed=True)

        accepted = place(a_checkout((mug, 1), promo_codes=("f-i-v-e",), email="Alice@Example.com"))

        order = Order.objects.get()
        assert (order.discount_amount, order.total_amount) == (500, 1899)
        assert order.promo_codes == ["FIVE"]
        used = Redemption.objects.get()
        assert (used.order_id, used.customer_key, used.discount_amount) == (
            accepted.order_id,
            "alice@example.com",
            500,
        )

    def test_of_a_customer_belongs_to_the_account(self, mug):
        alice = make_alice()

        place(a_checkout((mug, 1), scope=f"user:{alice.pk}", user_id=alice.pk))

        assert Order.objects.get().user == alice


class TestCart:
    def test_is_ordered_once_whatever_the_key(self, mug):
        """Two tabs."""
        cart_id = uuid4()
        first = place(a_checkout((mug, 1), cart_id=cart_id))
        before = everything()

        with pytest.raises(CartAlreadyOrdered) as refused:
            place(a_checkout((mug, 1), cart_id=cart_id))

        assert refused.value.order_id == first.order_id
        assert refused.value.number == first.answer["order"]["number"]
        assert everything() == before

    def test_can_be_ordered_again_once_its_order_is_cancelled(self, mug):
        cart_id = uuid4()
        cancel(place(a_checkout((mug, 1), cart_id=cart_id)))

        second = place(a_checkout((mug, 1), cart_id=cart_id))

        assert Order.objects.filter(cart_id=cart_id).count() == 2
        with pytest.raises(CartAlreadyOrdered) as refused:
            place(a_checkout((mug, 1), cart_id=cart_id))
        assert refused.value.order_id == second.order_id

    def test_of_a_customer_closes_with_the_order(self, mug):
        alice = make_alice()
        cart = carts.add(carts.of_user(alice), mug.sku, 1)

        place(a_checkout((mug, 1), cart_id=cart.id, user_id=alice.pk, scope=f"user:{alice.pk}"))

        assert Cart.objects.get(pk=cart.id).open is False
        assert carts.of_user(alice).id != cart.id

    def test_stays_open_when_the_order_was_refused(self):
        alice, mug = make_alice(), a_mug(stock=1)
        cart = carts.add(carts.of_user(alice), mug.sku, 1)
        place(a_checkout((mug, 1)))

        with pytest.raises(OutOfStock):
            place(a_checkout((mug, 1), cart_id=cart.id, user_id=alice.pk, scope=f"user:{alice.pk}"))

        assert carts.of_user(alice) == cart
