"""import_catalog: what Shopify's CSV becomes in the shop, whole products only."""

from collections import Counter
from pathlib import Path

import pytest
from django.db.models import Sum

from apps.catalog import browse, pictures
from apps.catalog.models import Product, ProductImage, Variant
from apps.inventory import stock
from apps.inventory.models import StockItem, StockMovement
from tests.catalog.product_files import MUG, PAN, a_file, everything, load
from tests.factories import CategoryFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_network")]

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
APPAREL = SHARED / "shopify-apparel.csv"
GARDEN = SHARED / "shopify-home-and-garden.csv"
needs_shared_data = pytest.mark.skipif(not SHARED.exists(), reason="no ../shared/data here")


# --- The real files -------------------------------------------------------------------------------


@needs_shared_data
def test_the_apparel_file_is_imported_whole():
    report = load(APPAREL.read_bytes())

    assert (len(report.created), report.skipped) == (20, [])
    assert (Product.objects.count(), Variant.objects.count()) == (20, 22)
    assert Counter(Product.objects.values_list("category__slug", flat=True)) == {
        "women": 14,
        "men": 6,
    }
    assert ProductImage.objects.count() == 20
    assert StockItem.objects.aggregate(units=Sum("on_hand"))["units"] == 22
    top = browse.product_detail("classic-varsity-top")
    assert top.options == (browse.OptionDetail("Size", ("Small", "Medium", "Large")),)
    assert [v.sku for v in top.variants] == [
        "classic-varsity-top.small",
        "classic-varsity-top.medium",
        "classic-varsity-top.large",
    ]
    assert (top.price_amount, top.image) == (6000, pictures.PLACEHOLDER)


@needs_shared_data
def test_the_home_and_garden_file_is_imported_whole():
    report = load(GARDEN.read_bytes())

    assert (len(report.created), report.skipped) == (20, [])
    assert (Product.objects.count(), Variant.objects.count()) == (20, 21)
    assert Counter(Product.objects.values_list("category__slug", flat=True)) == {
        "indoor": 13,
        "outdoor": 7,
    }
    assert StockItem.objects.aggregate(units=Sum("on_hand"))["units"] == 65
    assert StockMovement.objects.filter(kind=StockMovement.Kind.INITIAL).count() == 21
    pot = Product.objects.get(slug="clay-plant-pot")
    assert (pot.price_amount, pot.tags) == (999, ["Pot", "Plants"])
    assert stock.availability(["clay-plant-pot.large", "pink-armchair"]) == {
        "clay-plant-pot.large": stock.ENDLESS,  # the file names nothing that counts them
        "pink-armchair": stock.ENDLESS,
    }
    light = Product.objects.get(slug="copper-light")
    assert (light.price_amount, light.compare_at_amount) == (5999, 7500)


@needs_shared_data
@pytest.mark.parametrize("file", [APPAREL, GARDEN], ids=lambda file: file.stem)
def test_a_real_file_twice_changes_nothing(file):
    load(file.read_bytes())
    before = everything()

    report = load(file.read_bytes())

    assert (len(report.unchanged), report.created, report.updated) == (20, [], [])
    assert everything() == before


# --- Form: handles, options, pictures -------------------------------------------------------------


