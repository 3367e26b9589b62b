"""The cart's page: quantities, problems beside their line, codes, and the merge at login."""

import pytest

from apps.cart.models import Cart
from apps.catalog.models import Product, Variant
from apps.inventory.models import StockItem
from apps.promos.models import Promo
from tests.factories import PASSWORD, PromoFactory, RedemptionFactory, a_kettle, a_mug, make_alice
from tests.web.conftest import Visitor

pytestmark = pytest.mark.django_db


def test_quantity_is_changed_and_line_removed(visitor: Visitor) -> None:
    mug = a_mug(stock=5, price=1800)
    visitor.add(mug)

    visitor.post(f"/cart/lines/{mug.sku}/", {"quantity": "3"})
    assert "$54.00" in visitor.get("/cart/").content.decode()

    visitor.post(f"/cart/lines/{mug.sku}/", {"quantity": "0"})
    assert "An empty bowl." in visitor.get("/cart/").content.decode()


def test_more_than_there_is_stays_typed_beside_its_line(visitor: Visitor) -> None:
    mug = a_mug(stock=2)
    visitor.add(mug)

    answer = visitor.post(f"/cart/lines/{mug.sku}/", {"quantity": "7"})

    page = answer.content.decode()
    assert answer.status_code == 409
    assert "Only 2 left." in page
    assert 'value="7"' in page


@pytest.mark.parametrize("quantity", ["-1", "1.5", "1e9", "NaN", "x", "1000", "9" * 30])
def test_quantity_that_is_no_number_changes_nothing(visitor: Visitor, quantity: str) -> None:
    mug = a_mug(stock=5, price=1800)
    visitor.add(mug, 2)

    answer = visitor.post(f"/cart/lines/{mug.sku}/", {"quantity": quantity})

    assert answer.status_code == 400
    assert "$36.00" in visitor.get("/cart/").content.decode()


def test_line_that_sold_out_meanwhile_blocks_the_checkout_and_says_why(visitor: Visitor) -> None:
    mug, kettle = a_mug(stock=1), a_kettle(stock=5)
    visitor.add(mug)
    visitor.add(kettle)
    StockItem.objects.filter(variant=mug).update(on_hand=0)

    page = visitor.get("/cart/").content.decode()

    assert "Sold out. Please remove it." in page
    assert "Please settle the lines marked in red first." in page
    assert 'href="/checkout/"' not in page


def test_product_that_is_no_longer_sold_can_be_removed(visitor: Visitor) -> None:
    mug = a_mug(stock=5)
    visitor.add(mug)
    mug.active = False
    mug.save()

    assert "This is no longer sold." in visitor.get("/cart/").content.decode()

    visitor.post(f"/cart/lines/{mug.sku}/", {"quantity": "0"})
    assert "An empty bowl." in visitor.get("/cart/").content.decode()


@pytest.mark.parametrize("typed", ["TENOFF", "ten off", " ten-off ", "ТЕNОFF"])
def test_code_counts_however_it_is_typed(visitor: Visitor, typed: str) -> None:
    PromoFactory(code="TENOFF", kind=Promo.Kind.PERCENTAGE, percent_bp=1000)
    visitor.add(a_mug(stock=5, price=2000))

    visitor.post("/cart/promo/", {"code": typed})

    page = visitor.get("/cart/").content.decode()
    assert "-$2.00" in page
    assert "$18.00" in page


@pytest.mark.parametrize("code", ["", "NOSUCH", "x" * 200, "<b>", "\x00"])
def test_code_that_is_none_is_said_beside_the_field(visitor: Visitor, code: str) -> None:
    visitor.add(a_mug(stock=5))

    answer = visitor.post("/cart/promo/", {"code": code})

    assert answer.status_code == 400
    assert 'id="code-error"' in answer.content.decode()
    assert "<b>" not in answer.content.decode()


