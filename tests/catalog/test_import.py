"""import_catalog: Shopify's CSV into the shop, whole products only, twice like once."""

import csv
import io
from collections import Counter
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Sum

from apps.catalog import browse, importer, pictures, services, shopify_csv
from apps.catalog.models import Category, Product, ProductImage, Variant
from apps.inventory import stock
from apps.inventory.models import StockItem, StockMovement
from tests.factories import CategoryFactory, HoldFactory, a_mug

pytestmark = pytest.mark.django_db

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
APPAREL = SHARED / "shopify-apparel.csv"
GARDEN = SHARED / "shopify-home-and-garden.csv"
needs_shared_data = pytest.mark.skipif(not SHARED.exists(), reason="no ../shared/data here")

COLUMNS = (
    *("Handle", "Title", "Body (HTML)", "Vendor", "Type", "Tags", "Published"),
    *("Option1 Name", "Option1 Value", "Option2 Name", "Option2 Value"),
    *("Option3 Name", "Option3 Value", "Variant SKU", "Variant Grams", "Variant Inventory Qty"),
    *("Variant Price", "Variant Compare At Price", "Variant Requires Shipping", "Variant Taxable"),
    *("Variant Barcode", "Image Src", "Image Position", "Image Alt Text", "Variant Image"),
    "Status",
)
MUG = {"Handle": "mug", "Title": "Mug", "Type": "Mugs", "Variant Price": "18", "Variant SKU": "M-1",
       "Variant Inventory Qty": "5"}  # fmt: skip
PAN = {"Handle": "pan", "Title": "Pan", "Type": "Pans", "Variant Price": "45", "Variant SKU": "P-1",
       "Variant Inventory Qty": "2"}  # fmt: skip


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """No test leaves this machine; pictures that are not there get the placeholder."""

    def fetch_all(urls, *, progress=None):
        return {url: pictures.Fetched(pictures.PLACEHOLDER, "no network") for url in urls}

    monkeypatch.setattr(pictures, "fetch_all", fetch_all)


def a_file(*rows: dict[str, str], columns=COLUMNS) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def load(content: bytes | str) -> importer.ImportReport:
    stream = io.BytesIO(content) if isinstance(content, bytes) else io.StringIO(content)
    return importer.import_csv(stream)


def handles(entries) -> list[str]:
    return [entry.handle for entry in entries]


def problems(report) -> list[tuple[int, str]]:
    return [(p.line, p.reason) for refused in report.skipped for p in refused.problems]


def everything() -> list[object]:
    """All rows that an import could touch."""
    return [
        list(model.objects.order_by("pk").values())
        for model in (Category, Product, Variant, ProductImage, StockItem, StockMovement)
    ]


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
        "clay-plant-pot.large": 3,
        "pink-armchair": 0,
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

    shelf = Product.objects.get(slug="mug").category
    assert shelf.name == name
    assert shelf.slug == slug or slug.startswith("shelf-")


def test_a_shelf_that_is_there_is_used_wherever_it_hangs():
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


# --- SKUs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("handle", "values", "expected"),
    [
        ("mug", [], "mug"),
        ("mug", ["Large"], "mug.large"),
        ("mug", ["Moss Green", "500 g"], "mug.moss-green.500-g"),
        ("mug", ["A/B"], "mug.ab~"),
        ("mug", ["AB"], "mug.ab"),
        ("mug", ["水"], "mug~"),
        ("m" * 200, ["Large"], "m" * 111 + "~"),
    ],
)
def test_a_missing_sku_comes_from_handle_and_options(handle, values, expected):
    sku = shopify_csv.derived_sku(handle, values)

    assert sku == shopify_csv.derived_sku(handle, values)
    assert sku == expected or (expected.endswith("~") and sku.startswith(expected))
    assert len(sku) <= 120


def test_derived_skus_of_one_product_never_meet():
    values = ["A/B", "AB", "A B", "A-B", "a.b", "水", "火", "é", "e", "x" * 119, "x" * 120]

    skus = {shopify_csv.derived_sku("mug", [value]) for value in values}

    assert len(skus) == len(values)


def test_a_derived_sku_gives_way_to_one_that_the_file_gives():
    without = {**MUG, "Variant SKU": ""}
    content = a_file(without, {**PAN, "Variant SKU": "mug"})

    first, second = load(content), load(content)

    assert (handles(first.created), first.skipped) == (["mug", "pan"], [])
    assert handles(second.unchanged) == ["mug", "pan"]
    assert Variant.objects.get(sku="mug").product.slug == "pan"
    assert Variant.objects.get(product__slug="mug").sku.startswith("mug~")


