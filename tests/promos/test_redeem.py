"""The last use of a code goes to one shopper."""

import threading
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F

from apps.promos import redeem
from apps.promos.errors import PromoExhausted, PromoUsed
from apps.promos.models import Promo, Redemption
from apps.promos.pricing import AppliedPromo
from apps.promos.redeem import RedeemRequest
from tests.factories import PromoFactory
from tests.orders.purchases import at_once


def uses(
    *promos: Promo, by: str = "alice@example.com", discount: int = 500, user_id: int | None = None
) -> RedeemRequest:
    applied = tuple(AppliedPromo(promo.pk, promo.code, discount) for promo in promos)
    return RedeemRequest(uuid4(), by, applied, user_id)


def pay(*requests: RedeemRequest) -> set[UUID]:
    """Claim the uses of paid orders; returns the orders whose customer has none left."""
    return redeem.claim([request.order_id for request in requests])


def use_numbers(promo: Promo) -> dict[UUID, int]:
    """`use_number` by order, of the paid ones."""
    paid = promo.redemptions.filter(live=True, use_number__isnull=False)
    return dict(paid.values_list("order_id", "use_number"))


def order(*requests: RedeemRequest) -> list[str]:
    """Decide and record, as the intake does; "yes" or the refusal's message for each."""
    with transaction.atomic():
        answers = redeem.decide(requests)
        redeem.record(r for r, refused in zip(requests, answers, strict=True) if refused is None)
    return ["yes" if refused is None else str(refused) for refused in answers]


def counts(promo: Promo) -> tuple[int, int]:
    """(`used`, number of live redemptions)."""
    promo.refresh_from_db()
    return promo.used, promo.redemptions.filter(live=True).count()


@pytest.mark.django_db
class TestRedeeming:
    def test_use_is_counted_and_written_down(self):
        promo = PromoFactory(code="FIVE")
        request = uses(promo, discount=123)

        assert order(request) == ["yes"]

        assert counts(promo) == (1, 1)
        row = Redemption.objects.get()
        assert (row.order_id, row.customer_key, row.discount_amount, row.live) == (
            request.order_id,
            "alice@example.com",
            123,
            True,
        )

    def test_last_use_goes_to_one_shopper(self):
        promo = PromoFactory(code="ONCE", one_use=True)

        answers = order(uses(promo), uses(promo, by="bob@example.com"))

        assert answers == ["yes", "ONCE has been used up."]
        assert counts(promo) == (1, 1)
        assert Redemption.objects.get().customer_key == "alice@example.com"

    def test_refusal_is_named(self):
        promo = PromoFactory(code="ONCE", one_use=True)
        order(uses(promo))

        with transaction.atomic():
            (refused,) = redeem.decide([uses(promo)])

        assert isinstance(refused, PromoExhausted)
        assert (refused.code, refused.promo_code) == ("promo_exhausted", "ONCE")

    def test_customer_limit_counts_an_accounts_orders_within_a_batch_and_before_it(self):
        promo = PromoFactory(code="WELCOME", customer_limit=2)
        order(uses(promo, user_id=7))

        answers = order(
            uses(promo, user_id=7), uses(promo, user_id=7), uses(promo, by="bob@example.com")
        )

        assert answers == ["yes", "You have used WELCOME before.", "yes"]
        assert counts(promo) == (3, 3)

    def test_unpaid_order_of_a_stranger_uses_up_no_code(self):
        promo = PromoFactory(code="WELCOME", customer_limit=1)
        order(uses(promo))  # by a stranger, under Alice's e-mail

        assert order(uses(promo, user_id=7), uses(promo)) == ["yes", "yes"]

    def test_paid_use_counts_for_its_mailbox_and_its_account(self):
        promo = PromoFactory(code="WELCOME", customer_limit=1)
        paid = uses(promo, user_id=7)
        order(paid)
        assert pay(paid) == set()

        answers = order(
            uses(promo),
            uses(promo, user_id=8),
            uses(promo, by="alice@elsewhere.example", user_id=7),
            uses(promo, by="bob@example.com"),
        )

        used = "You have used WELCOME before."
        assert answers == [used, used, used, "yes"]

    def test_refusal_of_a_customer_is_named(self):
        promo = PromoFactory(code="WELCOME", customer_limit=1)
        order(uses(promo, user_id=7))

        with transaction.atomic():
            (refused,) = redeem.decide([uses(promo, user_id=7)])

        assert isinstance(refused, PromoUsed)
        assert (refused.code, refused.promo_code) == ("promo_used", "WELCOME")

    def test_cancelled_order_does_not_count_against_the_customer(self):
        promo = PromoFactory(code="WELCOME", customer_limit=1)
        first = uses(promo)
        order(first)
        redeem.release([first.order_id])

        assert order(uses(promo)) == ["yes"]

    def test_order_with_two_codes_gets_both_or_none(self):
        plenty, once = PromoFactory(code="PLENTY"), PromoFactory(code="ONCE", one_use=True)
        order(uses(once))

        assert order(uses(plenty, once)) == ["ONCE has been used up."]

        assert (counts(plenty), counts(once)) == ((0, 0), (1, 1))

    def test_refused_order_leaves_its_other_codes_use_to_later_orders(self):
        last, gone = PromoFactory(code="LAST", one_use=True), PromoFactory(total_limit=0)

        answers = order(uses(last, gone), uses(last, by="bob@example.com"))

        assert answers[1] == "yes"
        assert counts(last) == (1, 1)

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
        assert counts(promo) == (1, 1)


