"""import_catalog: a file that was imported before and has changed since."""

import pytest

from apps.catalog import pictures
from apps.catalog.models import Product, ProductImage, Variant
from apps.inventory.models import StockItem
from tests.catalog.product_files import MUG, PAN, a_file, handles, load

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_network")]


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


def test_staffs_own_pictures_and_other_products_stay():
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
        return {url: pictures.Fetched("/media/catalog/mug.jpg") for url in urls}

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
