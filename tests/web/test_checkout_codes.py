"""The pages' words about codes, about totals too small for a card, and about nothing to pay."""

import pytest

from apps.cart.models import Cart
from apps.catalog.models import Variant
from apps.orders.models import Order
from apps.promos.models import Promo
from tests.factories import PromoFactory, RedemptionFactory, a_product, make_alice
from tests.web.conftest import Visitor, form_of

GO_ON = 'name="refresh" value="without WELCOME"'


@pytest.fixture
def used(db: None) -> Promo:
    promo = PromoFactory(code="WELCOME", customer_limit=1)
    RedemptionFactory(promo=promo, customer_key="alice@example.com", paid=True)
    return promo


def test_used_code_is_told_once_the_address_is_known_and_can_be_left_out(
    visitor: Visitor, mug: Variant, used: Promo
) -> None:
    visitor.add(mug)
    visitor.post("/cart/promo/", {"code": "welcome"})
    form = visitor.checkout_form()
    assert form["expected_total"] == "2219", "nobody knows yet who buys"

    told = visitor.post("/checkout/", form | {"refresh": "delivery"})
    page = told.content.decode()
    assert "You have used WELCOME before." in page
    assert GO_ON in page
    assert form_of(told, "/checkout/")["expected_total"] == "2399"

    without = visitor.post(
        "/checkout/", form | {"refresh": "without WELCOME", "line1": "7 Larch Lane"}
    )
    assert without.status_code == 200
    page = without.content.decode()
    assert "You have used WELCOME before." not in page
    kept = form_of(without, "/checkout/")
    assert kept["line1"] == "7 Larch Lane", "nothing typed is lost"
    assert kept["key"] == form["key"]

    answer = visitor.post("/checkout/", kept)
    assert answer.status_code == 302, answer.content.decode()
    order = Order.objects.get()
    assert (order.total_amount, order.shipping_address["line1"]) == (2399, "7 Larch Lane")


@pytest.mark.parametrize("refreshed", [True, False])
def test_placing_the_order_with_a_used_code_says_so_and_not_that_the_total_changed(
    visitor: Visitor, mug: Variant, used: Promo, refreshed: bool
) -> None:
    visitor.add(mug)
    visitor.post("/cart/promo/", {"code": "welcome"})
    form = visitor.checkout_form()
    if refreshed:
        form |= form_of(visitor.post("/checkout/", form | {"refresh": "delivery"}), "/checkout/")

    answer = visitor.post("/checkout/", form)

    page = answer.content.decode()
    assert answer.status_code == 409
    assert page.count("You have used WELCOME before.") == 1
    assert "The total is now" not in page
    assert page.count(GO_ON) == 1
    assert Order.objects.count() == 0

    again = form_of(visitor.post("/checkout/", form | {"refresh": "without WELCOME"}), "/checkout/")
    assert visitor.post("/checkout/", again).status_code == 302


def test_used_code_pays_for_no_shipping_in_the_list_either(visitor: Visitor, mug: Variant) -> None:
    promo = PromoFactory(code="POST", free_shipping=True, customer_limit=1)
    RedemptionFactory(promo=promo, customer_key="alice@example.com", paid=True)
    visitor.add(mug)
    visitor.post("/cart/promo/", {"code": "POST"})
    form = visitor.checkout_form()
    assert ">free</span>" in visitor.get("/checkout/").content.decode()

    page = visitor.post("/checkout/", form | {"refresh": "delivery"}).content.decode()

    assert ">free</span>" not in page
    assert "$5.99" in page


def test_address_that_is_none_is_no_error_of_ours(
    visitor: Visitor, mug: Variant, used: Promo
) -> None:
    visitor.add(mug)
    visitor.post("/cart/promo/", {"code": "welcome"})
    form = visitor.checkout_form(email="alice\0@example.com")
    assert visitor.post("/checkout/", form).status_code == 400
    assert visitor.post("/checkout/", form | {"refresh": "delivery"}).status_code == 200


def test_code_whose_last_use_is_gone_can_be_left_out_too(visitor: Visitor, mug: Variant) -> None:
    promo = PromoFactory(code="ONCE", total_limit=1)
    visitor.add(mug)
    visitor.post("/cart/promo/", {"code": "once"})
    form = visitor.checkout_form()
    RedemptionFactory(promo=promo, customer_key="bob@example.com")

    answer = visitor.post("/checkout/", form)

    assert answer.status_code == 409
    assert 'name="refresh" value="without ONCE"' in answer.content.decode()


def test_sixth_code_of_a_cart_is_named_and_can_be_left_out(visitor: Visitor, mug: Variant) -> None:
    codes = [PromoFactory(code=f"C{n}", stackable=True, percent_bp=100).code for n in range(6)]
    visitor.force_login(make_alice())
    visitor.add(mug)
    Cart.objects.update(promo_codes=codes)
    form = visitor.checkout_form()

    refused = visitor.post("/checkout/", form)

    page = refused.content.decode()
    assert (refused.status_code, Order.objects.count()) == (409, 0)
    assert "C5 does not count: an order takes 5 codes." in page
    assert 'name="refresh" value="without C5"' in page
    again = form_of(visitor.post("/checkout/", form | {"refresh": "without C5"}), "/checkout/")
    assert visitor.post("/checkout/", again).status_code == 302
    assert Order.objects.get().promo_codes == codes[:5]


def test_worse_code_does_not_replace_the_better_one(visitor: Visitor, mug: Variant) -> None:
    PromoFactory(code="GOOD", percent_bp=2000)
    PromoFactory(code="WORSE", percent_bp=500)
    visitor.add(mug)
    visitor.post("/cart/promo/", {"code": "GOOD"})

    answer = visitor.post("/cart/promo/", {"code": "WORSE"}, follow=True)

    page = answer.content.decode()
    assert "GOOD saves you $3.60 here" in page
    assert 'name="remove" value="GOOD"' in page
    assert 'name="remove" value="WORSE"' not in page


def test_smallest_amount_is_told_before_the_order_is_placed(visitor: Visitor, shop: None) -> None:
    visitor.add(a_product("Download", price=30, requires_shipping=False))

    told = "The smallest amount we can charge is $0.50"
    assert told in visitor.get("/cart/").content.decode()
    form = visitor.checkout_form()
    assert told in visitor.get("/checkout/").content.decode()
    answer = visitor.post("/checkout/", form)

    assert (answer.status_code, Order.objects.count()) == (409, 0)
    assert told in answer.content.decode()


def test_nothing_to_pay_asks_for_no_card(visitor: Visitor, shop: None) -> None:
    visitor.add(a_product("Sample", price=0, requires_shipping=False))

    page = visitor.get("/checkout/").content.decode()
    assert "no card is asked for" in page
    assert "pm_card_visa" not in page
    form = visitor.checkout_form()
    assert form["payment_method"] == "pm_none"

    assert visitor.post("/checkout/", form).status_code == 302
    assert Order.objects.get().total_amount == 0


def test_card_is_asked_for_again_when_there_is_something_to_pay(
    visitor: Visitor, mug: Variant
) -> None:
    PromoFactory(code="ALL", percent_bp=10_000, stackable=True)
    PromoFactory(code="POST", free_shipping=True, stackable=True)
    visitor.add(mug)
    for code in ("ALL", "POST"):
        visitor.post("/cart/promo/", {"code": code})
    form = visitor.checkout_form()
    assert form["payment_method"] == "pm_none"

    answer = visitor.post("/checkout/", form | {"refresh": "without ALL"})

    again = form_of(answer, "/checkout/")
    assert (again["payment_method"], again["expected_total"]) == ("pm_card_visa", "1800")
