"""What the intake takes, what it refuses, and that a refusal leaves no trace."""

import json
from datetime import timedelta
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import DataError
from rest_framework_simplejwt.utils import get_md5_hash_password

from apps.cart import carts
from apps.cart.models import Cart
from apps.customers.models import User
from apps.inventory import stock
from apps.inventory.models import Hold
from apps.orders import moves, tokens
from apps.orders.errors import (
    CartAlreadyOrdered,
    IdempotencyKeyReused,
    NotQuotable,
    OutOfStock,
    PriceChanged,
    SignedOut,
)
from apps.orders.intake import Accepted, CheckoutRequest
from apps.orders.models import IdempotencyKey, Order, OrderEvent, Saga
from apps.orders.moves import Move
from apps.payments.models import Payment
from apps.promos.errors import PromoExhausted
from apps.promos.models import Promo, Redemption
from apps.shipping import rates as shipping_rates
from tests.factories import (
    PromoFactory,
    a_kettle,
    a_mug,
    a_sales_tax,
    make_alice,
    sold_out_mug,
)
from tests.orders.checkouts import (
    SHIPPING,
    a_checkout,
    everything,
    place,
    reserved,
    together,
)

pytestmark = pytest.mark.usefixtures("open_shop")


@pytest.fixture
def mug():
    return a_mug(stock=10, price=1800)


def cancel(accepted: Accepted) -> None:
    moves.make([Move(accepted.order_id, Order.Status.CANCELLED)])


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
                "websocket": f"wss://shop.example:{settings.LIVE_PORT}/ws/orders/{order.pk}/"
                f"?token={token}",
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

    def test_of_a_customer_is_hers(self, mug):
        alice = make_alice()

        place(a_checkout((mug, 1), scope=f"user:{alice.pk}", user_id=alice.pk))

        assert Order.objects.get().user == alice


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

        hers = place(a_checkout((mug, 1), key="k-1", scope=f"user:{alice.pk}", user_id=alice.pk))

        assert hers.replayed is False
        assert Order.objects.count() == 2

    def test_after_a_refusal_is_a_fresh_try(self):
        mug = sold_out_mug()
        request = a_checkout((mug, 1))
        with pytest.raises(OutOfStock):
            place(request)
        stock.receive(sku=mug.sku, quantity=1, reason="pallet", actor="clerk")

        assert place(request).replayed is False
        assert reserved(mug) == 1

    def test_hears_the_first_answer_whatever_has_changed_since(self, mug):
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

    def test_hears_the_first_answer_after_the_order_was_called_off(self, mug):
        request = a_checkout((mug, 1))
        first = place(request)
        cancel(first)

        assert place(request).order_id == first.order_id
        assert Order.objects.count() == 1


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


class TestRefusal:
    """Whatever the reason, nothing has moved."""

    def refused(self, request, kind):
        before = everything()
        with pytest.raises(kind) as refusal:
            place(request)
        assert everything() == before
        return refusal.value

    def test_sold_out_names_each_line_with_what_is_left(self, mug):
        lamp, kettle = sold_out_mug(), a_kettle(stock=1)

        error = self.refused(a_checkout((mug, 1), (lamp, 1), (kettle, 2)), OutOfStock)

        assert {line.sku: line.available for line in error.lines} == {lamp.sku: 0, kettle.sku: 1}

    @pytest.mark.parametrize("expected", [(2398, "USD"), (2400, "USD"), (2399, "EUR"), (0, "USD")])
    def test_other_total_is_answered_with_todays_quote(self, mug, expected):
        error = self.refused(a_checkout((mug, 1), expected_total=expected), PriceChanged)

        assert (error.quote.total_amount, error.quote.currency) == (2399, "USD")
        assert error.quote.totals()["total"] == {"amount": "23.99", "currency": "USD"}

    def test_total_as_expected_is_taken(self, mug):
        assert place(a_checkout((mug, 1), expected_total=(2399, "USD"))).replayed is False

    def test_nothing_to_order(self):
        error = self.refused(a_checkout(), NotQuotable)
        assert [problem.code for problem in error.problems] == ["empty"]

    def test_thing_that_is_no_longer_sold(self, mug):
        mug.active = False
        mug.save()

        error = self.refused(a_checkout((mug, 1)), NotQuotable)

        assert [(p.sku, p.code) for p in error.problems] == [(mug.sku, "unavailable")]

    def test_place_that_nobody_ships_to(self, mug):
        error = self.refused(a_checkout((mug, 1), shipping_method="teleport"), NotQuotable)
        assert [problem.code for problem in error.problems] == ["not_shippable"]

    @pytest.mark.parametrize(
        ("promo", "code"),
        [
            ({"over": True}, "promo_expired"),
            ({"active": False}, "promo_invalid"),
            ({"total_limit": 0}, "promo_exhausted"),
            ({"min_subtotal_amount": 1801}, "promo_not_applicable"),
        ],
    )
    def test_promo_that_gives_nothing_is_not_silently_left_out(self, mug, promo, code):
        PromoFactory(code="FIVE", **promo)

        error = self.refused(a_checkout((mug, 1), promo_codes=("FIVE",)), NotQuotable)

        assert [(p.promo_code, p.code) for p in error.problems] == [("FIVE", code)]

    def test_second_order_of_a_customer_with_a_welcome_code(self, mug):
        PromoFactory(code="WELCOME", customer_limit=1)
        place(a_checkout((mug, 1), promo_codes=("WELCOME",), email="ALICE@example.com"))

        error = self.refused(
            a_checkout((mug, 1), promo_codes=("WELCOME",), email="alice@EXAMPLE.com"),
            PromoExhausted,
        )

        assert str(error) == "WELCOME has been used up."


class TestBatch:
    def test_everybody_in_it_is_answered_in_her_own_way(self, mug):
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

    def test_account_is_looked_at_when_the_order_is_written(self, mug):
        """Of five with one mug each: a guest, Alice, Alice of last year, Bob who left, nobody."""
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
        assert isinstance(together(good)[0], SignedOut), "nor is her order told to who had it"

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

    def test_last_use_is_not_lost_to_somebody_whose_things_are_sold_out(self, mug):
        """She was first but makes no order: the code is there still, and goes to the next."""
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
        """Bob gets the code after all, but by then dave has the last mug."""
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
    "half a character": {"email": "al\ud800ice@example.com"},
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