def test_a_derived_sku_gives_way_to_one_of_the_shop():
    a_mug(sku="mug", slug="other")
    content = a_file({**MUG, "Variant SKU": ""})

    load(content)

    assert handles(load(content).unchanged) == ["mug"]
    assert Variant.objects.get(product__slug="mug").sku.startswith("mug~")


def test_a_sku_of_another_product_is_refused_and_named():
    a_mug(sku="M-1", slug="other")

    report = load(a_file(MUG, PAN))

    assert problems(report) == [(2, 'SKU "M-1" belongs to "other"')]
    assert handles(report.created) == ["pan"]
    assert not Product.objects.filter(slug="mug").exists()


# --- Stock ----------------------------------------------------------------------------------------


def sell(sku: str, quantity: int) -> None:
    stock.adjust(sku=sku, change=-quantity, reason="sold", actor="tests")


def test_the_first_count_becomes_the_stock_by_a_movement():
    load(a_file(MUG))

    item = StockItem.objects.get(variant__sku="M-1")
    assert (item.on_hand, item.warehouse.is_default) == (5, True)
    (movement,) = item.movements.all()
    assert (movement.kind, movement.quantity, movement.actor) == ("initial", 5, "import_catalog")


def test_importing_again_does_not_bring_sold_units_back():
    load(a_file(MUG))
    sell("M-1", 3)

    report = load(a_file(MUG))

    assert handles(report.unchanged) == ["mug"]
    assert stock.availability(["M-1"]) == {"M-1": 2}


def test_a_new_count_moves_stock_by_the_difference():
    load(a_file(MUG))
    sell("M-1", 3)

    report = load(a_file({**MUG, "Variant Inventory Qty": "9"}))

    assert [(e.handle, e.changes) for e in report.updated] == [("mug", ("M-1: stock +4",))]
    assert stock.availability(["M-1"]) == {"M-1": 6}
    item = StockItem.objects.get(variant__sku="M-1")
    assert item.movements.aggregate(units=Sum("quantity"))["units"] == item.on_hand


def test_a_variant_that_never_was_in_a_file_takes_the_files_count():
    a_mug(sku="M-1", slug="mug", stock=12)

    load(a_file(MUG))

    assert stock.availability(["M-1"]) == {"M-1": 5}


def test_a_count_below_what_orders_hold_refuses_the_whole_product():
    load(a_file(MUG))
    HoldFactory(stock_item=StockItem.objects.get(variant__sku="M-1"), quantity=4)
    before = everything()

    report = load(a_file({**MUG, "Title": "New name", "Variant Inventory Qty": "3"}, PAN))

    assert [line for line, _ in problems(report)] == [2]
    assert "5 on hand, 4 of them held" in problems(report)[0][1]
    assert handles(report.created) == ["pan"]
    Product.objects.filter(slug="pan").exists()
    assert everything()[1][0] == before[1][0]  # not even its name


def test_a_blank_count_says_nothing():
    load(a_file(MUG))

    report = load(a_file({**MUG, "Variant Inventory Qty": ""}))

    assert handles(report.unchanged) == ["mug"]
    assert stock.availability(["M-1"]) == {"M-1": 5}


# --- Again, changed -------------------------------------------------------------------------------


def test_what_changed_is_written_and_said():
    load(a_file(MUG, PAN))

    report = load(a_file({**MUG, "Title": "Big Mug", "Variant Price": "20"}, PAN))

    assert [(e.line, e.handle, e.changes) for e in report.updated] == [
        (2, "mug", ("name", "M-1: price"))
    ]
    assert handles(report.unchanged) == ["pan"]
    mug = Product.objects.get(slug="mug")
    assert (mug.name, mug.price_amount) == ("Big Mug", 2000)


def test_a_variant_that_left_the_file_is_no_longer_sold_but_keeps_its_ledger():
    size = {"Option1 Name": "Size", "Option1 Value": "Small"}
    large = {"Handle": "mug", "Option1 Value": "Large", "Variant SKU": "M-2",
             "Variant Price": "9", "Variant Inventory Qty": "1"}  # fmt: skip
    load(a_file({**MUG, **size}, large))

    report = load(a_file({**MUG, **size}))

    assert report.updated[0].changes == ("options", "M-2 no longer sold")
    assert not Variant.objects.get(sku="M-2").active
    assert StockItem.objects.filter(variant__sku="M-2").exists()
    assert Product.objects.get(slug="mug").price_amount == 1800


