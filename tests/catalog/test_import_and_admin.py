"""What the importer accepts the admin saves unchanged, and every page of it opens."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.catalog import importer
from apps.catalog.models import Product, ProductImage, ProductOption, Variant
from tests.backoffice.conftest import errors, form_of, signed_in
from tests.catalog.product_files import MUG, a_file, load
from tests.factories import make_clerk

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_network")]

SHARED = Path(__file__).resolve().parents[3] / "shared"
FILES = [
    *sorted((SHARED / "cases" / "catalogue").glob("*.csv")),
    *sorted((SHARED / "data").glob("*.csv")),
]


@pytest.fixture
def staff(db: None) -> Client:
    return signed_in(make_clerk())


def rows() -> list[Any]:
    """All that a product's form could change."""
    products = [
        {name: value for name, value in row.items() if name not in ("updated_at", "search")}
        for row in Product.objects.order_by("pk").values()
    ]
    parts = [list(m.objects.order_by("pk").values()) for m in (Variant, ProductOption)]
    return [products, *parts, list(ProductImage.objects.order_by("pk").values())]


def saved_unchanged(staff: Client) -> None:
    before = rows()
    for product in Product.objects.all():
        url = reverse("admin:catalog_product_change", args=[product.pk])
        answer = staff.post(url, form_of(staff, url))
        assert answer.status_code == 302, errors(answer)
    assert rows() == before


SIZE = {"Option1 Name": "Size", "Option1 Value": "Small, 6 oz"}
ODD = {
    "commas and colons": ({"Option1 Value": "Small, 6 oz"}, {"Option1 Value": "Large: 12 oz"}),
    "inches": ({"Option1 Value": '6" / 15 cm'}, {"Option1 Value": '"wide"'},
               {"Option1 Value": '"'}),
    "names": ({"Option1 Name": "Size: cm, W x H", "Option2 Name": '"Glaze"', "Option1 Value": "1",
               "Option2 Value": "a:b,c"},),
    "tags": ({"Tags": '"hand made", 6" plate, -masalas, =sale, a "b" c'},),
    "SKU": ({"Variant SKU": "KT/12 #5%?"},),
    "longest": ({"Option1 Name": "N" * 255, "Option1 Value": "O" * 255, "Option2 Name": "P",
                 "Option2 Value": "Q" * 255, "Variant SKU": "S" * 255, "Title": "T" * 255},),
    "ends in a comma": ({"Option1 Value": "a,"}, {"Option1 Value": ","}),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_odd_texts_are_saved_unchanged(staff: Client, name: str) -> None:
    first, *others = ODD[name]
    children = [{"Handle": "mug", "Variant Price": "9", **cells} for cells in others]
    report = load(a_file({**MUG, **SIZE, **first}, *children))
    assert (len(report.created), report.skipped) == (1, [])
    assert Variant.objects.count() == len(ODD[name])

    saved_unchanged(staff)


@pytest.mark.skipif(not FILES, reason="no ../shared here")
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_twice_changes_nothing_and_every_page_opens(staff: Client, file: Path) -> None:
    with file.open("rb") as stream:
        report = importer.import_csv(stream)
    assert (report.skipped, report.updated) == ([], [])
    assert report.created

    with file.open("rb") as stream:
        again = importer.import_csv(stream)
    assert (again.created, again.updated, again.skipped) == ([], [], [])

    client = Client()
    for product in Product.objects.all():
        shown = 200 if product.published else 404
        assert client.get(f"/p/{product.slug}/").status_code == shown
        assert client.get(f"/api/v1/products/{product.slug}/").status_code == shown
    saved_unchanged(staff)
