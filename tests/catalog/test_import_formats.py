"""import_catalog: encodings, delimiters and both generations of Shopify's column names."""

import pytest

from apps.catalog import shopify_csv
from apps.catalog.models import Product, Variant
from tests.catalog.product_files import MUG, PAN, a_file, handles, load

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_network")]


def test_windows_1252_is_read_with_a_note():
    text = a_file({**MUG, "Title": "Café cup – £ ’quoted’"}, PAN).decode()

    report = load(text.encode("cp1252"))

    assert handles(report.created) == ["mug", "pan"]
    assert Product.objects.get(slug="mug").name == "Café cup – £ ’quoted’"
    assert [(n.line, n.handle, n.text) for n in report.notes] == [
        (1, "", "not UTF-8; read as Windows-1252")
    ]
    assert handles(load(text.encode()).unchanged) == ["mug", "pan"]


def test_bytes_that_mean_nothing_in_windows_1252_spoil_their_product_only():
    content = a_file({**MUG, "Title": "Caf?"}, PAN).replace(b"Caf?", b"Caf\xe9\x81")

    report = load(content)

    assert report.skipped[0].problems[0].reason == "Title is not UTF-8"
    assert handles(report.created) == ["pan"]


@pytest.mark.parametrize("delimiter", [";", "\t"])
@pytest.mark.parametrize("above", ["", "sep={}\r\n"])
def test_semicolons_and_tabs_are_recognised(delimiter, above):
    rows = {**MUG, "Title": "Mug, round", "Variant Price": "19.50"}, PAN
    text = a_file(*rows).decode().replace('"Mug, round"', "Mug# round").replace(",", delimiter)

    report = load(above.format(delimiter) + text.replace("#", ","))

    assert (handles(report.created), report.skipped) == (["mug", "pan"], [])
    assert Product.objects.get(slug="mug").name == "Mug, round"
    assert [entry.line for entry in report.created] == ([3, 4] if above else [2, 3])


def test_a_broken_row_between_semicolons_is_named_by_its_handle():
    text = a_file({**MUG, "Title": "Mug"}, PAN).decode().replace(",", ";")

    report = load(text.replace("Mug;", '"Mug;', 1))

    assert [refused.handle for refused in report.skipped] == ["mug"]
    assert handles(report.created) == ["pan"]


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("Handle;Title;Preis", "no column Variant Price, with semicolons between the cells"),
        ("Handle\tName", "no column Title, Variant Price, with tabs between the cells"),
        ("Handle|Title|Variant Price", "no column Handle, Title, Variant Price, with commas"),
    ],
)
def test_what_stands_between_the_cells_is_said_when_columns_are_missing(header, said):
    with pytest.raises(shopify_csv.NotAProductCsv, match=said):
        load(f"{header}\nmug;Mug;9\n")


NEWER = {
    "URL handle": "mug", "Title": "Mug", "Description": "<p>Round.</p>", "Vendor": "Kiln",
    "Type": "Mugs", "Tags": "clay", "Published on online store": "TRUE", "Status": "Active",
    "Option1 name": "Size", "Option1 value": "Small", "SKU": "M-1", "Barcode": "0123",
    "Weight value (grams)": "350", "Inventory tracker": "shopify", "Inventory quantity": "7",
    "Continue selling when out of stock": "continue", "Price": "19,50", "Compare-at price": "25",
    "Requires shipping": "TRUE", "Charge tax": "FALSE", "Image position": "1",
    "Product image URL": "https://x.example/1.jpg", "Image alt text": "From above",
    "Variant image URL": "https://x.example/2.jpg", "Gift card": "FALSE",
}  # fmt: skip


def test_the_newer_column_names_are_read_like_the_old_ones():
    report = load(a_file(NEWER, columns=tuple(NEWER)))

    mug, variant = Product.objects.get(), Variant.objects.get()
    assert (mug.slug, mug.description, mug.category.name) == ("mug", "<p>Round.</p>", "Mugs")
    assert (variant.sku, variant.barcode, variant.weight_grams) == ("M-1", "0123", 350)
    assert (variant.price_amount, variant.compare_at_amount) == (1950, 2500)
    assert (variant.taxable, variant.imported_quantity) == (False, 7)
    assert variant.inventory_policy == Variant.InventoryPolicy.CONTINUE
    assert [(i.source_url[-5:], i.alt) for i in mug.images.all()] == [
        ("1.jpg", "From above"),
        ("2.jpg", "Mug"),
    ]
    # A note calls the column as the file does.
    assert report.notes[0].text == "Price '19,50': read as 19.50"