def test_staffs_own_pictures_and_shelf_mates_stay():
    load(a_file({**MUG, "Image Src": "https://x.example/1.jpg"}))
    mug = Product.objects.get(slug="mug")
    ProductImage.objects.create(product=mug, path="/media/own.jpg")

    load(a_file({**MUG, "Image Src": "https://x.example/2.jpg"}))

    assert sorted(mug.images.values_list("source_url", "path")) == [
        ("", "/media/own.jpg"),
        ("https://x.example/2.jpg", pictures.PLACEHOLDER),
    ]


def test_a_picture_that_came_through_is_not_fetched_again(monkeypatch):
    asked = []

    def fetch_all(urls, *, progress=None):
        asked.append(list(urls))
        return {url: pictures.Fetched("/media/catalogue/mug.jpg") for url in urls}

    monkeypatch.setattr(pictures, "fetch_all", fetch_all)
    content = a_file({**MUG, "Image Src": "https://x.example/1.jpg"})

    load(content)
    report = load(content)

    assert asked == [["https://x.example/1.jpg"], []]
    assert handles(report.unchanged) == ["mug"]


def test_a_placeholder_gives_way_once_the_picture_can_be_had(monkeypatch):
    content = a_file({**MUG, "Image Src": "https://x.example/1.jpg"})
    report = load(content)
    assert [(n.line, n.handle) for n in report.notes] == [(2, "mug")]
    monkeypatch.setattr(
        pictures,
        "fetch_all",
        lambda urls, progress: {url: pictures.Fetched("/media/mug.jpg") for url in urls},
    )

    report = load(content)

    assert report.updated[0].changes == ("pictures",)
    assert report.notes == []


# --- Malformed ------------------------------------------------------------------------------------


