"""What a cart costs, to the cent, and why it cannot be ordered."""

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as some

from apps.catalog.prices import Offer
from apps.orders.intake.quote import QuoteProblem, quote_lines
from apps.shipping import rates as shipping_rates
from apps.taxes import rates as tax_rates
from tests.factories import (
    PromoFactory,
    RateFactory,
    RedemptionFactory,
    TaxRateFactory,
    a_kettle,
    a_mug,
    a_sales_tax,
    held_mug,
    ship_everywhere,
    sold_out_mug,
)

pytestmark = pytest.mark.django_db

HOME = {"country": "US", "region": "OR", "shipping_method": "standard"}


@pytest.fixture(autouse=True)
def rates():
    """Standard delivery for $5.99, no tax."""
    shipping_rates.forget()
    tax_rates.forget()
    ship_everywhere(price=599)
    yield
    shipping_rates.forget()
    tax_rates.forget()


def amounts(quote):
    return (
        quote.subtotal_amount,
        quote.discount_amount,
        quote.shipping_amount,
        quote.tax_amount,
        quote.total_amount,
    )


class TestTotals:
    def test_goods_delivery_and_tax(self, mug):
        a_sales_tax(rate_bp=825)
        kettle = a_kettle(price=8900)

        quote = quote_lines([(mug.sku, 2), (kettle.sku, 1)], **HOME)

        assert amounts(quote) == (12_500, 0, 599, 1031, 14_130)
        assert quote.currency == "USD"
        assert quote.weight_grams == 2 * 350 + 1200
        assert quote.problems == ()
        assert quote.totals() == {
            "subtotal": {"amount": "125.00", "currency": "USD"},
            "discount": {"amount": "0.00", "currency": "USD"},
            "shipping": {"amount": "5.99", "currency": "USD"},
            "tax": {"amount": "10.31", "currency": "USD"},
            "total": {"amount": "141.30", "currency": "USD"},
        }

    def test_line_has_the_product_and_the_units_available(self, mug):
        (line,) = quote_lines([(mug.sku, 2)]).lines

        assert (line.sku, line.name, line.slug) == (mug.sku, "Stoneware Mug", mug.product.slug)
        assert (line.quantity, line.unit_amount, line.line_amount) == (2, 1800, 3600)
        assert (line.discount_amount, line.available, line.variant_id) == (0, 10, mug.pk)

    def test_without_an_address_there_is_no_delivery_and_no_tax_yet(self, mug):
        a_sales_tax()

        assert amounts(quote_lines([(mug.sku, 1)])) == (1800, 0, 0, 0, 1800)

    def test_without_a_method_there_is_tax_and_no_delivery_yet(self, mug):
        a_sales_tax(rate_bp=1000)

        assert amounts(quote_lines([(mug.sku, 1)], country="US")) == (1800, 0, 0, 180, 1980)

    def test_same_sku_twice_counts_together(self, mug):
        quote = quote_lines([(mug.sku, 1), (mug.sku, 2)])

        assert [(line.sku, line.quantity) for line in quote.lines] == [(mug.sku, 3)]
        assert quote.subtotal_amount == 5400

    def test_tax_is_on_what_is_left_after_discounts(self, mug):
        a_sales_tax(rate_bp=1000)
        PromoFactory(code="TEN")

        quote = quote_lines([(mug.sku, 1)], promo_codes=["TEN"], **HOME)

        assert amounts(quote) == (1800, 180, 599, 162, 2381)

    def test_tax_leaves_out_what_is_not_taxed(self, mug):
        a_sales_tax(rate_bp=1000)
        book = a_mug(price=5000, taxable=False)

        assert quote_lines([(mug.sku, 1), (book.sku, 1)], **HOME).tax_amount == 180

    def test_delivery_is_taxed_where_the_rate_says_so(self, mug):
        TaxRateFactory(rate_bp=1000, taxes_shipping=True)

        assert quote_lines([(mug.sku, 1)], **HOME).tax_amount == 240  # 10 % of 23.99

    def test_delivery_is_by_what_is_left_to_pay(self, mug):
        """Free from $36; with ten per cent off two mugs are no longer worth it."""
        shipping_rates.forget()
        RateFactory(
            zone__name="Everywhere",
            method__code="standard",
            basis="total",
            at_least=3600,
            price_amount=0,
        )
        PromoFactory(code="TEN")

        assert quote_lines([(mug.sku, 2)], **HOME).shipping_amount == 0
        assert quote_lines([(mug.sku, 2)], promo_codes=["TEN"], **HOME).shipping_amount == 599

    def test_what_is_not_shipped_costs_no_delivery_and_weighs_nothing(self):
        voucher = a_mug(price=5000, requires_shipping=False)

        quote = quote_lines([(voucher.sku, 1)], **HOME)

        assert (quote.shipping_amount, quote.weight_grams, quote.problems) == (0, 0, ())

    def test_free_delivery_takes_off_the_delivery_and_the_tax_on_it(self, mug):
        TaxRateFactory(rate_bp=1000, taxes_shipping=True)
        PromoFactory(code="FREE", free_shipping=True)

        quote = quote_lines([(mug.sku, 1)], promo_codes=["FREE"], **HOME)

        assert amounts(quote) == (1800, 0, 0, 180, 1980)
        assert [applied.code for applied in quote.promos] == ["FREE"]

    def test_all_of_it_given_away_still_has_to_be_sent(self, mug):
        PromoFactory(code="GIFT", percent_bp=10_000)

        quote = quote_lines([(mug.sku, 1)], promo_codes=["GIFT"], **HOME)

        assert amounts(quote) == (1800, 1800, 599, 0, 599)

    def test_nothing_costs_nothing(self):
        quote = quote_lines([], promo_codes=["TEN"], **HOME)

        assert amounts(quote) == (0, 0, 0, 0, 0)
        assert quote.lines == ()


