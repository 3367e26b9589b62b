"""Pages say what ships later, never that it is sold out, and it can be bought."""

import pytest

from apps.catalog import browse
from apps.catalog.models import Variant
from apps.inventory.models import StockItem
from apps.orders.models import Order
from apps.web import product_cards
from tests.factories import ProductOptionFactory, VariantFactory, a_kettle, a_mug
from tests.web.conftest import Visitor

pytestmark = pytest.mark.django_db


def page_of(visitor: Visitor, variant: Variant) -> str:
    return visitor.get(f"/p/{variant.product.slug}/").content.decode()


@pytest.mark.parametrize(
    ("policy", "units", "words"),
    [
        *[("continue", 0, "On back order: ships later"), ("continue", 2, "In stock")],
        *[("untracked", 0, "In stock"), ("deny", 0, "Sold out"), ("deny", 2, "Only 2 left")],
    ],
)
def test_product_page_says_what_happens(
    visitor: Visitor, policy: str, units: int, words: str
) -> None:
    mug = a_mug(stock=units, inventory_policy=policy)

    page = page_of(visitor, mug)

    assert f"data-stock>{words}</p>" in page
    assert ("Add to cart" in page) is (words != "Sold out")


def test_product_page_follows_the_last_unit(visitor: Visitor) -> None:
    """Pages are cached by what they show of the stock."""
    mug = a_mug(stock=9, inventory_policy="continue")
    assert "In stock" in page_of(visitor, mug)

    StockItem.objects.update(on_hand=0)

    assert "On back order: ships later" in page_of(visitor, mug)


def test_an_option_that_ships_later_can_be_chosen(visitor: Visitor) -> None:
    mug = a_mug(stock=5)
    ProductOptionFactory(product=mug.product, name="Size", values=["S", "L"])
    Variant.objects.filter(pk=mug.pk).update(options={"Size": "S"})
    VariantFactory(product=mug.product, options={"Size": "L"}, stock=0, inventory_policy="continue")

    page = page_of(visitor, mug)

    assert "L <small data-note>ships later</small>" in page
    assert "chip gone" not in page


class TestCards:
    def words(self) -> list[tuple[bool, str]]:
        return [(c.in_stock, c.stock_words) for c in product_cards.cards(browse.products())]

    @pytest.mark.parametrize(
        ("policy", "units", "shown"),
        [
            *[("continue", 0, (True, "Ships later")), ("continue", 2, (True, ""))],
            *[("untracked", 0, (True, "")), ("deny", 0, (False, ""))],
        ],
    )
    def test_words_of_one_variant(self, policy: str, units: int, shown: tuple[bool, str]) -> None:
        a_mug(stock=units, inventory_policy=policy)

        assert self.words() == [shown]

    def test_one_variant_on_the_shelf_is_enough(self) -> None:
        mug = a_mug(stock=0, inventory_policy="continue")
        VariantFactory(product=mug.product, stock=1)

        assert self.words() == [(True, "")]

    def test_what_sells_on_is_in_the_list_of_what_is_in_stock_and_not_of_the_last_few(self) -> None:
        mug = a_mug(stock=0, inventory_policy="continue")
        kettle = a_kettle(stock=1)
        a_kettle(stock=0)
        VariantFactory(product=mug.product, stock=1)

        assert {p.slug for p in browse.products(in_stock=True)} == {
            mug.product.slug,
            kettle.product.slug,
        }
        assert [p.slug for p in browse.last_few(units=3, count=9)] == [kettle.product.slug]


def test_cart_says_what_of_a_line_ships_later(visitor: Visitor) -> None:
    mug, kettle = (
        a_mug(stock=2, inventory_policy="continue"),
        a_kettle(stock=0, inventory_policy="continue"),
    )
    visitor.add(mug, 5)
    visitor.add(kettle)

    page = visitor.get("/cart/").content.decode()

    assert "2 in stock, 3 on back order: ships later." in page
    assert "On back order: it ships later." in page
    assert "Please settle the lines" not in page


@pytest.mark.parametrize("policy", ["continue", "untracked"])
def test_more_than_there_is_is_bought_on_the_pages(
    shop: None, visitor: Visitor, policy: str
) -> None:
    mug = a_mug(stock=1, inventory_policy=policy)
    visitor.add(mug, 4)
    words = "3 of them ship later"
    assert (words in visitor.get("/checkout/").content.decode()) is (policy == "continue")

    answer = visitor.post("/checkout/", visitor.checkout_form())

    order = Order.objects.get()
    assert answer.status_code == 302, answer.content.decode()
    assert str(order.pk) in answer["Location"]
    assert StockItem.objects.get(variant=mug).reserved == 4