@pytest.mark.django_db
class TestClaiming:
    def test_first_order_paid_has_the_use_and_the_second_has_none(self):
        promo = PromoFactory(code="WELCOME", customer_limit=1)
        first, second = uses(promo), uses(promo)
        order(first, second)

        assert pay(second) == set()
        assert pay(first) == {first.order_id}
        assert use_numbers(promo) == {second.order_id: 1}

    def test_two_paid_at_once_in_one_batch_have_one_use(self):
        promo = PromoFactory(code="WELCOME", customer_limit=1)
        first, second = uses(promo), uses(promo)
        order(first, second)

        assert len(pay(first, second)) == 1
        assert list(use_numbers(promo).values()) == [1]

    def test_again_changes_nothing(self):
        promo = PromoFactory(code="WELCOME", customer_limit=1)
        mine = uses(promo)
        order(mine)

        assert pay(mine) == pay(mine) == set()
        assert use_numbers(promo) == {mine.order_id: 1}

    def test_released_use_goes_to_the_next_order(self):
        promo = PromoFactory(code="TWICE", customer_limit=2)
        three = [uses(promo) for _ in range(3)]
        order(*three)
        assert pay(*three[:2]) == set()
        redeem.release([three[0].order_id])

        assert pay(three[2]) == set()
        assert sorted(use_numbers(promo).values()) == [1, 2]

    def test_order_with_two_codes_is_refused_when_one_is_used_up(self):
        once, often = PromoFactory(customer_limit=1), PromoFactory()
        first, second = uses(once), uses(once, often)
        order(first, second)
        pay(first)

        assert pay(second) == {second.order_id}

    def test_promo_without_a_limit_refuses_no_one(self):
        promo = PromoFactory()
        many = [uses(promo) for _ in range(4)]
        order(*many)

        assert pay(*many) == set()
        assert sorted(use_numbers(promo).values()) == [1, 2, 3, 4]

    def test_database_keeps_one_order_to_a_use(self):
        promo = PromoFactory(customer_limit=1)
        order(uses(promo), uses(promo))

        with pytest.raises(IntegrityError), transaction.atomic():
            Redemption.objects.update(use_number=1)