def test_sixth_code_is_named_and_the_others_stay(visitor: Visitor) -> None:
    for number in range(6):
        PromoFactory(code=f"CODE{number}", stackable=True, percent_bp=100)
    visitor.add(a_mug(stock=5))
    for number in range(5):
        visitor.post("/cart/promo/", {"code": f"CODE{number}"})

    answer = visitor.post("/cart/promo/", {"code": "CODE5"})

    page = answer.content.decode()
    assert answer.status_code == 400
    assert "CODE5 does not count: an order takes 5 codes." in page
    assert [f'value="CODE{number}"' in page for number in range(6)].count(True) == 6  # typed, too
    assert page.count('name="remove"') == 5


def test_every_code_that_does_not_count_is_named_and_can_be_taken_off(visitor: Visitor) -> None:
    """Sign-ins bring the codes of guests' carts along, more than one order takes."""
    alice = make_alice()
    codes = [PromoFactory(code=f"C{n}", stackable=True, percent_bp=100).code for n in range(12)]
    visitor.force_login(alice)
    visitor.add(a_mug(stock=5))
    Cart.objects.update(promo_codes=codes)

    page = visitor.get("/cart/").content.decode()
    assert "C5 does not count" in page
    assert "C11 does not count" in page

    assert visitor.post("/cart/promo/", {"remove": "C11"}).status_code == 302
    assert Cart.objects.get().promo_codes == codes[:11]


def test_code_is_taken_off(visitor: Visitor) -> None:
    PromoFactory(code="TENOFF", kind=Promo.Kind.PERCENTAGE, percent_bp=1000)
    visitor.add(a_mug(stock=5, price=2000))
    visitor.post("/cart/promo/", {"code": "tenoff"})

    visitor.post("/cart/promo/", {"remove": "TENOFF"})

    assert "-$2.00" not in visitor.get("/cart/").content.decode()


def test_login_brings_the_guests_cart_along_and_keeps_the_larger_quantity(
    visitor: Visitor, other_visitor: Visitor
) -> None:
    alice = make_alice()
    mug, kettle = a_mug(stock=9, price=1000), a_kettle(stock=9, price=5000)
    other_visitor.post("/account/login/", {"email": alice.email, "password": PASSWORD})
    other_visitor.add(mug, 3)
    visitor.add(mug, 1)
    visitor.add(kettle, 1)

    visitor.post("/account/login/", {"email": alice.email, "password": PASSWORD})

    page = visitor.get("/cart/").content.decode()
    assert "$30.00" in page  # three mugs, not four
    assert "$50.00" in page


def test_guest_cart_is_no_other_visitors(visitor: Visitor, other_visitor: Visitor) -> None:
    visitor.add(a_mug(stock=5))

    assert "An empty bowl." in other_visitor.get("/cart/").content.decode()


def test_more_than_one_order_may_have_stays_typed_beside_its_line(visitor: Visitor) -> None:
    mug = a_mug(stock=500)
    visitor.add(mug)

    answer = visitor.post(f"/cart/lines/{mug.sku}/", {"quantity": "101"})

    page = answer.content.decode()
    assert answer.status_code == 409
    assert "At most 100 of this in one order." in page
    assert 'value="101"' in page


def test_limit_that_came_later_is_told_with_its_number(visitor: Visitor) -> None:
    mug = a_mug(stock=500)
    visitor.add(mug, 5)
    Product.objects.update(units_per_customer=2)

    page = visitor.get("/cart/").content.decode()

    assert "At most 2 of Stoneware Mug in one order." in page
    assert 'href="/checkout/"' not in page


def test_code_that_this_customer_has_used_is_named(visitor: Visitor) -> None:
    visitor.force_login(make_alice(email="alice@googlemail.com"))
    promo = PromoFactory(code="WELCOME", customer_limit=1)
    RedemptionFactory(promo=promo, customer_key="alice@gmail.com", paid=True)
    visitor.add(a_mug())

    answer = visitor.post("/cart/promo/", {"code": "welcome"})

    assert "You have used WELCOME before." in answer.content.decode()


def test_quantity_keeps_its_place_without_scripts(visitor: Visitor, mug: Variant) -> None:
    visitor.add(mug)

    answer = visitor.post(f"/cart/lines/{mug.sku}/", {"quantity": "2"})

    assert answer["Location"] == "/cart/#line-1"
    assert 'id="line-1"' in visitor.get("/cart/").content.decode()
