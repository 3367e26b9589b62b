"""What shoppers type, and what they find by it."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.catalog import browse, cache
from apps.catalog.facets import facets
from apps.catalog.models import Product, Synonym, Variant
from apps.catalog.search.reading import cleaned, read
from tests.factories import CategoryFactory, VariantFactory, a_product

pytestmark = pytest.mark.django_db


def names(text, **filters) -> list[str]:
    return [product.name for product in browse.products(search=text, **filters)]


@pytest.fixture
def shelf():
    """Names from many languages, all by one maker."""
    made = {"vendor": "Kiln & Co", "description": "<p>Plain text.</p>"}
    bowl = a_product("Café crème bowl", sku="KT-INS114-DRE", **made)
    Variant.objects.filter(pk=bowl.pk).update(barcode="4006381333931")
    for name in (
        "Blaue Kännchen",
        "Pour-over T-shirt",
        "Not For All",
        "日本水壺 黒",
        "100% wool_blend scarf",
        "Women’s apron",
        "Mug 12oz",
        "Straße print",
        "Salt & pepper set",
        "ISPARTA İznik tile",
    ):
        a_product(name, slug=f"s-{Product.objects.count()}", **made)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("cafe", "Café crème bowl"),
        ("CAFE creme", "Café crème bowl"),
        ("Cafe\u0301", "Café crème bowl"),
        ("kt-ins114-dre", "Café crème bowl"),
        ("KT-INS114", "Café crème bowl"),
        ("kt-ins", "Café crème bowl"),
        ("4006381333931", "Café crème bowl"),
        ("4 006381 333931", "Café crème bowl"),
        ("40063813", "Café crème bowl"),
        ("not for all", "Not For All"),
        ("水壺", "日本水壺 黒"),
        ("黒", "日本水壺 黒"),
        ("Kaennchen", "Blaue Kännchen"),
        ("kannchen", "Blaue Kännchen"),
        ("KÄNNCHEN", "Blaue Kännchen"),
        ("strasse", "Straße print"),
        ("STRASSE", "Straße print"),
        ("Straße", "Straße print"),
        ("pourover", "Pour-over T-shirt"),
        ("pour over", "Pour-over T-shirt"),
        ("pour-over", "Pour-over T-shirt"),
        ("tshirt", "Pour-over T-shirt"),
        ("t-shirt", "Pour-over T-shirt"),
        ("womens apron", "Women’s apron"),
        ("women's", "Women’s apron"),
        ("mug 12 oz", "Mug 12oz"),
        ("12oz", "Mug 12oz"),
        ("100% wool", "100% wool_blend scarf"),
        ("wool_blend", "100% wool_blend scarf"),
        ("salt and pepper", "Salt & pepper set"),
        ("the salt", "Salt & pepper set"),
        ("iznik", "ISPARTA İznik tile"),
        ("isparta", "ISPARTA İznik tile"),
    ],
)
def test_typed_in_many_ways(shelf, typed, name):
    assert names(typed) == [name]
    assert browse.found(search=typed).shown_for == ""


@pytest.mark.parametrize("typed", ["kettle", "Kettles", "kett", "KETTLE"])
def test_shops_own_name_is_no_search_word(typed):
    a_product("Wool Blanket")  # made by Kettle & Pine, as all of these
    a_product("Agave", description="<p>Wants no kettle.</p>")
    a_product("Gooseneck Kettle")

    assert names(typed) == ["Gooseneck Kettle", "Agave"]
    assert names(f"kettle & pine {typed}") == names(typed)


def test_vendors_are_found_except_the_shop_itself():
    a_product("Lamp", vendor="Larch Works")
    a_product("Rug")

    for typed in ("larch works", "larc", '"larch works"', "lamp larch"):
        assert names(typed) == ["Lamp"]
    assert names("lamp -larch") == []
    assert names('"kettle & pine"') == []
    assert names("rug -kettle -pine") == ["Rug"]


def test_what_stands_in_the_category_of_that_name_comes_before_a_mention():
    kettles = CategoryFactory(name="Kettles & Pots")
    a_product("Agave", description="<p>Wants no kettle.</p>", featured=True)
    a_product("Zinc Gooseneck", description="<p>A pouring kettle.</p>", category=kettles)
    a_product("Stand", description="<p>For any pot.</p>", category=kettles)

    assert names("kettle") == ["Zinc Gooseneck", "Agave"]


def test_name_weighs_more_than_any_number_of_mentions():
    a_product("Mug", description="<p>" + "kettle " * 50 + "</p>", tags=["kettle"])
    a_product("Kettle", description="<p>Plain.</p>")

    assert names("kettle") == ["Kettle", "Mug"]


def test_article_number_comes_first():
    a_product("Lamp 4711", sku="A-1")
    a_product("Rug", sku="4711")

    assert names("4711") == ["Rug", "Lamp 4711"]


def test_number_of_what_is_no_longer_sold_finds_nothing():
    rug = a_product("Rug", sku="KP-1")
    VariantFactory(product=rug.product, sku="KP-OLD-7", active=False)

    assert names("KP-OLD") == []


# --- Nothing has what was typed -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "shown_for", "expected"),
    [
        ("kettel", "kettle", ["Gooseneck Kettle"]),
        ("cofee", "coffee", ["House Blend"]),
        ("goosneck ketle", "gooseneck kettle", ["Gooseneck Kettle"]),
        ("kanne", "teekanne", ["Teekanne"]),
        ("red kettle", "kettle", ["Gooseneck Kettle"]),
        ("wool kettle", "wool or kettle", ["Gooseneck Kettle", "Wool Blanket"]),
        ("blanket cofee", "blanket or coffee", ["House Blend", "Wool Blanket"]),
        ("zeppelin", "", []),
        ("gift", "", []),  # not a mistake for "lift"
    ],
)
def test_it_is_said_for_what_is_shown(typed, shown_for, expected):
    a_product("Gooseneck Kettle")
    a_product("House Blend", description="<p>Coffee from the hill.</p>")
    a_product("Wool Blanket")
    a_product("Teekanne")
    a_product("Lift")

    found = browse.found(search=typed)
    assert found.shown_for == shown_for
    assert sorted(product.name for product in found.products) == expected
    assert facets(search=typed).shown_for == shown_for
    assert facets(search=typed).total == len(expected)


def test_what_is_not_wanted_is_not_shown_instead_either():
    a_product("Blue Kettle")
    a_product("Red Kettle")

    assert names("kettel -blue") == ["Red Kettle"]
    assert names("kettle -blue") == ["Red Kettle"]
    assert names('kettle -"red kettle"') == ["Blue Kettle"]
    assert names("blue or red kettle") == ["Blue Kettle", "Red Kettle"]


# --- Synonyms -------------------------------------------------------------------------------------


def test_synonyms_find_one_another():
    Synonym.objects.create(words="mug, Cup, drinking vessel")
    for name in ("Stoneware Mug", "Camp Cup", "Vessel for Drinking", "Drinking Vessel", "Cupboard"):
        a_product(name)

    assert names("drinking vessel")[0] == "Drinking Vessel"
    assert sorted(names("drinking vessel")[1:]) == [
        "Camp Cup",
        "Stoneware Mug",
        "Vessel for Drinking",
    ]
    assert names("mugs")[0] == "Stoneware Mug"
    assert sorted(names("mugs")) == ["Camp Cup", "Drinking Vessel", "Stoneware Mug"]
    assert names("camp mug") == ["Camp Cup"]
    assert "Camp Cup" not in names("camp mug -cup")


def test_synonyms_one_way(django_capture_on_commit_callbacks):
    a_product("Candle")
    a_product("Gift Card")
    assert names("present") == []

    with django_capture_on_commit_callbacks(execute=True):
        gift = Synonym.objects.create(words="present, gift", also_finds="candle")

    assert names("present") == ["Candle"]
    assert names("gifts") == ["Gift Card", "Candle"]
    assert names("candle") == ["Candle"]
    with django_capture_on_commit_callbacks(execute=True):
        gift.delete()
    assert names("present") == []


# --- The words of a product are kept by the database ----------------------------------------------


def test_words_follow_every_kind_of_change():
    kettle = a_product("Kettle", description="<p>Pours.</p>").product
    Product.objects.filter(pk=kettle.pk).update(name="Teapot")
    assert (names("teapot"), names("kettle")) == (["Teapot"], [])

    with connection.cursor() as cursor:
        cursor.execute("UPDATE catalog_product SET tags = '[\"Copper\"]'")
    assert names("copper") == ["Teapot"]

    Product.objects.filter(pk=kettle.pk).update(search=None)
    kettle.refresh_from_db()
    kettle.search = "'kettle':1A"
    kettle.save()
    assert (names("copper"), names("kettle")) == (["Teapot"], [])


def test_phrase_is_not_found_across_name_and_description():
    a_product("Cup Small", description="<p>Cup.</p>", tags=["Small"])

    assert (names('"cup small"'), names('"small cup"')) == (["Cup Small"], [])


def test_markup_of_a_description_is_not_searched():
    a_product("Lamp", description='<p>Salt &amp; <a href="https://a.example/x">pepper</a></p>')

    assert (names("href"), names("amp"), names("pepper")) == ([], [], ["Lamp"])


# --- Limits ---------------------------------------------------------------------------------------


def test_no_more_terms_are_read_than_twelve():
    assert sum(map(len, read(cleaned("mug " * 1000)))) == 12
    assert sum(map(len, read(cleaned("水" * 1000)))) == 1
    assert read(cleaned("a-b-" * 50))


def test_misspelt_search_without_redis_is_answered(monkeypatch):
    a_product("Kettle")

    def away(*_: object) -> None:
        raise cache._Unavailable

    monkeypatch.setattr(cache, "_run", away)
    assert names("kettel") == ["Kettle"]


def test_nothing_found_is_known_from_the_index():
    """With LIMIT 1 alone PostgreSQL reads all products for a word that none of them has."""
    a_product("Kettle")

    with CaptureQueriesContext(connection) as asked:
        assert names("ketle") == ["Kettle"]
        assert names("zeppelin") == []
        assert names("kettle", category="no-such-category") == []

    checks = [each["sql"] for each in asked if "LIMIT 1" in each["sql"] and "@@" in each["sql"]]
    looked = [sql for sql in checks if "ORDER BY" not in sql]
    assert len(looked) >= 3
    assert all(sql.startswith("WITH found AS MATERIALIZED") for sql in looked)
