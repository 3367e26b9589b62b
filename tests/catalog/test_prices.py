"""Offers: what the checkout charges."""

import pytest

from apps.catalog import prices
from apps.catalog.models import Product, Variant
from apps.core import sql
from tests.factories import (
    CategoryFactory,
    ProductFactory,
    ProductImageFactory,
    VariantFactory,
    a_mug,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def questions(monkeypatch):
    """The statements put to PostgreSQL; prepared ones pass Django's own count by."""
    asked = []
    fetch = sql.fetch

    def counted(statement, parameters):
        asked.append(statement)
        return fetch(statement, parameters)

    monkeypatch.setattr(sql, "fetch", counted)
    return asked


def test_an_offer_has_all_that_a_quote_needs(questions):
    kitchen = CategoryFactory(name="Kitchen")
    mugs = CategoryFactory(name="Mugs", parent=kitchen)
    product = ProductFactory(name="Mug", slug="mug", category=mugs)
    moss = VariantFactory(product=product, name="Large / Moss", sku="MUG-L", price_amount=2100)
    plain = VariantFactory(product=product, sku="MUG", price_amount=1800, requires_shipping=False)
    ProductImageFactory(product=product, path="/static/moss.svg", variant=moss, position=0)
    ProductImageFactory(product=product, path="/static/mug.svg", position=1)

    offers = prices.offers(sku for sku in ("MUG-L", "MUG", "MUG", "NO-SUCH"))

    assert len(questions) == 1
    assert offers == {
        "MUG-L": prices.Offer(
            sku="MUG-L",
            variant_id=moss.pk,
            product_id=product.pk,
            product_slug="mug",
            category_path=mugs.path,
            name="Mug · Large / Moss",
            unit_amount=2100,
            currency="USD",
            weight_grams=350,
            taxable=True,
            requires_shipping=True,
            image="/static/moss.svg",
        ),
        "MUG": prices.Offer(
            sku="MUG",
            variant_id=plain.pk,
            product_id=product.pk,
            product_slug="mug",
            category_path=mugs.path,
            name="Mug",
            unit_amount=1800,
            currency="USD",
            weight_grams=350,
            taxable=True,
            requires_shipping=False,
            image="/static/mug.svg",
        ),
    }


def test_what_is_not_sold_has_no_offer():
    draft, retired = a_mug(), a_mug()
    Product.objects.filter(pk=draft.product_id).update(published=False)
    Variant.objects.filter(pk=retired.pk).update(active=False)

    assert prices.offers([draft.sku, retired.sku]) == {}


def test_no_question_is_no_query(questions):
    assert prices.offers([]) == {}
    assert questions == []


@pytest.mark.parametrize("sku", ["\x00", "a\x00b", "\ud800", "", "'; --", "x" * 10_000])
def test_hostile_skus_are_only_unknown(sku):
    assert prices.offers([sku]) == {}