@pytest.mark.django_db
class TestReleasing:
    def test_use_is_free_again(self):
        promo = PromoFactory(code="ONCE", one_use=True)
        request = uses(promo)
        order(request)

        redeem.release([request.order_id])

        assert counts(promo) == (0, 0)
        assert order(uses(promo, by="bob@example.com")) == ["yes"]

    def test_twice_is_once(self):
        promo = PromoFactory(total_limit=5)
        request, other = uses(promo), uses(promo)
        order(request, other)

        redeem.release([request.order_id])
        redeem.release([request.order_id])
        redeem.release([request.order_id, request.order_id])

        assert counts(promo) == (1, 1)
        assert Redemption.objects.get(live=True).order_id == other.order_id

    def test_all_codes_of_all_orders(self):
        five, ten = PromoFactory(), PromoFactory()
        requests = [uses(five, ten), uses(five)]
        order(*requests)

        redeem.release(request.order_id for request in requests)

        assert (counts(five), counts(ten)) == ((0, 0), (0, 0))

    def test_orders_without_codes_change_nothing(self):
        promo = PromoFactory()
        order(uses(promo))

        redeem.release([uuid4()])
        redeem.release([])

        assert counts(promo) == (1, 1)


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
class TestRaces:
    def test_two_hundred_at_the_last_use(self):
        """Forty threads with five orders each."""
        promo = PromoFactory(code="ONCE", one_use=True)

        answers = at_once(
            40, lambda n: [order(uses(promo, by=f"{n}@example.com")) for _ in range(5)]
        )

        words = [word for thread in answers for (word,) in thread]
        assert (words.count("yes"), words.count("ONCE has been used up.")) == (1, 199)
        assert counts(promo) == (1, 1)

    def test_one_account_in_ten_browser_windows(self):
        promo = PromoFactory(code="WELCOME", customer_limit=1)

        answers = at_once(10, lambda _: order(uses(promo, user_id=7)))

        assert sorted(word for (word,) in answers) == ["You have used WELCOME before."] * 9 + [
            "yes"
        ]
        assert counts(promo) == (1, 1)

    def test_ten_orders_of_one_mailbox_paid_at_once_have_one_use(self):
        """Ten workers; one that chose a taken number tries again, as the saga does."""
        promo = PromoFactory(code="WELCOME", customer_limit=1)
        orders = [uses(promo) for _ in range(10)]
        order(*orders)

        def work(number: int) -> bool:
            for _ in range(20):
                try:
                    with transaction.atomic():
                        return bool(pay(orders[number]))
                except IntegrityError:
                    continue
            raise AssertionError("chose a taken number twenty times")

        assert sorted(at_once(10, work)) == [False] + [True] * 9
        assert list(use_numbers(promo).values()) == [1]

    def test_codes_in_opposite_order_do_not_deadlock(self):
        five, ten = PromoFactory(), PromoFactory()

        answers = at_once(
            8, lambda n: [order(uses(*((five, ten) if n % 2 else (ten, five)))) for _ in range(10)]
        )

        assert answers == [[["yes"]] * 10] * 8
        assert (counts(five), counts(ten)) == ((80, 80), (80, 80))

    def test_counter_does_not_drift_while_uses_come_and_go(self):
        promo = PromoFactory(total_limit=3)

        def use_and_release(_):
            for _ in range(6):
                request = uses(promo)
                if order(request) == ["yes"]:
                    redeem.release([request.order_id])

        assert at_once(8, use_and_release) == [None] * 8
        assert counts(promo) == (0, 0)

    def test_one_order_released_by_six_workers_at_once(self):
        promo = PromoFactory(total_limit=9)
        request = uses(promo)
        order(request, uses(promo))

        at_once(6, lambda _: redeem.release([request.order_id]))

        assert counts(promo) == (1, 1)

    def test_control_without_the_lock_gives_the_last_use_to_all(self):
        """The race test above can fail: read, then write, without a lock between."""
        promo = PromoFactory(code="ONCE", one_use=True)
        readers = threading.Barrier(6)

        def without_lock(number: int) -> str:
            with transaction.atomic():
                seen = Promo.objects.get(pk=promo.pk)
                readers.wait(timeout=60)  # all have read before one writes
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

        assert at_once(6, without_lock) == ["yes"] * 6
        assert counts(promo) == (1, 6), "the counter alone looks right"