class TestProblems:
    """None of them raises, and none of them counts."""

    def test_less_than_asked_for(self):
        mug = held_mug(stock=2, price=1800)
        two = a_mug(stock=2, price=1000)

        quote = quote_lines([(mug.sku, 1), (two.sku, 3)])

        assert quote.problems == (
            QuoteProblem("insufficient_stock", "Stoneware Mug is sold out.", mug.sku, available=0),
            QuoteProblem(
                "insufficient_stock", "Only 2 of Stoneware Mug left.", two.sku, available=2
            ),
        )
        assert quote.subtotal_amount == 4800, "the price is shown all the same"

    def test_no_longer_sold(self, mug):
        gone = a_mug(active=False)
        hidden = a_mug()
        hidden.product.published = False
        hidden.product.save()

        quote = quote_lines([(gone.sku, 1), (hidden.sku, 1), (mug.sku, 1), ("NEVER-WAS", 1)])

        assert [(p.sku, p.code, p.available) for p in quote.problems] == [
            (gone.sku, "unavailable", 0),
            (hidden.sku, "unavailable", 0),
            ("NEVER-WAS", "unavailable", 0),
        ]
        assert [line.sku for line in quote.lines] == [mug.sku]
        assert quote.subtotal_amount == 1800

    @pytest.mark.parametrize("sku", ["MUG\x00", "\ud800", "", "x" * 10_000, "' OR 1=1 --"])
    def test_no_sku_at_all(self, sku):
        quote = quote_lines([(sku, 1)])

        assert [(p.sku, p.code) for p in quote.problems] == [(sku, "unavailable")]
        assert quote.total_amount == 0

    def test_no_method_ships_there(self, mug):
        quote = quote_lines([(mug.sku, 1)], country="US", shipping_method="teleport")

        assert [problem.code for problem in quote.problems] == ["not_shippable"]
        assert quote.shipping_amount == 0

    def test_code_that_gives_nothing_is_named_with_why(self, mug):
        RedemptionFactory(promo=PromoFactory(code="ONCE", one_use=True))

        quote = quote_lines([(mug.sku, 1)], promo_codes=["once", "NOPE"])

        assert [(p.promo_code, p.code) for p in quote.problems] == [
            ("ONCE", "promo_exhausted"),
            ("NOPE", "promo_invalid"),
        ]
        assert (quote.discount_amount, quote.promos) == (0, ())

    def test_customers_own_limit_counts_once_the_customer_is_known(self, mug):
        RedemptionFactory(promo=PromoFactory(code="WELCOME", customer_limit=1), paid=True)

        known = quote_lines(
            [(mug.sku, 1)], promo_codes=["WELCOME"], customer_key="alice@example.com"
        )
        unknown = quote_lines([(mug.sku, 1)], promo_codes=["WELCOME"])

        assert [problem.code for problem in known.problems] == ["promo_used"]
        assert (unknown.problems, unknown.discount_amount) == ((), 180)

    def test_payload_is_the_apis_shape(self):
        assert QuoteProblem("unavailable", "Gone.", sku="MUG", available=0).payload() == {
            "sku": "MUG",
            "code": "unavailable",
            "available": 0,
            "message": "Gone.",
        }
        assert QuoteProblem("promo_expired", "Over.", promo_code="TEN").payload() == {
            "sku": None,
            "code": "promo_expired",
            "available": None,
            "message": "Over.",
            "promo_code": "TEN",
        }