MALFORMED = {
    "price of words": ({"Variant Price": "abc"}, "price is not an amount: 'abc'"),
    "price with comma": ({"Variant Price": "9,99"}, "price is not an amount: '9,99'"),
    "price with sign": ({"Variant Price": "$9"}, "price is not an amount: '$9'"),
    "negative price": ({"Variant Price": "-1"}, "price is negative: '-1'"),
    "exponent": ({"Variant Price": "1e9"}, "price is not an amount: '1e9'"),
    "not a number": ({"Variant Price": "NaN"}, "price is not an amount: 'NaN'"),
    "arabic digits": ({"Variant Price": "١٢"}, "price is not an amount: '١٢'"),
    "half cents": ({"Variant Price": "9.999"}, "price has more decimals than USD: '9.999'"),
    "too dear": ({"Variant Price": "999999999999"}, "price is too large: '999999999999'"),
    "no price": ({"Variant Price": ""}, "missing price"),
    "compare-at": (
        {"Variant Compare At Price": "x"},
        "compare at price is not an amount: 'x'",
    ),
    "negative count": ({"Variant Inventory Qty": "-3"}, "inventory qty is negative: '-3'"),
    "half a count": (
        {"Variant Inventory Qty": "1.5"},
        "inventory qty is not a whole number: '1.5'",
    ),
    "endless count": (
        {"Variant Inventory Qty": "9" * 11},
        "inventory qty is too large: '99999999999'",
    ),
    "weight": ({"Variant Grams": "-1"}, "grams is not a weight: '-1'"),
    "heavy": ({"Variant Grams": "9" * 12}, "grams is too large: '999999999999'"),
    "position": ({"Image Src": "https://x.example/1", "Image Position": "x"},
                 "image position is not a whole number: 'x'"),
    "published": ({"Published": "perhaps"}, "Published is neither true nor false: 'perhaps'"),
    "status": ({"Status": "sold"}, "Status is not active, draft or archived: 'sold'"),
    "no title": ({"Title": ""}, "missing title"),
    "blank title": ({"Title": " \xa0 "}, "missing title"),
    "long title": ({"Title": "x" * 256}, "Title has 256 characters, 255 are the most"),
    "long vendor": ({"Vendor": "x" * 121}, "Vendor has 121 characters, 120 are the most"),
    "long sku": ({"Variant SKU": "x" * 121}, "Variant SKU has 121 characters, 120 are the most"),
    "long type": ({"Type": "x" * 121}, "Type has 121 characters, 120 are the most"),
    "long url": ({"Image Src": "https://" + "x" * 993},
                 "Image Src has 1001 characters, 1000 are the most"),
    "long body": ({"Body (HTML)": "x" * 100_001},
                  "Body (HTML) has 100001 characters, 100000 are the most"),
    "NUL": ({"Title": "M\x00ug"}, "Title holds a control character"),
    "NUL in the body": ({"Body (HTML)": "\x00"}, "Body (HTML) holds a control character"),
    "escape": ({"Vendor": "\x1b[31m"}, "Vendor holds a control character"),
    "formula": ({"Title": "=1+1"}, "Title begins like a formula: '=1+1'"),
    "formula at": ({"Vendor": "@SUM(A1)"}, "Vendor begins like a formula: '@SUM(A1)'"),
    "formula plus": ({"Title": "+cmd|' /C calc'!A0"},
                     "Title begins like a formula: \"+cmd|' /C calc'!A0\""),
    "formula minus": ({"Variant SKU": "-2+3+cmd"}, "Variant SKU begins like a formula: '-2+3+cmd'"),
    "formula tab": ({"Title": "\t=1"}, "Title begins like a formula: '\\t=1'"),
    "formula return": ({"Title": "\r=1"}, "Title begins like a formula: '=1'"),
    "formula in a tag": ({"Tags": "clay, =1+1"}, "Tags begins like a formula: 'clay, =1+1'"),
    "no value": ({"Option1 Name": "Size"}, "no value for option 'Size'"),
    "no name": ({"Option2 Value": "L"}, "option 2 has a value but no name"),
    "two names": ({"Option1 Name": "Size", "Option1 Value": "L", "Option2 Name": "Size",
                   "Option2 Value": "M"}, "two options are called 'Size'"),
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_row_is_reported_and_the_rest_imported(name):
    cells, reason = MALFORMED[name]

    report = load(a_file({**MUG, **cells}, PAN))

    assert problems(report) == [(2, reason)]
    assert handles(report.created) == ["pan"]
    assert not Product.objects.exclude(slug="pan").exists()
    assert not Category.objects.exclude(slug="pans").exists()


@pytest.mark.parametrize(
    ("handle", "reason"),
    [
        ("", "missing handle"),
        ("a b", "handle may hold letters a-z, digits, hyphens and underscores only: 'a b'"),
        ("../../x", "handle may hold letters a-z, digits, hyphens and underscores only: '../../x'"),
        ("=mug", "handle may hold letters a-z, digits, hyphens and underscores only: '=mug'"),
        ("x" * 256, "Handle has 256 characters, 255 are the most"),
    ],
)
def test_a_row_without_a_usable_handle(handle, reason):
    report = load(a_file({**MUG, "Handle": handle}, PAN))

    assert problems(report) == [(2, reason)]
    assert handles(report.created) == ["pan"]


def test_one_bad_row_spoils_its_whole_product_and_every_problem_is_named():
    size = {"Option1 Name": "Size", "Option1 Value": "S"}
    report = load(
        a_file(
            {**MUG, **size},
            {"Handle": "mug", "Option1 Value": "M", "Variant Price": "x"},
            {"Handle": "mug", "Option1 Value": "s", "Variant Price": "1"},
            {"Handle": "mug", "Option1 Value": "L", "Variant Price": "1", "Variant SKU": "M-1"},
            {"Handle": "mug"},
            PAN,
        )
    )

    assert problems(report) == [
        (3, "price is not an amount: 'x'"),
        (4, "the same options as line 2"),
        (5, 'SKU "M-1" stands on two lines of this product'),
        (6, "neither a variant nor a picture"),
    ]
    assert handles(report.created) == ["pan"]
    assert StockItem.objects.count() == 1


def test_an_existing_product_is_left_as_it_was_when_its_row_is_malformed():
    load(a_file(MUG))
    before = everything()

    load(a_file({**MUG, "Title": "New", "Variant Price": "x", "Variant Inventory Qty": "99"}))

    assert everything() == before


def test_one_sku_in_two_products_stays_with_the_first():
    report = load(a_file(MUG, {**PAN, "Variant SKU": "M-1"}))

    assert handles(report.created) == ["mug"]
    assert problems(report) == [(3, 'SKU "M-1" belongs to "mug" (line 2)')]


def test_two_titles_for_one_handle():
    report = load(a_file(MUG, {**PAN, "Handle": "mug"}))

    assert problems(report) == [(2, "line 3 gives it another title: 'Pan'")]


def test_ragged_rows():
    header, mug, pan = a_file(MUG, PAN).decode().splitlines()
    lamp = mug.replace("mug,Mug", "lamp,Lamp").replace("M-1", "L-1")
    content = "\n".join([header, mug[:-1], lamp + ",,surplus", pan + ",,,"])

    report = load(content)

    assert problems(report) == [
        (2, "has 25 cells where the header has 26"),
        (3, "has 28 cells where the header has 26"),
    ]
    assert handles(report.created) == ["pan"]  # blank cells too many do no harm


def test_bytes_that_are_not_utf_8_spoil_their_product_only():
    content = a_file({**MUG, "Title": "Café-Becher"}, PAN).decode().encode("latin-1")

    report = load(content)

    assert problems(report) == [(2, "Title is not UTF-8")]
    assert handles(report.created) == ["pan"]


def test_a_byte_order_mark_and_foreign_line_ends_do_no_harm():
    text = a_file({**MUG, "Body (HTML)": "<p>one</p>\n<p>two</p>"}, PAN).decode()

    assert handles(load(b"\xef\xbb\xbf" + text.encode()).created) == ["mug", "pan"]
    for ends in ("\r\n", "\r"):
        content = text.replace("\r\n", "\n").replace("\n", ends)
        assert handles(load(content.encode()).unchanged) == ["mug", "pan"]


def test_an_unclosed_quote_does_not_swallow_the_rest():
    header, mug, pan = a_file(MUG, PAN).decode().splitlines()
    report = load("\n".join([header, mug.replace("Mug,", '"Mug,', 1), pan]))

    assert problems(report) == [(2, "cannot be read: unexpected end of data")]
    assert handles(report.created) == ["pan"]


def test_a_broken_quote_is_one_rows_trouble():
    header, mug, pan = a_file(MUG, PAN).decode().splitlines()
    report = load("\n".join([header, mug.replace("Mug,", '"Mu"g,', 1), pan]))

    assert [line for line, _ in problems(report)] == [2]
    assert handles(report.created) == ["pan"]


def test_lines_are_counted_as_an_editor_counts_them():
    body = {"Body (HTML)": "<p>one</p>\n\n<p>four lines</p>\n"}
    report = load(a_file({**MUG, **body}, {**PAN, "Variant Price": "x"}))

    assert problems(report) == [(6, "price is not an amount: 'x'")]


def test_empty_lines_mean_nothing():
    text = a_file(MUG).decode() + "\n\n" + "," * (len(COLUMNS) - 1) + "\n"

    report = load(text)

    assert (handles(report.created), report.skipped) == (["mug"], [])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"a,b\n1,2\n", "no column Handle, Title, Variant Price"),
        (b"Handle,Title\nmug,Mug\n", "no column Variant Price"),
        (b"Handle,Title,Title,Variant Price\n", "the column Title stands there twice"),
        ("Handle,Title,Variant Price\n".encode("utf-16"), "UTF-16"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "not a Shopify product CSV"),
        (b'"Handle', "the first line cannot be read"),
    ],
)
def test_a_file_that_is_none_is_refused_whole(content, reason):
    with pytest.raises(shopify_csv.NotAProductCsv, match=reason):
        load(content)


