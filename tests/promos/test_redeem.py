"""The last use of a code goes to one shopper."""

import threading
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F

from apps.promos import redeem
from apps.promos.errors import PromoExhausted
from apps.promos.models import Promo, Redemption
from apps.promos.pricing import AppliedPromo
from apps.promos.redeem import RedeemRequest
from tests.factories import PromoFactory
from tests.orders.purchases import at_once


def uses(*promos: Promo, by: str = "alice@example.com", discount: int = 500) -> RedeemRequest:
    applied = tuple(AppliedPromo(promo.pk, promo.code, discount) for promo in promos)
    return RedeemRequest(uuid4(), by, applied)


def order(*requests: RedeemRequest) -> list[str]:
    """Decide and record, as the intake does; what each heard."""
    with transaction.atomic():
        answers = redeem.decide(requests)
        redeem.record(r for r, refused in zip(requests, answers, strict=True) if refused is None)
    return ["yes" if refused is None else str(refused) for refused in answers]


def books(promo: Promo) -> tuple[int, int]:
    """(counter, live redemptions)."""
    promo.refresh_from_db()
    return promo.used, promo.redemptions.filter(live=True).count()


@pytest.mark.django_db
class TestRedeeming:
    def test_use_is_counted_and_written_down(self):
        promo = PromoFactory(code="FIVE")
        request = uses(promo, discount=123)

        assert order(request) == ["yes"]

        assert books(promo) == (1, 1)
        row = Redemption.objects.get()
        assert (row.order_id, row.customer_key, row.discount_amount, row.live) == (
            request.order_id,
            "alice@example.com",
            123,
            True,
        )

    def test_last_use_goes_to_one_shopper(self):
        promo = PromoFactory(code="ONCE", one_use=True)

        said = order(uses(promo), uses(promo, by="bob@example.com"))

        assert said == ["yes", "ONCE has been used up."]
        assert books(promo) == (1, 1)
        assert Redemption.objects.get().customer_key == "alice@example.com"

    def test_refusal_is_named(self):
        promo = PromoFactory(code="ONCE", one_use=True)
        order(uses(promo))

        with transaction.atomic():
            (refused,) = redeem.decide([uses(promo)])

        assert isinstance(refused, PromoExhausted)
        assert (refused.code, refused.promo_code) == ("promo_exhausted", "ONCE")

    def test_customer_limit_counts_within_a_batch_and_before_it(self):
        promo = PromoFactory(code="WELCOME", customer_limit=2)
        order(uses(promo))

        said = order(uses(promo), uses(promo), uses(promo, by="bob@example.com"))

        assert said == ["yes", "WELCOME has been used up.", "yes"]
        assert books(promo) == (3, 3)

    def test_called_off_order_does_not_count_against_the_customer(self):
        promo = PromoFactory(code="WELCOME", customer_limit=1)
        first = uses(promo)
        order(first)
        redeem.give_back([first.order_id])

        assert order(uses(promo)) == ["yes"]

    def test_order_with_two_codes_gets_both_or_none(self):
        plenty, once = PromoFactory(code="PLENTY"), PromoFactory(code="ONCE", one_use=True)
        order(uses(once))

        assert order(uses(plenty, once)) == ["ONCE has been used up."]

        assert (books(plenty), books(once)) == ((0, 0), (1, 1))

    def test_who_is_refused_leaves_the_other_codes_use_to_those_behind(self):
        last, gone = PromoFactory(code="LAST", one_use=True), PromoFactory(total_limit=0)

        said = order(uses(last, gone), uses(last, by="bob@example.com"))

        assert said[1] == "yes"
        assert books(last) == (1, 1)

    def test_promo_deleted_since_the_quote_is_used_up(self):
        promo = PromoFactory(code="GONE")
        request = uses(promo)
        promo.delete()

        assert order(request) == ["GONE has been used up."]

    def test_order_without_codes_locks_nothing(self, django_assert_num_queries):
        with transaction.atomic(), django_assert_num_queries(0):
            assert redeem.decide([uses()]) == [None]

    def test_database_keeps_the_limit_and_one_redemption_per_order(self):
        promo = PromoFactory(one_use=True)
        request = uses(promo)
        order(request)

        for broken in (
            lambda: Promo.objects.update(used=F("used") + 1),
            lambda: redeem.record([request]),
        ):
            with pytest.raises(IntegrityError), transaction.atomic():
                broken()
        assert books(promo) == (1, 1)


