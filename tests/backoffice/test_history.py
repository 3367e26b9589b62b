"""The history of a record: each field's old and new value, and who changed it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django import forms
from django.test import Client
from django.urls import reverse

from apps.backoffice.old_and_new import shown
from apps.catalog.models import Category, Product
from tests.backoffice.conftest import an_order, do, log, order_page, save
from tests.factories import PromoFactory, TaxRateFactory, WarehouseFactory, a_mug

pytestmark = pytest.mark.django_db

CLERK = "clerk@kettleandpine.example"


def page(record: Any, name: str = "change") -> str:
    meta = record._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_{name}", args=[record.pk])


def saved(staff: Client, record: Any, **changed: Any) -> str:
    """Save the record's form with these entries changed; the history's newest text."""
    answer = save(staff, page(record), **changed)
    assert answer.status_code == 302, answer.context and answer.context["errors"]
    who, text = log()[-1]
    assert who == CLERK
    assert text.split(".")[0][:20] in staff.get(page(record, "history")).content.decode()
    return text


def test_product_says_old_and_new(staff: Client) -> None:
    mug = a_mug().product
    other = Category.add_root(name="Kettles", slug="kettles-2")
    old = str(mug.category)

    text = saved(staff, mug, vendor="Larch & Co", featured="on", category=other.pk)

    assert f"Category: {old} → {other}" in text
    assert "Vendor: Kettle & Pine → Larch & Co" in text
    assert "Featured: no → yes" in text


def test_variants_price_is_an_amount_in_its_products_history(staff: Client) -> None:
    mug = a_mug(price=1800, sku="MUG-1")

    text = saved(staff, mug.product, **{"variants-0-price_amount": "19.50"})

    assert "Price: 18.00 → 19.50" in text


def test_new_variant_and_a_change_stand_side_by_side(staff: Client) -> None:
    mug = a_mug(price=1800, sku="MUG-1")
    text = saved(
        staff,
        mug.product,
        **{
            "variants-TOTAL_FORMS": "2", "variants-1-sku": "MUG-2",
            "variants-1-price_amount": "20.00", "variants-0-price_amount": "19.50",
            "variants-1-product": mug.product_id, "variants-1-position": "1",
            "variants-1-weight_grams": "0", "name": "Tall mug",
        },
    )  # fmt: skip
    assert "→ Tall mug" in text and "Price: 18.00 → 19.50" in text and "Added variant" in text


def test_promo_says_old_and_new(staff: Client) -> None:
    text = saved(staff, PromoFactory(percent_bp=1000, total_limit=5), total_limit="7")
    assert "5 → 7" in text


def test_rate_and_warehouse_say_old_and_new(staff: Client) -> None:
    assert "Old barn → New barn" in saved(staff, WarehouseFactory(name="Old barn"), name="New barn")
    rate = TaxRateFactory(name="Sales tax")
    assert "Sales tax → VAT" in saved(staff, rate, name="VAT")


def test_unchanged_form_says_that_nothing_was_changed(staff: Client) -> None:
    mug = a_mug().product
    assert saved(staff, mug) == "No fields changed."


def test_publishing_a_selection_says_old_and_new(staff: Client) -> None:
    mug = a_mug().product
    Product.objects.filter(pk=mug.pk).update(published=False)
    staff.post(
        reverse("admin:catalog_product_changelist"),
        {"action": "publish", "_selected_action": [mug.pk]},
    )
    assert log()[-1][1].endswith("Published: no → yes.")


def test_action_on_an_order_says_from_which_status_to_which(staff: Client) -> None:
    order = an_order()
    do(staff, order_page(order, "hand-over"))
    assert log() == [(CLERK, "Handed to the carrier. Status: Confirmed → Shipped.")]
    assert "Confirmed → Shipped" in staff.get(order_page(order)).content.decode()


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        (forms.CharField(), None, "–"),
        (forms.CharField(), "", "–"),
        (forms.CharField(), "a  b\nc", "a b c"),
        (forms.CharField(), "x" * 200, "x" * 120 + "…"),
        (forms.IntegerField(), 0, "0"),
        (forms.BooleanField(), False, "no"),
        (forms.ChoiceField(choices=[("a", "Apple")]), "a", "Apple"),
        (forms.ChoiceField(choices=[("Fruit", [("a", "Apple")])]), "a", "Apple"),
        (forms.DateTimeField(), datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "2026-01-02 03:04"),
        (forms.JSONField(), {}, "–"),
    ],
)
def test_value_is_shown_as_people_read_it(field: forms.Field, value: Any, text: str) -> None:
    assert shown(field, value) == text
