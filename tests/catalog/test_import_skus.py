"""import_catalog: SKUs that a file leaves out, and SKUs that two products claim."""

import pytest

from apps.catalog import shopify_csv
from apps.catalog.models import Variant
from apps.inventory import stock
from tests.catalog.product_files import MUG, PAN, a_file, handles, load
from tests.factories import a_mug

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_network")]


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


def on_hand(skus: list[str]) -> dict[str, int]:
    return {sku: level.on_hand for sku, level in stock.levels(skus).items()}


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


def taken(*rows: dict[str, str]) -> dict[str, str]:
    """Import the rows twice, the second time without a change; the slug of each SKU."""
    content = a_file(*rows)
    assert load(content).skipped == []
    again = load(content)
    assert (again.created, again.updated) == ([], [])
    return dict(Variant.objects.values_list("sku", "product__slug"))


def notes(report) -> list[tuple[int, str]]:
    return [(note.line, note.text) for note in report.notes]


def test_the_later_one_of_two_equal_skus_is_told_apart():
    rows = MUG, {**PAN, "Variant SKU": "M-1"}
    report = load(a_file(*rows))
    skus = taken(*rows)

    (other,) = skus.keys() - {"M-1"}
    assert skus == {"M-1": "mug", other: "pan"}
    assert other.startswith("M-1~") and len(other) == 12
    assert notes(report) == [
        (
            3,
            f"Variant SKU 'M-1': taken as {other!r}, because it belongs to 'mug' (line 2)",
        )
    ]
    # Alone in a file it is the same one.
    assert handles(load(a_file(rows[1])).unchanged) == ["pan"]


def test_two_variants_of_one_product_with_one_sku_are_told_apart():
    size = {"Option1 Name": "Size", "Option1 Value": "S"}
    skus = taken({**MUG, **size}, {"Handle": "mug", "Option1 Value": "L", "Variant SKU": "M-1",
                                   "Variant Price": "9"})  # fmt: skip

    assert len(skus) == 2 and "M-1" in skus


def test_a_sku_that_another_product_of_the_shop_has_is_told_apart():
    a_mug(sku="M-1", slug="other")

    skus = taken(MUG, PAN)

    assert skus["M-1"] == "other"
    assert sorted(skus.values()) == ["mug", "other", "pan"]


def test_a_spreadsheets_apostrophe_is_no_part_of_a_sku_or_barcode():
    report = load(a_file({**MUG, "Variant SKU": "'0081", "Variant Barcode": "'0012"}))

    assert Variant.objects.values_list("sku", "barcode").get() == ("0081", "0012")
    assert notes(report) == [
        (2, "Variant SKU \"'0081\": taken as '0081', without the spreadsheet's apostrophe"),
        (2, "Variant Barcode \"'0012\": taken as '0012', without the spreadsheet's apostrophe"),
    ]
    assert handles(load(a_file({**MUG, "Variant SKU": "0081"})).updated) == ["mug"]  # barcode


def test_what_was_imported_with_the_apostrophe_keeps_its_sku_and_stock():
    rows = {**MUG, "Variant SKU": "'0081"}, {**PAN, "Variant SKU": "0081"}
    load(a_file(MUG, PAN))
    # As the importer wrote them before it knew of the apostrophe.
    Variant.objects.filter(sku="M-1").update(sku="'0081")
    Variant.objects.filter(sku="P-1").update(sku="0081")

    report = load(a_file(*rows))

    assert handles(report.unchanged) == ["mug", "pan"]
    assert on_hand(["'0081", "0081"]) == {"'0081": 5, "0081": 2}
    assert 'kept as "\'0081", as it is in the shop' in notes(report)[-1][1]
    assert Variant.objects.count() == 2


def test_a_sku_with_signs_of_addresses_is_taken():
    assert taken({**MUG, "Variant SKU": "KT/12 #5%"}) == {"KT/12 #5%": "mug"}


def test_what_was_imported_with_invisible_characters_keeps_its_sku_and_stock():
    load(a_file(MUG))
    Variant.objects.update(sku="M-1\u200b")

    report = load(a_file({**MUG, "Variant SKU": "M-1\u200b"}))

    assert handles(report.unchanged) == ["mug"]
    assert on_hand(["M-1\u200b"]) == {"M-1\u200b": 5}


def test_a_sku_that_the_file_no_longer_gives_stays():
    size = {"Option1 Name": "Size", "Option1 Value": "Small"}
    load(a_file({**MUG, **size}))

    report = load(a_file({**MUG, **size, "Option1 Value": "small", "Variant SKU": ""}))

    assert report.updated[0].changes == ("options", "M-1: name, options")
    assert Variant.objects.get().sku == "M-1"
    assert on_hand(["M-1"]) == {"M-1": 5}
