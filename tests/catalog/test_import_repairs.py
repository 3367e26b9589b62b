"""import_catalog: what can be understood is taken, with a note that says what was made of it."""

import pytest

from apps.catalog import pictures
from apps.catalog.models import Category, Product, ProductImage, Variant
from tests.catalog.product_files import COLUMNS, MUG, PAN, a_file, everything, handles, load

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_network")]

SIZES = {"Option1 Name": "Size", "Option1 Value": "Small"}
WIDE = (*COLUMNS, "Variant Inventory Policy", "Variant Inventory Tracker", "Gift Card")
PICTURE = {"Image Src": "https://x.example/1.jpg"}


def notes(report) -> list[tuple[int, str]]:
    """(line, text), without those about pictures that are not there."""
    return [(n.line, n.text) for n in report.notes if not n.text.startswith("placeholder")]


def taken(*rows: dict[str, str], columns=COLUMNS) -> list[tuple[int, str]]:
    """Import the rows, twice: nothing is refused, the second time nothing changes. The notes."""
    content = a_file(*rows, columns=columns)
    report = load(content)
    assert report.skipped == []
    before = everything()
    again = load(content)
    assert (again.created, again.updated, again.skipped) == ([], [], [])
    assert everything() == before
    return notes(report)


# --- Cells ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "cents"),
    [
        *[("58.120000000000005", 5812), ("19.499999999999996", 1950), ("1,299.00", 129900)],
        *[("1.234,56", 123456), ("1 234,50", 123450), ("1'299.00", 129900), ("9,99", 999)],
        *[("1,299", 129900), ("1,299,000", 129900000), (".30", 30), ("$9", 900), ("9 USD", 900)],
        *[("18.00", 1800), ("18", 1800), ("0.00", 0), ("12.5", 1250)],
    ],
)
def test_prices_as_people_and_spreadsheets_write_them(written, cents):
    found = taken({**MUG, "Variant Price": written})

    assert Variant.objects.get().price_amount == cents
    made = f"{cents / 100:.2f}"
    is_plain = written.replace(".", "", 1).isdigit() and len(written) < 6 and written[0] != "."
    assert found == ([] if is_plain else [(2, f"Variant Price {written!r}: read as {made}")])


@pytest.mark.parametrize("written", ["9.999", "1.299", "€9", "1,29,9", "1.2.3", "free", "1e3"])
def test_a_price_that_could_be_two_prices_is_refused(written):
    assert load(a_file({**MUG, "Variant Price": written}, PAN)).skipped[0].handle == "mug"


def test_whole_numbers_that_a_spreadsheet_wrote_as_fractions():
    found = taken(
        {**MUG, **PICTURE, "Variant Inventory Qty": "21.0", "Image Position": "1.0"},
        {**PAN, "Variant Inventory Qty": "1,200"},
    )

    assert found == [
        (2, "Variant Inventory Qty '21.0': read as 21"),
        (2, "Image Position '1.0': read as 1"),
        (3, "Variant Inventory Qty '1,200': read as 1200"),
    ]
    assert {v.sku: v.imported_quantity for v in Variant.objects.all()} == {"M-1": 21, "P-1": 1200}


def test_a_weight_with_a_decimal_comma():
    assert taken({**MUG, "Variant Grams": "226,8"}) == [(2, "Variant Grams '226,8': read as 227 g")]
    assert Variant.objects.get().weight_grams == 227


@pytest.mark.parametrize(("written", "published"), [("WAHR", True), ("FAUX", False), ("no", False)])
def test_true_and_false_of_other_languages(written, published):
    found = taken({**MUG, "Published": written})

    assert found == [(2, f"Published {written!r}: read as {str(published).lower()}")]
    assert Product.objects.get().published is published


def test_control_characters_become_spaces():
    found = taken(
        {**MUG, "Title": "M\x00ug", "Body (HTML)": "<p>one\x0btwo</p>", "Vendor": "Kiln\x1b"}
    )

    mug = Product.objects.get()
    assert (mug.name, mug.description, mug.vendor) == ("M ug", "<p>one two</p>", "Kiln")
    assert [text.partition(" ")[0] for _, text in found] == ["Title", "Body", "Vendor"]
    assert "control characters became spaces" in found[0][1]


def test_invisible_characters_are_no_part_of_a_sku_or_a_title():
    taken({**MUG, "Title": "\u200bMug\ufeff", "Variant SKU": "\u202aM-1\u202c"})

    assert Variant.objects.get().sku == "M-1"
    assert Product.objects.get().name == "Mug"


@pytest.mark.parametrize("text", ["=1+1", "@home", "-masala", "+new", "'90s lamp"])
def test_what_a_spreadsheet_would_run_is_taken_as_text(text):
    assert taken({**MUG, "Title": text, "Vendor": text, "Tags": f"clay, {text}"}) == []

    mug = Product.objects.get()
    assert (mug.name, mug.vendor, mug.tags) == (text, text, ["clay", text])


def test_the_apostrophe_of_our_own_exports_is_taken_off_again():
    taken({**MUG, "Title": "'=1+1"})

    assert Product.objects.get().name == "=1+1"


