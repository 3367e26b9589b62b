"""Front page, categories, search and products: what the pages show, what they refuse."""

import pytest
from django.test import Client

from apps.catalog.models import Product, ProductImage
from apps.inventory.models import StockItem
from apps.web import shared_pages
from tests.factories import (
    CategoryFactory,
    ProductOptionFactory,
    StockItemFactory,
    VariantFactory,
    a_kettle,
    a_mug,
    sold_out_mug,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def visitor() -> Client:
    return Client(raise_request_exception=False)


def test_home_shows_the_last_few(visitor: Client) -> None:
    a_mug(stock=2)

    page = visitor.get("/").content.decode()

    assert "The last few" in page
    assert "Only 2 left" in page


def test_home_is_kept_and_never_old(visitor: Client) -> None:
    featured = a_kettle(featured=True)
    scarce = a_mug(stock=2)
    first, again = visitor.get("/"), visitor.get("/")
    assert again.content == first.content
    assert not again.cookies, "nothing is sent from here, and no one is remembered"

    StockItem.objects.filter(variant=scarce).update(on_hand=1)
    shared_pages.forget()  # a second has passed
    assert "Only 1 left" in visitor.get("/").content.decode()
    StockItem.objects.filter(variant=scarce).update(on_hand=0)
    StockItem.objects.filter(variant=featured).update(on_hand=0)
    shared_pages.forget()
    page = visitor.get("/").content.decode()
    assert "The last few" not in page
    assert featured.product.name not in page


def test_cached_home_shows_each_visitor_their_own_cart(visitor: Client) -> None:
    mug = a_mug(stock=9)
    visitor.get("/")
    buyer = Client()
    buyer.get("/")
    buyer.post(f"/p/{mug.product.slug}/", {"quantity": "3"})

    page = buyer.get("/").content.decode()
    assert "in your cart." in page
    three = 'Cart</span> <span class="count num">3<span class="visually-hidden"> items</span>'
    assert three in page
    assert three in buyer.get("/").content.decode()
    assert 'Cart</span> <span class="visually-hidden">, empty' in visitor.get("/").content.decode()


def test_product_page_says_what_is_left_of_each_variant(visitor: Client) -> None:
    mug = a_mug(stock=2)
    mug.options, mug.name = {"Colour": "Pine"}, "Pine"
    mug.save()
    ProductOptionFactory(product=mug.product, name="Colour", values=["Pine", "Clay"])
    clay = VariantFactory(product=mug.product, options={"Colour": "Clay"}, name="Clay", stock=None)
    StockItemFactory(variant=clay, on_hand=0)

    page = visitor.get(f"/p/{mug.product.slug}/").content.decode()

    assert "Only 2 left" in page
    assert "sold out" in page


def test_chosen_variant_goes_into_the_cart_without_scripts(visitor: Client) -> None:
    mug = a_mug(stock=5)
    mug.options, mug.name = {"Colour": "Pine"}, "Pine"
    mug.save()
    ProductOptionFactory(product=mug.product, name="Colour", values=["Pine", "Clay"])
    VariantFactory(
        product=mug.product, options={"Colour": "Clay"}, name="Clay", sku="CLAY-MUG", stock=5
    )

    visitor.post(f"/p/{mug.product.slug}/", {"option-0": "Clay", "quantity": "2"})
    page = visitor.get("/cart/").content.decode()

    assert "/cart/lines/CLAY-MUG/" in page
    assert f"/cart/lines/{mug.sku}/" not in page


def test_cached_page_holds_no_personal_data_and_is_never_old() -> None:
    mug = a_mug(stock=5, price=1800)
    alice, bob = (Client(enforce_csrf_checks=True) for _ in range(2))
    address = f"/p/{mug.product.slug}/"
    assert alice.get(address).content == bob.get(address).content

    for browser in (alice, bob):
        added = browser.post(address, {"quantity": "1"}, headers={"Sec-Fetch-Site": "same-origin"})
        assert added.status_code == 302
    # The message is for this visitor alone and is shown once.
    assert "in your cart." in alice.get(address).content.decode()
    assert "in your cart." not in alice.get(address).content.decode()

    StockItem.objects.filter(variant=mug).update(on_hand=2)
    assert "Only 2 left" in Client().get(address).content.decode()


def test_combination_that_is_not_made_is_refused(visitor: Client) -> None:
    mug = a_mug(stock=5)
    ProductOptionFactory(product=mug.product, name="Colour", values=["Pine"])

    answer = visitor.post(f"/p/{mug.product.slug}/", {"option-0": "Plaid", "quantity": "1"})

    assert answer.status_code == 400
    assert "do not make that combination" in answer.content.decode()


@pytest.mark.parametrize(
    "quantity",
    ["0", "-1", "1.5", "1e9", "2147483648", "9223372036854775808", "NaN", "true", "", "٣", "1\x00"],
)
def test_quantity_that_is_no_number_of_pieces_is_refused_beside_the_field(
    visitor: Client, quantity: str
) -> None:
    mug = a_mug(stock=5)

    answer = visitor.post(f"/p/{mug.product.slug}/", {"quantity": quantity})

    assert answer.status_code == 400
    assert "Choose a whole number from 1 to 999." in answer.content.decode()
    assert "An empty bowl." in visitor.get("/cart/").content.decode()


def test_more_than_there_is_is_refused_with_what_is_left(visitor: Client) -> None:
    mug = a_mug(stock=2)

    answer = visitor.post(f"/p/{mug.product.slug}/", {"quantity": "3"})

    assert answer.status_code == 409
    assert "Only 2 left" in answer.content.decode()
    assert 'value="3"' in answer.content.decode()  # what was typed is kept


def test_markup_in_a_name_is_shown_as_text(visitor: Client) -> None:
    mug = a_mug(stock=5)
    mug.product.name = "<script>alert(1)</script>"
    mug.product.save()
    ProductImage.objects.create(product=mug.product, path="/static/x.svg", alt='"><script>')

    page = visitor.get(f"/p/{mug.product.slug}/").content.decode()

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert '"><script>' not in page


def test_list_has_the_last_word_over_what_was_counted_a_minute_ago(visitor: Client) -> None:
    cups = CategoryFactory(name="Cups")
    for _ in range(24):
        a_mug(category=cups)
    assert "24 things" in visitor.get("/c/cups/").content.decode()

    a_kettle(category=cups)
    mugs = Product.objects.filter(category=cups, name="Stoneware Mug")
    mugs.filter(pk__in=mugs.values("pk")[:2]).update(published=False)
    shared_pages.forget()
    page = visitor.get("/c/cups/").content.decode()
    assert "23 things" in page
    assert "Gooseneck Kettle" in page

    for _ in range(2):
        a_mug(category=cups)
    second = visitor.get("/c/cups/?page=2").content.decode()
    assert "25 things, page 2 of 2" in second
    assert visitor.get("/c/cups/?page=3").status_code == 404
    assert visitor.get("/c/cups/?page=0").status_code == 404


def test_facets_narrow_by_price_and_stock(visitor: Client) -> None:
    a_mug(stock=5, price=1800)
    a_kettle(stock=5, price=8900)
    sold_out_mug(price=1900)

    page = visitor.get("/search/?min_price=18&max_price=50&in_stock=1").content.decode()

    assert "1 thing" in page
    assert "$18.00" in page
    assert "$89.00" not in page


def test_price_that_is_none_is_said_beside_the_field(visitor: Client) -> None:
    a_mug(stock=5)

    answer = visitor.get("/search/", {"min_price": "abc"})

    assert answer.status_code == 400
    assert 'value="abc"' in answer.content.decode()
    assert "Write prices as plain numbers" in answer.content.decode()


@pytest.mark.parametrize("query", [{"sort": "name; DROP TABLE"}, {"page": "x"}, {"page": "1'"}])
def test_sql_in_a_list_is_a_bad_request(visitor: Client, query: dict[str, str]) -> None:
    assert visitor.get("/search/", query).status_code == 400


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "'; --", "%00", "🫖" * 200, "\ud800"])
def test_any_search_is_answered(visitor: Client, text: str) -> None:
    assert visitor.get("/search/", {"q": text.encode("utf-8", "replace")}).status_code == 200


