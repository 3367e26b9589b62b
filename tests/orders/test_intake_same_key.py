"""The same idempotency key again: the first answer, and no second order."""

import json

import pytest

from apps.inventory import stock
from apps.orders.errors import IdempotencyKeyReused, OutOfStock
from apps.orders.models import Order
from apps.promos.models import Promo
from apps.shipping import rates as shipping_rates
from tests.factories import PromoFactory, make_alice, sold_out_mug
from tests.orders.checkouts import SHIPPING, a_checkout, cancel, everything, place, reserved

pytestmark = pytest.mark.usefixtures("open_shop")


class TestSameKey:
    def test_replays_the_answer_byte_for_byte(self, mug):
        request = a_checkout((mug, 1))
        first = place(request)

        again = place(request)

        assert (first.replayed, again.replayed) == (False, True)
        assert json.dumps(again.answer) == json.dumps(first.answer)
        assert again.order_id == first.order_id
        assert (Order.objects.count(), reserved(mug)) == (1, 1)

    def test_with_another_body_is_refused(self, mug):
        place(a_checkout((mug, 1), key="k-1", body="one"))
        before = everything()

        with pytest.raises(IdempotencyKeyReused):
            place(a_checkout((mug, 2), key="k-1", body="two"))

        assert everything() == before

    def test_of_another_person_is_another_key(self, mug):
        alice = make_alice()
        place(a_checkout((mug, 1), key="k-1"))

        second = place(a_checkout((mug, 1), key="k-1", scope=f"user:{alice.pk}", user_id=alice.pk))

        assert second.replayed is False
        assert Order.objects.count() == 2

    def test_after_a_refusal_is_a_fresh_try(self):
        mug = sold_out_mug()
        request = a_checkout((mug, 1))
        with pytest.raises(OutOfStock):
            place(request)
        stock.receive(sku=mug.sku, quantity=1, reason="pallet", actor="clerk")

        assert place(request).replayed is False
        assert reserved(mug) == 1

    def test_gets_the_first_answer_whatever_has_changed_since(self, mug):
        promo = PromoFactory(code="ONCE", one_use=True)
        total = 1620 + SHIPPING
        request = a_checkout((mug, 1), promo_codes=("ONCE",), expected_total=(total, "USD"))
        first = place(request)
        mug.price_amount, mug.product.published = 9900, False
        mug.save()
        mug.product.save()
        Promo.objects.filter(pk=promo.pk).update(active=False)
        shipping_rates.forget()

        again = place(request)

        assert (again.replayed, again.answer) == (True, first.answer)
        assert Order.objects.get().total_amount == total

    def test_gets_the_first_answer_after_the_order_was_cancelled(self, mug):
        request = a_checkout((mug, 1))
        first = place(request)
        cancel(first)

        assert place(request).order_id == first.order_id
        assert Order.objects.count() == 1
