"""The file that the admin exports for an import: read again, it changes nothing."""

import pytest
from django.urls import reverse

from apps.catalog.models import Category, Product, Variant
from tests.backoffice.conftest import signed_in
from tests.catalog.product_files import COLUMNS, MUG, PAN, a_file, everything, load
from tests.factories import CategoryFactory, ProductFactory, a_mug, make_clerk

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_network")]

WIDE = (*COLUMNS, "Variant Inventory Policy", "Variant Inventory Tracker", "Gift Card")
ROWS = (
    {**MUG, "Body (HTML)": "<p>Round.</p>", "Vendor": "=Kiln", "Tags": "-masala, clay",
     "Option1 Name": "Size", "Option1 Value": "Small, 6 oz", "Variant SKU": "-1", "Status": "",
     "Variant Inventory Policy": "continue", "Variant Inventory Tracker": "shopify",
     "Variant Compare At Price": "25", "Variant Barcode": "'0012", "Variant Grams": "350",
     "Image Src": "https://x.example/1.jpg", "Image Alt Text": "From above"},
    {"Handle": "mug", "Option1 Value": "Large", "Variant Price": "20", "Variant Taxable": "FALSE",
     "Variant Inventory Policy": "deny", "Variant Requires Shipping": "FALSE",
     "Variant Image": "https://x.example/2.jpg"},
    {"Handle": "mug", "Image Src": "https://x.example/3.jpg"},
    {"Handle": "mug", "Image Src": "https://x.example/4.jpg"},
    {**PAN, "Status": "unlisted"},
    {**PAN, "Handle": "card", "Variant SKU": "C-1", "Gift Card": "TRUE"},
    {**PAN, "Handle": "draft", "Variant SKU": "D-1", "Status": "draft"},
)  # fmt: skip


def exported() -> bytes:
    staff = signed_in(make_clerk())
    chosen = list(Product.objects.values_list("pk", flat=True))
    answer = staff.post(
        reverse("admin:catalog_product_changelist"),
        {"action": "export_file", "_selected_action": chosen},
    )
    return b"".join(answer.streaming_content)


def test_an_exported_file_imported_again_changes_nothing():
    assert load(a_file(*ROWS, columns=WIDE)).skipped == []
    before = everything()
    policies = dict(Variant.objects.values_list("sku", "inventory_policy"))
    assert sorted(policies.values()) == ["continue", "deny", "deny", "deny", "untracked"]

    report = load(exported())

    assert (len(report.unchanged), report.updated, report.skipped) == (4, [], [])
    assert everything() == before


def test_what_has_no_active_variant_is_left_out_and_equal_category_names_stay_apart():
    upper = CategoryFactory(name="Cups", slug="cups-a")
    lower = CategoryFactory(name="Cups", slug="cups-b", parent=CategoryFactory(name="Table"))
    ProductFactory(slug="empty", category=upper)
    mug = a_mug(slug="mug", category=lower)

    report = load(exported())

    assert [entry.handle for entry in report.unchanged] == ["mug"]
    mug.product.refresh_from_db()
    assert mug.product.category == lower
    assert Category.objects.count() == 3
