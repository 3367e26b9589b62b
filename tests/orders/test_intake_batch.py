"""Many checkouts in one commit: each gets its own outcome."""

from uuid import uuid4

import pytest
from django.db import DataError
from rest_framework_simplejwt.utils import get_md5_hash_password

from apps.customers.models import User
from apps.orders.errors import (
    CartAlreadyOrdered,
    IdempotencyKeyReused,
    NotQuotable,
    OutOfStock,
    PriceChanged,
    SignedOut,
)
from apps.orders.intake import Accepted, CheckoutRequest
from apps.orders.models import IdempotencyKey, Order, Saga
from apps.promos.errors import PromoExhausted
from apps.promos.models import Promo, Redemption
from tests.factories import PromoFactory, a_kettle, a_mug, make_alice, sold_out_mug
from tests.orders.checkouts import a_checkout, place, reserved, together

pytestmark = pytest.mark.usefixtures("open_shop")


class TestBatch:
    def test_each_checkout_gets_its_own_outcome(self, mug):
        PromoFactory(code="ONCE", one_use=True)
        kettle, cart_id = a_kettle(stock=1), uuid4()
        replayed = place(a_checkout((mug, 1), key="k-1"))
        carted = place(a_checkout((mug, 1), cart_id=cart_id))

        outcomes = together(
            a_checkout((mug, 1), promo_codes=("ONCE",)),
            a_checkout((mug, 1), promo_codes=("ONCE",), email="bob@example.com"),
            a_checkout((kettle, 1)),
            a_checkout((kettle, 1)),
            a_checkout((mug, 1), key="k-1"),
            a_checkout((mug, 1), key="k-1", body="another"),
            a_checkout((mug, 1), cart_id=cart_id),
            a_checkout((mug, 1), expected_total=(1, "USD")),
            a_checkout((mug, 1), promo_codes=("NOPE",)),
            a_checkout((mug, 1)),
        )

        assert [type(outcome) for outcome in outcomes] == [
            Accepted,
            PromoExhausted,
            Accepted,
            OutOfStock,
            Accepted,
            IdempotencyKeyReused,
            CartAlreadyOrdered,
            PriceChanged,
            NotQuotable,
            Accepted,
        ]
        assert outcomes[4].answer == replayed.answer
        assert outcomes[6].order_id == carted.order_id
        assert Order.objects.count() == 5
        assert (reserved(mug), reserved(kettle)) == (4, 1)
        assert Promo.objects.get().used == 1

    def test_account_is_checked_when_the_order_is_written(self, mug):
        """A guest, Alice, Alice with an old token, Bob with a closed account, an unknown one."""
        alice, bob = make_alice(), User.objects.create_user("bob@example.com", is_active=False)
        digest, bobs = (get_md5_hash_password(user.password) for user in (alice, bob))

        def claiming(user_id: int, digest: str) -> CheckoutRequest:
            scope = f"user:{user_id}"
            return a_checkout((mug, 1), scope=scope, user_id=user_id, password_digest=digest)

        good = claiming(alice.pk, digest)
        outcomes = together(
            a_checkout((mug, 1)),
            good,
            claiming(alice.pk, get_md5_hash_password("last year's")),
            claiming(bob.pk, bobs),
            claiming(bob.pk + 1, digest),
        )

        assert [type(outcome) for outcome in outcomes] == [Accepted, Accepted] + 3 * [SignedOut]
        assert [order.user for order in Order.objects.order_by("pk")] == [None, alice]
        assert reserved(mug) == 2
        alice.set_password("another one")
        alice.save()
        assert isinstance(together(good)[0], SignedOut), (
            "an old token does not get the stored answer either"
        )

    def test_first_come_is_first_served(self):
        mug = a_mug(stock=3)

        outcomes = together(*(a_checkout((mug, units)) for units in (2, 2, 1, 1)))

        assert [type(outcome) for outcome in outcomes] == [
            Accepted,
            OutOfStock,
            Accepted,
            OutOfStock,
        ]
        assert [line.available for line in outcomes[1].lines] == [1]
        assert [line.available for line in outcomes[3].lines] == [0]

    def test_last_use_is_not_lost_to_a_checkout_that_is_sold_out(self, mug):
        """The first gets no order, so the code has a use left, which goes to the next."""
        promo, gone = PromoFactory(code="ONCE", one_use=True), sold_out_mug()

        outcomes = together(
            a_checkout((gone, 1), promo_codes=("ONCE",)),
            a_checkout((mug, 1), promo_codes=("ONCE",), email="bob@example.com"),
            a_checkout((mug, 1), promo_codes=("ONCE",), email="carol@example.com"),
        )

        assert [type(outcome) for outcome in outcomes] == [OutOfStock, Accepted, PromoExhausted]
        promo.refresh_from_db()
        assert promo.used == 1
        assert Redemption.objects.get().order_id == outcomes[1].order_id
        assert reserved(mug) == 1

    def test_one_of_two_uses_is_passed_on(self, mug):
        promo, gone = PromoFactory(code="TWICE", total_limit=2), sold_out_mug()
        first, second, third, fourth = (
            a_checkout((thing, 1), promo_codes=("TWICE",), email=f"{who}@example.com")
            for thing, who in ((gone, "alice"), (mug, "bob"), (mug, "carol"), (mug, "dave"))
        )

        outcomes = together(first, second, third, fourth)

        assert [type(o) for o in outcomes] == [OutOfStock, Accepted, Accepted, PromoExhausted]
        promo.refresh_from_db()
        assert promo.used == Redemption.objects.count() == reserved(mug) == 2

    def test_last_use_passed_on_does_not_take_units_from_those_who_had_them(self):
        """Bob gets the code in the second round, but by then Dave has the last mug."""
        mug, gone = a_mug(stock=1), sold_out_mug()
        PromoFactory(code="ONCE", one_use=True)

        outcomes = together(
            a_checkout((gone, 1), promo_codes=("ONCE",)),
            a_checkout((mug, 1), promo_codes=("ONCE",), email="bob@example.com"),
            a_checkout((mug, 1), email="dave@example.com"),
        )

        assert isinstance(outcomes[0], OutOfStock)
        assert sum(isinstance(outcome, Accepted) for outcome in outcomes[1:]) == 1
        assert reserved(mug) == 1
        assert Promo.objects.get().used == Redemption.objects.count() <= 1

    def test_same_key_twice_is_one_order(self, mug):
        request = a_checkout((mug, 1))

        first, second = together(request, request)

        assert (first.replayed, second.replayed) == (False, True)
        assert second.answer == first.answer
        assert (Order.objects.count(), reserved(mug)) == (1, 1)

    def test_same_cart_twice_is_one_order(self, mug):
        cart_id = uuid4()

        first, second = together(
            a_checkout((mug, 1), cart_id=cart_id), a_checkout((mug, 1), cart_id=cart_id)
        )

        assert isinstance(second, CartAlreadyOrdered)
        assert second.order_id == first.order_id
        assert (Order.objects.count(), reserved(mug)) == (1, 1)

    def test_of_two_hundred_is_one_write_on_the_hot_row(self):
        mug = a_mug(stock=250)

        outcomes = together(*(a_checkout((mug, 1)) for _ in range(200)))

        assert all(isinstance(outcome, Accepted) for outcome in outcomes)
        assert len({outcome.answer["order"]["number"] for outcome in outcomes}) == 200
        assert [outcome.answer["queue"]["position"] for outcome in outcomes] == list(range(200))
        assert mug.stock.get().version == 1