def test_batch_queries_nothing_that_it_was_given(mug, django_assert_num_queries):
    offers = {mug.sku: an_offer(mug.sku, 1800)}
    quote_lines([(mug.sku, 1)], **HOME, offers=offers, promos={}, with_availability=False)

    with django_assert_num_queries(0):
        quote = quote_lines(
            [(mug.sku, 1)], **HOME, offers=offers, promos={}, with_availability=False
        )

    assert quote.total_amount == 2399


def test_sold_out_is_no_problem_where_the_reservation_decides():
    mug = sold_out_mug()

    assert quote_lines([(mug.sku, 1)], with_availability=False).problems == ()


def an_offer(sku: str, amount: int, *, taxable: bool = True, shipped: bool = True) -> Offer:
    return Offer(sku, 1, 1, "mug", "0001", "Mug", amount, "USD", 350, taxable, shipped, "")


@given(
    goods=some.lists(
        some.tuples(
            some.integers(0, 500_000), some.integers(1, 999), some.booleans(), some.booleans()
        ),
        max_size=5,
    ),
    rate_bp=some.integers(0, 3000),
    taxes_shipping=some.booleans(),
)
@hypothesis_settings(deadline=None)
def test_totals_always_add_up(goods, rate_bp, taxes_shipping):
    tax_rates.forget()
    TaxRateFactory(country="US", region="").delete()
    TaxRateFactory(rate_bp=rate_bp, taxes_shipping=taxes_shipping)
    offers = {
        f"SKU-{n}": an_offer(f"SKU-{n}", amount, taxable=taxable, shipped=shipped)
        for n, (amount, _, taxable, shipped) in enumerate(goods)
    }
    lines = [(f"SKU-{n}", quantity) for n, (_, quantity, _, _) in enumerate(goods)]

    quote = quote_lines(lines, **HOME, offers=offers, promos={}, with_availability=False)

    subtotal, discount, shipping, tax, total = amounts(quote)
    assert subtotal == sum(amount * quantity for amount, quantity, _, _ in goods)
    assert total == subtotal - discount + shipping + tax
    assert (discount, shipping) == (0, 599 if any(shipped for *_, shipped in goods) else 0)
    base = sum(amount * quantity for amount, quantity, taxable, _ in goods if taxable)
    base += shipping if taxes_shipping else 0
    assert abs(tax - base * rate_bp / 10_000) <= 0.5
