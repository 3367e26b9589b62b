"""What the intake refuses, and that a refusal leaves no trace."""

import pytest

from apps.orders.errors import NotQuotable, OutOfStock, PriceChanged
from apps.promos.models import Redemption
from tests.factories import PromoFactory, a_kettle, make_alice, sold_out_mug
from tests.orders.checkouts import a_checkout, everything, place

pytestmark = pytest.mark.usefixtures("open_shop")


class TestRefusal:
    """Whatever the reason, nothing has changed."""

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

    def test_product_that_is_no_longer_sold(self, mug):
        mug.active = False
        mug.save()

        error = self.refused(a_checkout((mug, 1)), NotQuotable)

        assert [(p.sku, p.code) for p in error.problems] == [(mug.sku, "unavailable")]

    def test_method_that_does_not_ship_there(self, mug):
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

    def test_second_order_of_an_account_with_a_welcome_code(self, mug):
        PromoFactory(code="WELCOME", customer_limit=1)
        alice = make_alice()
        with_code = {"promo_codes": ("WELCOME",), "scope": f"user:{alice.pk}", "user_id": alice.pk}
        place(a_checkout((mug, 1), **with_code))

        error = self.refused(
            a_checkout((mug, 1), **with_code, email="a@elsewhere.example"), NotQuotable
        )

        assert [(p.code, p.message) for p in error.problems] == [
            ("promo_used", "You have used WELCOME before.")
        ]

    def test_welcome_code_of_a_mailbox_is_used_up_by_payment_only(self, mug):
        PromoFactory(code="WELCOME", customer_limit=1)
        place(a_checkout((mug, 1), promo_codes=("WELCOME",), email="ALICE@example.com"))

        place(a_checkout((mug, 1), promo_codes=("WELCOME",), email="alice@EXAMPLE.com"))

        assert Redemption.objects.filter(customer_key="alice@example.com").count() == 2