def test_unknown_category_and_page_are_404(visitor: Client) -> None:
    CategoryFactory(slug="cups", name="Cups")

    assert visitor.get("/c/cups/").status_code == 200
    assert visitor.get("/c/no-such-shelf/").status_code == 404
    assert visitor.get("/c/cups/?page=9").status_code == 404
    assert visitor.get("/p/no-such-thing/").status_code == 404


def test_error_pages_wear_the_shop_and_the_api_answers_its_own_way(visitor: Client) -> None:
    page = visitor.get("/nowhere/")

    assert page.status_code == 404
    assert "Nothing on this shelf." in page.content.decode()
    problem = visitor.get("/api/v2/nothing/")
    assert problem.status_code == 404
    assert problem["Content-Type"] == "application/problem+json"


def test_missing_csrf_is_a_403_page() -> None:
    strict = Client(enforce_csrf_checks=True)

    answer = strict.post("/cart/promo/", {"code": "X"})

    assert answer.status_code == 403
    assert "This door stays shut." in answer.content.decode()


def test_pages_carry_no_inline_script_or_style(visitor: Client) -> None:
    mug = a_mug(stock=5)
    visitor.post(f"/p/{mug.product.slug}/", {"quantity": "1"})

    for address in ("/", "/search/", f"/p/{mug.product.slug}/", "/cart/", "/account/login/"):
        answer = visitor.get(address)
        page = answer.content.decode()
        assert " style=" not in page, address
        assert " onclick=" not in page, address
        assert "<style" not in page, address
        assert "'unsafe-inline'" not in answer["Content-Security-Policy"], address


def test_request_for_the_head_of_a_page_gets_the_headers_of_a_get(visitor: Client) -> None:
    """Link checkers and load balancers ask so; RFC 9110 §9.1 has every server answer them."""
    mug = a_mug(stock=9)
    pages = ["/", "/search/?q=mug", f"/c/{mug.product.category.slug}/", "/cart/"]

    for page in pages:
        looked, asked = visitor.get(page), visitor.head(page)
        assert asked.status_code == looked.status_code == 200, page
        assert asked.headers["Content-Type"] == looked.headers["Content-Type"]
    assert visitor.head("/account/orders/").status_code == 302
    assert visitor.delete("/").status_code == 405


def test_what_was_searched_for_is_sorted_by_how_well_it_matches(visitor: Client) -> None:
    a_kettle()
    category = a_mug().product.category

    assert ">best match</option>" in visitor.get("/search/?q=kettle+or+mug").content.decode()
    for page in ("/search/", f"/c/{category.slug}/"):
        assert ">our own order</option>" in visitor.get(page).content.decode()


def test_caption_of_a_category_stands_above_its_name(visitor: Client) -> None:
    kettles = CategoryFactory(name="Kettles", caption="6:40")
    small = CategoryFactory(name="Small Kettles", parent=kettles)
    kettle = a_kettle(category=small)
    caption = '<p class="hour">6:40</p>'

    assert caption in visitor.get("/c/kettles/").content.decode()
    assert caption in visitor.get(f"/p/{kettle.product.slug}/").content.decode()
    assert caption not in visitor.get("/c/small-kettles/").content.decode()
    assert '<span class="hour">6:40</span>' in visitor.get("/").content.decode()
