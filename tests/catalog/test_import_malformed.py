"""import_catalog: what cannot be meant is refused by line and reason; the rest is imported."""

import pytest

from apps.catalog import services, shopify_csv
from apps.catalog.models import Category, Product, Variant
from apps.inventory.models import StockItem
from tests.catalog.product_files import (
    COLUMNS,
    MUG,
    PAN,
    a_file,
    everything,
    handles,
    load,
    problems,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_network")]

MALFORMED = {
    "price of words": ({"Variant Price": "abc"}, "price is not an amount: 'abc'"),
    "negative price": ({"Variant Price": "-1"}, "price is negative: '-1'"),
    "exponent": ({"Variant Price": "1e9"}, "price is not an amount: '1e9'"),
    "not a number": ({"Variant Price": "NaN"}, "price is not an amount: 'NaN'"),
    "arabic digits": ({"Variant Price": "١٢"}, "price is not an amount: '١٢'"),
    "half cents": ({"Variant Price": "9.999"}, "price has more decimals than USD: '9.999'"),
    "too dear": ({"Variant Price": "999999999999"}, "price is too large: '999999999999'"),
    "no price": ({"Variant Price": ""}, "missing price"),
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
    "published": ({"Published": "perhaps"}, "Published is neither true nor false: 'perhaps'"),
    "status": ({"Status": "sold"}, "Status is not active, draft, archived or unlisted: 'sold'"),
    "no title": ({"Title": ""}, "missing title"),
    "blank title": ({"Title": " \xa0 "}, "missing title"),
    "long title": ({"Title": "x" * 256}, "Title has 256 characters, 255 are the most"),
    "long vendor": ({"Vendor": "x" * 256}, "Vendor has 256 characters, 255 are the most"),
    "long sku": ({"Variant SKU": "x" * 256}, "Variant SKU has 256 characters, 255 are the most"),
    "long type": ({"Type": "x" * 256}, "Type has 256 characters, 255 are the most"),
    "long url": ({"Image Src": "https://" + "x" * 993},
                 "Image Src has 1001 characters, 1000 are the most"),
    "long body": ({"Body (HTML)": "x" * 100_001},
                  "Body (HTML) has 100001 characters, 100000 are the most"),
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
        (" \u200b ", "missing handle"),
        ("x" * 511, "Handle has 511 characters, 510 are the most"),
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
            {"Handle": "mug", "Option1 Value": "L", "Variant Price": ""},
            {"Handle": "mug", "Option1 Value": "XL", "Variant Price": "1", "Variant Grams": "x"},
            PAN,
        )
    )

    assert problems(report) == [
        (3, "price is not an amount: 'x'"),
        (4, "missing price"),
        (5, "grams is not a weight: 'x'"),
    ]
    assert handles(report.created) == ["pan"]
    assert StockItem.objects.count() == 1


def test_an_existing_product_is_left_as_it_was_when_its_row_is_malformed():
    load(a_file(MUG))
    before = everything()

    load(a_file({**MUG, "Title": "New", "Variant Price": "x", "Variant Inventory Qty": "99"}))

    assert everything() == before


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


def test_damaged_bytes_in_a_utf_8_file_spoil_their_product_only():
    content = a_file({**MUG, "Title": "Caf?-Becher"}, {**PAN, "Vendor": "Käthe & Søn"})
    content = content.replace(b"Caf?", b"Caf\xe9")

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


def test_an_unexpected_constraint_refuses_one_product_only(monkeypatch):
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
