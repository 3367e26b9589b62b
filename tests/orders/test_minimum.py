"""Orders that no card can be charged for are told at the quote; 0.00 needs no card at all."""

import pytest

from apps.orders.errors import NotQuotable
from apps.orders.intake.quote import QuoteProblem, quote_lines
from tests.factories import PromoFactory, a_product
from tests.orders.checkouts import a_checkout, everything, place

pytestmark = pytest.mark.usefixtures("open_shop")

TOLD = "The smallest amount we can charge is $0.50, and this comes to $0.30."


def download(price: int):
    return a_product("Download", price=price, requires_shipping=False, taxable=False)


@pytest.mark.parametrize(("price", "told"), [(0, False), (1, True), (49, True), (50, False)])
def test_total_below_the_minimum_is_told(price, told):
    problems = quote_lines([(download(price).sku, 1)]).problems
    assert [problem.code for problem in problems] == (["below_minimum"] if told else [])


def test_problem_names_the_minimum():
    (problem,) = quote_lines([(download(30).sku, 1)], country="US").problems
    assert problem == QuoteProblem("below_minimum", TOLD, minimum=(50, "USD"))
    assert problem.payload() == {
        "sku": None,
        "code": "below_minimum",
        "available": None,
        "message": TOLD,
        "minimum": {"amount": "0.50", "currency": "USD"},
    }


def test_more_of_it_is_enough():
    assert quote_lines([(download(30).sku, 2)]).problems == ()


def test_goods_whose_shipping_is_not_known_yet_may_still_come_to_more():
    eraser = a_product("Eraser", price=30)
    assert quote_lines([(eraser.sku, 1)]).problems == ()
    priced = quote_lines([(eraser.sku, 1)], country="US", shipping_method="standard")
    assert (priced.problems, priced.total_amount) == ((), 629)


def test_free_shipping_leaves_it_too_little():
    PromoFactory(code="FREESHIP", free_shipping=True)
    eraser = a_product("Eraser", price=30)
    (problem,) = quote_lines([(eraser.sku, 1)], promo_codes=["FREESHIP"]).problems
    assert problem.code == "below_minimum"


def test_discount_that_leaves_too_little():
    PromoFactory(code="NINETYNINE", percent_bp=9900)
    (problem,) = quote_lines([(download(1800).sku, 1)], promo_codes=["NINETYNINE"]).problems
    assert problem.message.endswith("and this comes to $0.18.")


def test_it_is_refused_before_anything_is_written():
    cheap = download(30)
    before = everything()

    with pytest.raises(NotQuotable) as refused:
        place(a_checkout((cheap, 1)))

    assert [problem.code for problem in refused.value.problems] == ["below_minimum"]
    assert everything() == before


def test_order_over_nothing_is_accepted():
    accepted = place(a_checkout((download(0), 1)))
    assert accepted.answer["order"]["total"] == {"amount": "0.00", "currency": "USD"}