def test_a_compare_at_price_that_cannot_be_read_is_left_out():
    found = taken(
        {**MUG, "Variant Compare At Price": "x"}, {**PAN, "Variant Compare At Price": "9"}
    )

    assert found == [
        (2, "Variant Compare At Price 'x': left out: compare at price is not an amount"),
        (3, "Variant Compare At Price '9': left out: it is not above the price"),
    ]
    assert set(Variant.objects.values_list("compare_at_amount", flat=True)) == {None}


def test_a_barcode_that_a_spreadsheet_rounded_is_left_out():
    found = taken({**MUG, "Variant Barcode": "4.00638E+12"})

    assert found == [(2, "Variant Barcode '4.00638E+12': left out: a spreadsheet rounded it")]
    assert Variant.objects.get().barcode == ""


def test_a_picture_without_a_usable_position_comes_last():
    found = taken(
        {**MUG, "Image Src": "https://x.example/b.jpg", "Image Position": "x"},
        {"Handle": "mug", "Image Src": "https://x.example/a.jpg", "Image Position": "2"},
    )

    assert found == [(2, "Image Position 'x': no position; the picture comes last")]
    assert list(ProductImage.objects.values_list("source_url", flat=True)) == [
        "https://x.example/a.jpg",
        "https://x.example/b.jpg",
    ]


def test_what_shopify_takes_is_taken():
    alt = "A cup. " * 73
    taken(
        {**MUG, **PICTURE, "Image Alt Text": alt, "Variant SKU": "S" * 255, "Vendor": "V" * 255,
         "Type": "T" * 255, "Option1 Name": "N" * 255, "Option1 Value": "O" * 255,
         "Variant Barcode": "1" * 255, "Tags": ",".join(f"tag {n}" for n in range(250))},
    )  # fmt: skip

    mug, variant = Product.objects.get(), Variant.objects.get()
    assert (mug.vendor, len(mug.tags), mug.category.name) == ("V" * 255, 250, "T" * 255)
    assert (variant.sku, variant.options) == ("S" * 255, {"N" * 255: "O" * 255})
    assert ProductImage.objects.get().alt == alt.strip()


def test_more_than_that_is_cut_where_nothing_is_lost_by_it():
    found = taken(
        {**MUG, **PICTURE, "Image Alt Text": "a" * 513,
         "Tags": ",".join([*(f"tag {n}" for n in range(251)), "t" * 256])},
    )  # fmt: skip

    assert [text.rpartition(": ")[2] for _, text in found] == [
        "cut to 512 characters",
        "tags of more than 255 characters are left out",
        "251 tags; the first 250 are taken",
    ]


# --- Rows -----------------------------------------------------------------------------------------


def test_the_first_title_counts():
    found = taken(
        {**MUG, **SIZES},
        {"Handle": "mug", "Title": "Big Mug", "Option1 Value": "Large", "Variant Price": "20"},
    )

    assert found == [(3, "Title 'Big Mug': left out: line 2 calls it 'Mug'")]
    assert Product.objects.get().name == "Mug"
    assert Variant.objects.count() == 2


def test_options_without_name_or_value():
    found = taken(
        {**MUG, "Option1 Value": "Default Title"},
        {**PAN, "Option1 Name": "Title"},
        {**MUG, "Handle": "cup", "Variant SKU": "C-1", "Option1 Name": "Size"},
        {**MUG, "Handle": "jug", "Variant SKU": "J-1", "Option2 Value": "Moss"},
        {**MUG, "Handle": "jar", "Variant SKU": "R-1", **SIZES, "Option2 Name": "Size",
         "Option2 Value": "Wide"},
        {"Handle": "jar", "Variant SKU": "R-2", "Variant Price": "9", "Option2 Value": "Slim"},
    )  # fmt: skip

    assert {v.sku: v.options for v in Variant.objects.all()} == {
        "M-1": {},
        "P-1": {},
        "C-1": {},
        "J-1": {"Option 2": "Moss"},
        "R-1": {"Size": "Small", "Size 2": "Wide"},
        "R-2": {"Size": "Default", "Size 2": "Slim"},
    }
    assert found == [
        (2, "Option1 Name is empty: a product without options"),
        (4, "Option1 Name 'Size': no variant has a value for it: left out"),
        (5, "Option2 Name is empty: called 'Option 2'"),
        (6, "Option2 Name 'Size': called 'Size 2': there is another 'Size'"),
        (7, "Option1 Value is empty: no value for option 'Size'; taken as 'Default'"),
    ]


def test_a_row_that_repeats_a_variant_or_says_nothing_is_left_out():
    found = taken(
        {**MUG, **SIZES},
        {"Handle": "mug", "Option1 Value": "small", "Variant Price": "20", "Variant SKU": "M-9"},
        {"Handle": "mug"},
    )

    assert found == [
        (3, "the same options as line 2: this variant is left out"),
        (4, "neither a variant nor a picture: the row is left out"),
    ]
    assert Variant.objects.get().sku == "M-1"