@pytest.mark.django_db
class TestGivingBack:
    def test_use_is_free_again(self):
        promo = PromoFactory(code="ONCE", one_use=True)
        request = uses(promo)
        order(request)

        redeem.give_back([request.order_id])

        assert books(promo) == (0, 0)
        assert order(uses(promo, by="bob@example.com")) == ["yes"]

    def test_twice_is_once(self):
        promo = PromoFactory(total_limit=5)
        request, other = uses(promo), uses(promo)
        order(request, other)

        redeem.give_back([request.order_id])
        redeem.give_back([request.order_id])
        redeem.give_back([request.order_id, request.order_id])

        assert books(promo) == (1, 1)
        assert Redemption.objects.get(live=True).order_id == other.order_id

    def test_all_codes_of_all_orders(self):
        five, ten = PromoFactory(), PromoFactory()
        requests = [uses(five, ten), uses(five)]
        order(*requests)

        redeem.give_back(request.order_id for request in requests)

        assert (books(five), books(ten)) == ((0, 0), (0, 0))

    def test_orders_without_codes_change_nothing(self):
        promo = PromoFactory()
        order(uses(promo))

        redeem.give_back([uuid4()])
        redeem.give_back([])

        assert books(promo) == (1, 1)


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
class TestRaces:
    def test_two_hundred_at_the_last_use(self):
        """Forty threads with five orders each."""
        promo = PromoFactory(code="ONCE", one_use=True)

        said = at_once(40, lambda n: [order(uses(promo, by=f"{n}@example.com")) for _ in range(5)])

        words = [word for thread in said for (word,) in thread]
        assert (words.count("yes"), words.count("ONCE has been used up.")) == (1, 199)
        assert books(promo) == (1, 1)

    def test_one_customer_in_ten_windows(self):
        promo = PromoFactory(code="WELCOME", customer_limit=1)

        said = at_once(10, lambda _: order(uses(promo)))

        assert sorted(word for (word,) in said) == ["WELCOME has been used up."] * 9 + ["yes"]
        assert books(promo) == (1, 1)

    def test_codes_in_opposite_order_do_not_deadlock(self):
        five, ten = PromoFactory(), PromoFactory()

        said = at_once(
            8, lambda n: [order(uses(*((five, ten) if n % 2 else (ten, five)))) for _ in range(10)]
        )

        assert said == [[["yes"]] * 10] * 8
        assert (books(five), books(ten)) == ((80, 80), (80, 80))

    def test_counter_does_not_drift_while_uses_come_and_go(self):
        promo = PromoFactory(total_limit=3)

        def use_and_give_back(_):
            for _ in range(6):
                request = uses(promo)
                if order(request) == ["yes"]:
                    redeem.give_back([request.order_id])

        assert at_once(8, use_and_give_back) == [None] * 8
        assert books(promo) == (0, 0)

    def test_one_order_given_back_by_two_workers(self):
        promo = PromoFactory(total_limit=9)
        request = uses(promo)
        order(request, uses(promo))

        at_once(6, lambda _: redeem.give_back([request.order_id]))

        assert books(promo) == (1, 1)

    def test_control_without_the_lock_gives_the_last_use_to_everybody(self):
        """The race test above can fail: look, then write, and nothing in between."""
        promo = PromoFactory(code="ONCE", one_use=True)
        lookers = threading.Barrier(6)

        def careless(number: int) -> str:
            with transaction.atomic():
                seen = Promo.objects.get(pk=promo.pk)
                lookers.wait(timeout=20)  # everybody has looked before anybody writes
                if seen.used >= seen.total_limit:
                    return "no"
                with connection.cursor() as cursor:
                    cursor.execute(
                        "UPDATE promos_promo SET used = %s WHERE id = %s", [seen.used + 1, seen.pk]
                    )
                Redemption.objects.create(
                    promo=seen, order_id=uuid4(), customer_key=f"{number}@example.com"
                )
                return "yes"

        assert at_once(6, careless) == ["yes"] * 6
        assert books(promo) == (1, 6), "the counter alone would not tell"