def test_rows_of_one_handle_make_one_product():
    load(
        a_file(
            {**MUG, "Body (HTML)": "<p>Round.</p>", "Vendor": "Larch", "Tags": "clay, gift,clay",
             "Option1 Name": "Size", "Option1 Value": "Small", "Option2 Name": "Glaze",
             "Option2 Value": "Moss", "Image Src": "https://x.example/1.jpg", "Image Position": "2",
             "Variant Grams": "350.6", "Variant Barcode": "'0123"},
            {"Handle": "mug", "Option1 Value": "Large", "Option2 Value": "Moss",
             "Variant Price": "21.50", "Variant Compare At Price": "30", "Variant Taxable": "FALSE",
             "Variant Requires Shipping": "false", "Variant Image": "https://x.example/l.jpg"},
            PAN,
            {"Handle": "mug", "Image Src": "https://x.example/0.jpg", "Image Position": "1",
             "Image Alt Text": "The mug from above"},
        )
    )  # fmt: skip

    mug = Product.objects.get(slug="mug")
    small, large = mug.variants.all()
    assert (mug.name, mug.description, mug.vendor) == ("Mug", "<p>Round.</p>", "Larch")
    assert (mug.tags, mug.category.slug, mug.published) == (["clay", "gift"], "mugs", True)
    assert [(o.name, o.values) for o in mug.options.all()] == [
        ("Size", ["Small", "Large"]),
        ("Glaze", ["Moss"]),
    ]
    assert (small.sku, small.name, small.weight_grams, small.barcode) == (
        *("M-1", "Small / Moss"),
        *(351, "0123"),
    )
    assert (large.sku, large.options) == ("mug.large.moss", {"Size": "Large", "Glaze": "Moss"})
    assert (large.price_amount, large.compare_at_amount) == (2150, 3000)
    assert (large.taxable, large.requires_shipping) == (False, False)
    assert [(i.source_url, i.alt, i.variant) for i in mug.images.all()] == [
        ("https://x.example/0.jpg", "The mug from above", None),
        ("https://x.example/1.jpg", "Mug", None),
        ("https://x.example/l.jpg", "Mug", large),
    ]
    assert mug.price_amount == 1800


@pytest.mark.parametrize(
    ("type_", "tags", "slug", "name"),
    [
        ("Mugs", "clay", "mugs", "Mugs"),
        ("", "Clay Things, gift", "clay-things", "Clay Things"),
        ("", "", "uncategorised", "Uncategorised"),
        ("水", "", "shelf-9c9c17fb1a", "水"),
    ],
)
def test_type_else_the_first_tag_is_the_category(type_, tags, slug, name):
    load(a_file({**MUG, "Type": type_, "Tags": tags}))

    category = Product.objects.get(slug="mug").category
    assert category.name == name
    assert category.slug == slug or slug.startswith("shelf-")


def test_an_existing_category_is_used_anywhere_in_the_tree():
    mugs = CategoryFactory(name="Mugs", parent=CategoryFactory(name="Kitchen"))

    load(a_file(MUG))

    assert Product.objects.get(slug="mug").category == mugs


@pytest.mark.parametrize(
    ("published", "status", "expected"),
    [
        *(("true", "", True), ("TRUE", "active", True), ("", "", True), ("false", "", False)),
        *(("FALSE", "active", False), ("true", "draft", False), ("true", "archived", False)),
    ],
)
def test_what_is_not_published_there_is_not_published_here(published, status, expected):
    load(a_file({**MUG, "Published": published, "Status": status}))

    assert Product.objects.get(slug="mug").published is expected
    assert (browse.product_detail("mug") is not None) is expected


def test_html_is_cleaned_on_the_way_in():
    body = (
        "<p onclick='x()'>Hi<script>alert(1)</script>"
        "<a href='javascript:x()'>a</a><img src=x onerror=x></p>"
    )
    load(a_file({**MUG, "Body (HTML)": body}))

    assert Product.objects.get(slug="mug").description == (
        '<p>Hi<a rel="noopener nofollow">a</a></p>'
    )


def test_a_compare_at_price_that_is_no_offer_is_dropped():
    load(a_file({**MUG, "Variant Compare At Price": "18.00"}))

    assert Variant.objects.get(sku="M-1").compare_at_amount is None


def test_columns_are_found_by_name_in_any_order_and_case():
    columns = ("variant price", "HANDLE", "Cost per item", "title")

    load(a_file({"HANDLE": "mug", "title": "Mug", "variant price": "1"}, columns=columns))

    assert Product.objects.get(slug="mug").price_amount == 100
    assert StockItem.objects.count() == 0  # no column, no count