# --- Handles and categories -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("handle", "slug"),
    [
        *[("tasse-à-thé", "tasse-a-the"), ("湯飲み-赤", "tangyinmi-chi"), ("a b", "a-b")],
        *[("kiln™-cup", "kilntm-cup"), ("../../x", "x"), ("=mug", "mug"), ("Big-Mug", "big-mug")],
        *[("straße", "strasse"), ("كوب", "kwb")],
    ],
)
def test_an_address_is_made_of_any_handle(handle, slug):
    assert taken({**MUG, "Handle": handle}) == [(2, f"Handle {handle!r}: its address is {slug!r}")]

    assert Product.objects.get().slug == slug


@pytest.mark.parametrize("handle", ["!!!", "x" * 300])
def test_a_handle_that_makes_no_address_of_its_own_gets_a_digest(handle):
    taken({**MUG, "Handle": handle})

    slug = Product.objects.get().slug
    assert slug[-9] == "-" and len(slug) <= 255
    assert slug.startswith("product" if handle == "!!!" else "xxx")


def test_two_handles_of_one_address_stay_two_products():
    files = [
        a_file({**MUG, "Handle": "thé"}, {**PAN, "Handle": "the"}),
        a_file({**MUG, "Handle": "thé"}),
        a_file({**PAN, "Handle": "the"}, {**MUG, "Handle": "thé"}),
    ]

    assert len(load(files[0]).created) == 2
    slugs = {v.sku: v.product.slug for v in Variant.objects.all()}
    assert slugs["P-1"] == "the" and slugs["M-1"].startswith("the-")
    for file in files:
        again = load(file)
        assert (again.created, again.updated) == ([], [])


def test_handles_that_differ_only_in_case_are_one_product():
    found = taken(
        {**MUG, "Handle": "Moss-Mug", **SIZES},
        {"Handle": "moss-mug", "Option1 Value": "Large", "Variant Price": "20"},
    )

    assert (3, "Handle 'moss-mug': one product with 'Moss-Mug' (line 2)") in found
    assert Product.objects.get().slug == "moss-mug"
    assert Variant.objects.count() == 2


def test_a_product_that_was_imported_with_capitals_keeps_its_address_and_skus():
    row = {**MUG, "Variant SKU": ""}
    load(a_file({**row, "Handle": "moss"}))
    Product.objects.update(slug="Moss")
    Variant.objects.update(sku="Moss")

    report = load(a_file({**row, "Handle": "MOSS"}))

    assert handles(report.unchanged) == ["Moss"]
    assert Variant.objects.get().sku == "Moss"


def test_types_of_one_slug_are_two_categories():
    taken({**MUG, "Type": "メンズ T"}, {**PAN, "Type": "レディース T"})
    taken({**MUG, "Type": "C & D"}, {**PAN, "Type": "c, d"})

    names = ["C & D", "c, d", "メンズ T", "レディース T"]
    assert sorted(Category.objects.values_list("name", flat=True)) == sorted(names)


def test_a_renamed_category_is_still_found_by_its_old_name():
    taken({**MUG, "Type": "Wall Sculpture"})
    Category.objects.update(name="Sculpture")

    taken({**MUG, "Type": "wall  sculpture"})

    assert Category.objects.get().name == "Sculpture"


def test_the_custom_type_stands_in_for_the_type():
    columns = (*COLUMNS, "Custom Product Type", "Standard Product Type")
    standard = {"Standard Product Type": "Home > Decor > Vases"}
    taken(
        {**MUG, **standard, "Type": "", "Custom Product Type": "Wall Sculpture", "Tags": "sale"},
        {**PAN, **standard, "Type": "", "Tags": "sale"},
        columns=columns,
    )

    assert {p.slug: p.category.name for p in Product.objects.all()} == {
        "mug": "Wall Sculpture",
        "pan": "Vases",
    }


# --- HTML -----------------------------------------------------------------------------------------


def test_headings_and_blocks_stay_apart_and_nothing_runs():
    body = (
        "<h1>Care</h1>Wash by hand<section>one</section><section>two</section>"
        "<style>p{}</style><script>x()</script><iframe src='https://x.example'>old</iframe>"
        '<table><tr><td colspan="2" onclick="x()">Cell</td></tr></table>2 &lt; 3'
    )
    taken({**MUG, "Body (HTML)": body})

    assert Product.objects.get().description == (
        "<h2>Care</h2>Wash by hand<div>one</div><div>two</div>"
        '<table><tbody><tr><td colspan="2">Cell</td></tr></tbody></table>2 &lt; 3'
    )


def test_pictures_inside_a_description_do_not_make_it_too_long():
    taken({**MUG, "Body (HTML)": f'<p>Round.</p><img src="data:image/png;base64,{"A" * 200_000}">'})

    assert Product.objects.get().description == "<p>Round.</p>"


def test_a_placeholder_is_a_note_too():
    report = load(a_file({**MUG, **PICTURE}))

    assert report.notes[0].text.startswith("placeholder for https://x.example/1.jpg")
    assert ProductImage.objects.get().path == pictures.PLACEHOLDER
