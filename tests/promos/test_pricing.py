"""The discount that promos give, to the cent, and why a code does not apply."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as some

from apps.promos.errors import PromoExhausted, PromoExpired, PromoInvalid
from apps.promos.models import Promo
from apps.promos.pricing import MOST_CODES, Discounts, PricedLine, discounts_for
from tests.factories import CategoryFactory, ProductFactory, PromoFactory, RedemptionFactory

pytestmark = pytest.mark.django_db

MUG, KETTLE, LAMP = 1_000_001, 1_000_002, 1_000_003


def mugs(quantity: int = 1, *, price: int = 1800, category: str = "0001") -> PricedLine:
    return PricedLine(MUG, category, quantity, price)


def kettles(quantity: int = 1, *, price: int = 8900, category: str = "0002") -> PricedLine:
    return PricedLine(KETTLE, category, quantity, price)


def why(discounts: Discounts) -> list[tuple[str, str]]:
    """(code, sentence) of each refusal."""
    return [(error.code, str(error)) for error in discounts.refused]


class TestPercentage:
    def test_ten_per_cent_of_everything(self):
        PromoFactory(code="TEN", percent_bp=1000)

        found = discounts_for([mugs(2), kettles()], ["ten"])

        assert found.per_line == (360, 890)
        assert [(a.code, a.discount_amount) for a in found.applied] == [("TEN", 1250)]
        assert (found.free_shipping, found.refused) == (False, ())

    @pytest.mark.parametrize(
        ("basis_points", "cents", "off"),
        [(1000, 1995, 200), (1000, 1994, 199), (1250, 1999, 250), (1, 4999, 0), (1, 5000, 1)],
    )
    def test_half_a_cent_is_rounded_up(self, basis_points, cents, off):
        PromoFactory(code="PART", percent_bp=basis_points)

        assert discounts_for([mugs(price=cents)], ["PART"]).per_line == (off,)

    def test_is_rounded_once_for_the_cart_and_not_per_line(self):
        PromoFactory(code="TEN", percent_bp=1000)

        found = discounts_for([mugs(price=104), kettles(price=104), mugs(price=104)], ["TEN"])

        assert sum(found.per_line) == 31, "31.2, where 10.4 thrice would be 30"
        assert sorted(found.per_line) == [10, 10, 11]

    def test_hundred_per_cent_leaves_nothing_to_pay(self):
        PromoFactory(code="GIFT", percent_bp=10_000)

        assert discounts_for([mugs(3, price=333), kettles(price=1)], ["GIFT"]).per_line == (999, 1)


class TestFixedAmount:
    def test_is_divided_by_value(self):
        PromoFactory(code="FIVE", fixed=True)

        assert discounts_for([mugs(), kettles(price=7200)], ["FIVE"]).per_line == (100, 400)

    def test_odd_cent_goes_to_the_largest_remainder(self):
        PromoFactory(code="ONE", fixed=True, amount=100)

        found = discounts_for([mugs(price=100), kettles(price=100), mugs(price=100)], ["ONE"])

        assert found.per_line == (34, 33, 33)

    def test_takes_off_no_more_than_there_is(self):
        PromoFactory(code="FIVE", fixed=True)

        found = discounts_for([mugs(price=300)], ["FIVE"])

        assert found.per_line == (300,)
        assert found.applied[0].discount_amount == 300

    def test_line_without_a_price_gets_no_discount(self):
        PromoFactory(code="FIVE", fixed=True)

        assert discounts_for([mugs(price=0), kettles(price=600)], ["FIVE"]).per_line == (0, 500)


class TestFreeShipping:
    def test_takes_off_nothing_but_the_delivery(self):
        PromoFactory(code="FREE", free_shipping=True)

        found = discounts_for([mugs()], ["FREE"])

        assert (found.per_line, found.free_shipping) == ((0,), True)
        assert [(a.code, a.discount_amount) for a in found.applied] == [("FREE", 0)]


class TestBuyTwoGetOne:
    @pytest.fixture(autouse=True)
    def third_one_free(self):
        return PromoFactory(code="THIRD", buy_two_get_one=True)

    @pytest.mark.parametrize(("quantity", "free"), [(3, 1), (4, 1), (5, 1), (6, 2), (8, 2), (9, 3)])
    def test_every_third_is_free(self, quantity, free):
        assert discounts_for([mugs(quantity)], ["THIRD"]).per_line == (free * 1800,)

    def test_cheapest_is_the_free_one(self):
        found = discounts_for([kettles(2), mugs(1)], ["THIRD"])

        assert found.per_line == (0, 1800)

    def test_free_units_continue_with_the_next_cheapest(self):
        found = discounts_for([kettles(5), mugs(1)], ["THIRD"])

        assert found.per_line == (8900, 1800)

    @pytest.mark.parametrize("quantity", [1, 2])
    def test_too_few_units_are_refused_with_the_number_needed(self, quantity):
        """If it were accepted without a free unit, a use of a limited code would be lost."""
        found = discounts_for([mugs(quantity)], ["THIRD"])

        assert (found.per_line, found.applied) == ((0,), ())
        assert why(found) == [("promo_not_applicable", "THIRD needs 3 matching items or more.")]

    def test_too_few_that_match_give_nothing_although_the_cart_is_full(self, third_one_free):
        product = ProductFactory()
        third_one_free.products.add(product)
        found = discounts_for([PricedLine(product.pk, "0001", 2, 1800), kettles(9)], ["THIRD"])

        assert (found.per_line, found.applied) == ((0, 0), ())
        assert why(found) == [("promo_not_applicable", "THIRD needs 3 matching items or more.")]

    def test_three_for_two_with_more_than_one_given(self):
        PromoFactory(
            code="FIVE-FOR-THREE", kind="buy_x_get_y", percent_bp=0, buy_quantity=3, get_quantity=2
        )

        for quantity, free in ((4, 1), (5, 2), (7, 2), (9, 3), (10, 4)):
            found = discounts_for([mugs(quantity)], ["FIVE-FOR-THREE"])
            assert found.per_line == (free * 1800,), quantity


class TestScope:
    def test_only_the_products_named(self):
        product = ProductFactory()
        PromoFactory(code="TEN").products.add(product)

        found = discounts_for([PricedLine(product.pk, "0009", 1, 1000), kettles()], ["TEN"])

        assert found.per_line == (100, 0)

    def test_category_with_all_below_it(self):
        kitchen = CategoryFactory(name="Kitchen")
        cups = CategoryFactory(name="Cups", parent=kitchen)
        tiny = CategoryFactory(name="Espresso cups", parent=cups)
        garden = CategoryFactory(name="Garden")
        PromoFactory(code="TEN").categories.add(kitchen)
        lines = [PricedLine(MUG, each.path, 1, 1000) for each in (kitchen, cups, tiny, garden)]

        assert discounts_for(lines, ["TEN"]).per_line == (100, 100, 100, 0)

    def test_subcategory_does_not_include_its_parent(self):
        kitchen = CategoryFactory(name="Kitchen")
        cups = CategoryFactory(name="Cups", parent=kitchen)
        PromoFactory(code="TEN").categories.add(cups)
        lines = [PricedLine(MUG, each.path, 1, 1000) for each in (kitchen, cups)]

        assert discounts_for(lines, ["TEN"]).per_line == (0, 100)

    def test_products_and_categories_add_up(self):
        kitchen, lamp = CategoryFactory(name="Kitchen"), ProductFactory()
        promo = PromoFactory(code="TEN")
        promo.categories.add(kitchen)
        promo.products.add(lamp)
        lines = [
            PricedLine(MUG, kitchen.path, 1, 1000),
            PricedLine(lamp.pk, "0009", 1, 1000),
            kettles(price=1000, category="0009"),
        ]

        assert discounts_for(lines, ["TEN"]).per_line == (100, 100, 0)

    def test_cart_without_a_matching_line_is_refused(self):
        PromoFactory(code="TEN").products.add(ProductFactory())

        found = discounts_for([mugs(), kettles()], ["TEN"])

        assert (found.per_line, found.applied) == ((0, 0), ())
        assert why(found) == [("promo_not_applicable", "Nothing in this cart goes with TEN.")]

    def test_fixed_amount_stays_within_its_lines(self):
        product = ProductFactory()
        PromoFactory(code="FIVE", fixed=True).products.add(product)

        found = discounts_for([PricedLine(product.pk, "0001", 1, 300), kettles()], ["FIVE"])

        assert found.per_line == (300, 0)


class TestWhetherItApplies:
    def test_unknown_code(self):
        found = discounts_for([mugs()], ["NOPE"])

        assert isinstance(found.refused[0], PromoInvalid)
        assert why(found) == [("promo_invalid", "We do not know the code NOPE.")]
        assert (found.per_line, found.applied) == ((0,), ())

    def test_switched_off_or_not_yet_started_is_answered_as_unknown(self):
        PromoFactory(code="OFF", active=False)
        PromoFactory(code="LATER", starts_at=Now() + timedelta(minutes=1))

        for code in ("OFF", "LATER"):
            assert why(discounts_for([mugs()], [code])) == [
                ("promo_invalid", f"We do not know the code {code}.")
            ]

    def test_start_and_end_are_by_the_clock_of_the_database(self):
        PromoFactory(code="NOW", starts_at=Now(), ends_at=Now() + timedelta(seconds=30))
        PromoFactory(code="OVER", starts_at=Now() - timedelta(days=2), ends_at=Now())

        assert discounts_for([mugs()], ["NOW"]).per_line == (180,)
        found = discounts_for([mugs()], ["OVER"])
        assert isinstance(found.refused[0], PromoExpired)
        assert why(found) == [("promo_expired", "OVER has expired.")]

    def test_clock_of_the_web_server_starts_and_ends_nothing(self, monkeypatch):
        """A worker whose clock is a year ahead must not expire a code, nor one behind start it."""
        import django.utils.timezone as clocks

        true = clocks.now()
        PromoFactory(code="NOW", starts_at=Now(), ends_at=Now() + timedelta(seconds=30))

        for wrong in (true + timedelta(days=365), true - timedelta(days=365)):
            monkeypatch.setattr(clocks, "now", lambda wrong=wrong: wrong)
            assert discounts_for([mugs()], ["NOW"]).per_line == (180,)

    def test_minimum_subtotal_is_compared_before_discounts(self):
        PromoFactory(code="FROM36", min_subtotal_amount=3600, stackable=True)
        PromoFactory(code="FIVE", fixed=True, stackable=True)

        assert discounts_for([mugs(2)], ["FIVE", "FROM36"]).refused == ()
        found = discounts_for([mugs(2, price=1799)], ["FROM36"])
        assert why(found) == [
            ("promo_not_applicable", "FROM36 needs a subtotal of $36.00 or more.")
        ]
        assert found.per_line == (0,)

    def test_used_up(self):
        RedemptionFactory(promo=PromoFactory(code="ONCE", one_use=True))

        found = discounts_for([mugs()], ["ONCE"])

        assert isinstance(found.refused[0], PromoExhausted)
        assert why(found) == [("promo_exhausted", "ONCE has been used up.")]

    def test_used_up_by_this_customer(self):
        promo = PromoFactory(code="WELCOME", customer_limit=1)
        RedemptionFactory(promo=promo, customer_key="alice@example.com", paid=True)
        RedemptionFactory(promo=promo, customer_key="bob@example.com", live=False, paid=True)
        RedemptionFactory(promo=promo, customer_key="carol@example.com")  # a guest order, unpaid

        def of(customer):
            return why(discounts_for([mugs()], ["WELCOME"], customer_key=customer))

        assert of("alice@example.com") == [("promo_used", "You have used WELCOME before.")]
        assert of("bob@example.com") == [], "the order was cancelled"
        assert of("carol@example.com") == []
        assert of(None) == [], "the customer of a cart is not known yet"


class TestTogether:
    def test_first_code_wins_where_one_does_not_stack(self):
        PromoFactory(code="ALONE")
        PromoFactory(code="FIVE", fixed=True, stackable=True)

        found = discounts_for([mugs()], ["ALONE", "FIVE"])
        reversed_order = discounts_for([mugs()], ["FIVE", "ALONE"])

        assert (found.per_line, [a.code for a in found.applied]) == ((180,), ["ALONE"])
        assert why(found) == [
            ("promo_not_applicable", "FIVE cannot be combined with another code.")
        ]
        assert (reversed_order.per_line, [a.code for a in reversed_order.applied]) == (
            (500,),
            ["FIVE"],
        )

    def test_refused_code_does_not_block_another(self):
        PromoFactory(code="ALONE")

        found = discounts_for([mugs()], ["NOPE", "ALONE"])

        assert found.per_line == (180,)
        assert [error.code for error in found.refused] == ["promo_invalid"]

    def test_each_applies_to_what_the_one_before_left(self):
        """Buy-X-get-Y, then percentages, then amounts, whatever order they were typed in."""
        PromoFactory(code="FIVE", fixed=True, stackable=True)
        PromoFactory(code="TEN", stackable=True)
        PromoFactory(code="THIRD", buy_two_get_one=True, stackable=True)
        PromoFactory(code="FREE", free_shipping=True, stackable=True)

        found = discounts_for([mugs(3)], ["FREE", "FIVE", "TEN", "THIRD"])

        assert [(a.code, a.discount_amount) for a in found.applied] == [
            ("THIRD", 1800),
            ("TEN", 360),
            ("FIVE", 500),
            ("FREE", 0),
        ]
        assert (found.per_line, found.free_shipping) == ((2660,), True)

    def test_same_code_twice_counts_once(self):
        PromoFactory(code="FIVE", fixed=True, stackable=True)

        found = discounts_for([mugs()], ["FIVE", "five", " F-I-V-E "])

        assert found.per_line == (500,)
        assert len(found.applied) == 1

    def test_codes_beyond_the_fifth_are_refused_by_name(self, django_assert_max_num_queries):
        for number in range(7):
            PromoFactory(code=f"ONE{number}", fixed=True, amount=100, stackable=True)

        with django_assert_max_num_queries(3):
            found = discounts_for([mugs()], [f"ONE{number}" for number in range(7)])

        assert found.per_line == (MOST_CODES * 100,)
        assert why(found) == [
            (
                "promo_not_applicable",
                f"{code} does not count: an order takes {MOST_CODES} codes. Take one off first.",
            )
            for code in ("ONE5", "ONE6")
        ]

    def test_code_beyond_the_fifth_that_is_none_is_told_as_such(self):
        for number in range(MOST_CODES):
            PromoFactory(code=f"ONE{number}", fixed=True, amount=100, stackable=True)

        found = discounts_for([mugs()], [*(f"ONE{n}" for n in range(MOST_CODES)), "NOPE"])

        assert why(found) == [("promo_invalid", "We do not know the code NOPE.")]

    def test_without_codes_there_is_no_query(self, django_assert_num_queries):
        with django_assert_num_queries(0):
            assert discounts_for([mugs()], []) == Discounts((0,), False, (), ())
            assert discounts_for([mugs()], ["", " "]).per_line == (0,)

    def test_empty_cart_has_no_discount(self):
        PromoFactory(code="TEN", percent_bp=1000)
        assert discounts_for([], ["TEN"]).per_line == ()


some_lines = some.lists(
    some.builds(
        PricedLine,
        product_id=some.sampled_from([MUG, KETTLE]),
        category_path=some.sampled_from(["0001", "00010001", "0002"]),
        quantity=some.integers(1, 999),
        unit_amount=some.integers(0, 2_000_000),
    ),
    min_size=1,
    max_size=6,
)
some_promos = some.lists(
    some.one_of(
        some.integers(1, 10_000).map(lambda n: ("percentage", {"percent_bp": n})),
        some.integers(1, 3_000_000).map(lambda n: ("fixed", {"amount": n})),
        some.tuples(some.integers(1, 5), some.integers(1, 5)).map(
            lambda n: ("buy_x_get_y", {"buy_quantity": n[0], "get_quantity": n[1]})
        ),
        some.just(("free_shipping", {})),
    ),
    min_size=1,
    max_size=MOST_CODES,
)


@given(lines=some_lines, promos=some_promos)
@hypothesis_settings(deadline=None)
def test_no_line_gets_more_off_than_it_costs(lines, promos):
    known = {
        f"CODE{place}": in_memory(place, kind, fields)
        for place, (kind, fields) in enumerate(promos)
    }

    found = discounts_for(lines, list(known), promos=known)

    worth = [line.quantity * line.unit_amount for line in lines]
    assert all(0 <= off <= most for off, most in zip(found.per_line, worth, strict=True))
    assert sum(found.per_line) == sum(applied.discount_amount for applied in found.applied)
    assert all(applied.discount_amount >= 0 for applied in found.applied)
    assert {a.code for a in found.applied} | {e.promo_code for e in found.refused} == set(known)
    assert found.free_shipping == any(kind == "free_shipping" for kind, _ in promos)


def in_memory(place: int, kind: str, fields: dict[str, int]) -> Promo:
    """A promo as `pricing.load` returns it, without the database: 900 examples a second."""
    promo = Promo(
        pk=place + 1,
        code=f"CODE{place}",
        normal_code=f"CODE{place}",
        kind=kind,
        stackable=True,
        **fields,
    )
    promo.scope = (frozenset(), ())
    promo.started, promo.ended = True, False
    return promo