def test_a_rule_of_the_database_that_nobody_foresaw_ends_one_product_only(monkeypatch):
    real = services.save_product

    def save_product(spec):
        saved = real(spec)
        if spec.slug == "mug":
            Variant.objects.filter(product=saved.product).update(price_amount=-1)
        return saved

    monkeypatch.setattr(services, "save_product", save_product)

    report = load(a_file(MUG, PAN))

    assert "variant_price_not_negative" in problems(report)[0][1]
    assert handles(report.created) == ["pan"]
    assert not Category.objects.filter(slug="mugs").exists()


# --- The command ----------------------------------------------------------------------------------


def run(path: Path) -> str:
    out = io.StringIO()
    call_command("import_catalog", str(path), stdout=out, stderr=io.StringIO())
    return out.getvalue()


def test_the_command_prints_what_it_did(tmp_path):
    path = tmp_path / "products.csv"
    path.write_bytes(a_file(MUG, {**PAN, "Variant Price": "x"}, {**PAN, "Handle": ""}))

    assert run(path).splitlines() == [
        "created    line 2: mug",
        "skipped    line 3: pan: price is not an amount: 'x'",
        "skipped    line 4: (no product): missing handle",
        "     1 created",
        "     0 updated",
        "     0 unchanged",
        "     2 skipped (2 problems, named above)",
    ]
    path.write_bytes(a_file({**MUG, "Title": "Cup"}))
    assert run(path).splitlines()[0] == "updated    line 2: mug (name)"
    assert run(path).splitlines()[2] == "     1 unchanged"


@pytest.mark.parametrize("content", [None, b"nonsense"])
def test_the_command_names_a_file_that_is_none_in_one_line(tmp_path, content):
    path = tmp_path / "products.csv"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(CommandError, match=str(path)) as refusal:
        run(path)

    assert "\n" not in str(refusal.value)