POISONS = {
    "a NUL, which no text column takes": {"email": "al\x00ice@example.com"},
    "a lone surrogate": {"email": "al\ud800ice@example.com"},
    "a NUL inside the address": {"shipping_address": {"name": "\x00", "country": "US"}},
    "an address that is no JSON": {"shipping_address": {"name": object(), "country": "US"}},
    "a customer who is not there": {"user_id": 987_654_321},
    "a column that is too short": {"payment_method": "pm_" + "x" * 5000},
}


class TestPoisonedRequest:
    @pytest.mark.parametrize("poison", POISONS.values(), ids=POISONS)
    @pytest.mark.parametrize("place_in_batch", [0, 1, 2])
    def test_fails_alone(self, mug, poison, place_in_batch):
        batch = [a_checkout((mug, 1)), a_checkout((mug, 1))]
        batch.insert(place_in_batch, a_checkout((mug, 5), **poison))

        outcomes = together(*batch)

        failed = outcomes.pop(place_in_batch)
        assert isinstance(failed, Exception)
        assert all(isinstance(outcome, Accepted) for outcome in outcomes)
        assert {order.pk for order in Order.objects.all()} == {o.order_id for o in outcomes}
        assert reserved(mug) == 2
        assert Saga.objects.count() == IdempotencyKey.objects.count() == 2

    def test_leaves_the_committing_thread_alive(self, mug):
        with pytest.raises(DataError):
            place(a_checkout((mug, 1), email="al\x00ice@example.com"))

        assert place(a_checkout((mug, 1))).replayed is False
