"""A product is public with SKU, price and category, or not at all: at every door."""

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from apps.catalog import browse, publishing, services, specs
from apps.catalog.facets import facets
from apps.catalog.models import Product, Variant
from tests.backoffice.conftest import errors, form_of, messages_of, save, signed_in
from tests.factories import CategoryFactory, ProductFactory, VariantFactory, a_mug, make_clerk

pytestmark = pytest.mark.django_db

LIST = reverse("admin:catalog_product_changelist")


@pytest.fixture
def staff(db: None) -> Client:
    return signed_in(make_clerk())


def page(product: Product) -> str:
    return reverse("admin:catalog_product_change", args=[product.pk])


def public(product: Product) -> bool:
    """Whether a shopper meets it anywhere: its page, its API, a list, a filter, a count."""
    client = Client()
    doors = {
        "page": client.get(f"/p/{product.slug}/").status_code == 200,
        "API": client.get(f"/api/v1/products/{product.slug}/").status_code == 200,
        "API's list": product.slug in client.get("/api/v1/products/").content.decode(),
        "list": browse.products(ordering="price").filter(pk=product.pk).exists(),
        "count": facets(category=product.category.slug).total == 1,
    }
    assert len(set(doors.values())) == 1, doors
    return all(doors.values())


def test_a_product_without_a_variant_is_public_nowhere():
    product = ProductFactory(name="Empty")

    assert product.published
    assert not public(product)


@pytest.mark.parametrize("switched_off_by", ["save", "update", "delete"])
def test_a_product_whose_last_variant_goes_is_public_no_longer(switched_off_by):
    mug = a_mug(stock=None)
    match switched_off_by:
        case "save":
            mug.active = False
            mug.save()
        case "update":
            Variant.objects.update(active=False)
        case "delete":
            mug.delete()

    assert not public(mug.product)


@pytest.mark.parametrize("made_by", ["save", "bulk_create", "update", "move"])
def test_a_product_is_public_once_it_has_a_variant(made_by):
    product = ProductFactory()
    match made_by:
        case "save":
            VariantFactory(product=product)
        case "bulk_create":
            Variant.objects.bulk_create([Variant(product=product, sku="B", price_amount=1)])
        case "update":
            VariantFactory(product=product, active=False)
            Variant.objects.update(active=True)
        case "move":
            VariantFactory()
            Variant.objects.update(product=product)
    product.save()  # an instance that was read before its variant came

    assert public(product)


def test_a_price_of_nothing_is_a_price():
    assert public(a_mug(price=0).product)


def test_the_rule_names_what_is_missing():
    said = publishing.objections(has_category=False, has_offer=False, gift_card=True)

    assert said == (publishing.NO_OFFER, publishing.NO_CATEGORY, publishing.GIFT_CARD)
    assert publishing.objections(has_category=True, has_offer=True, gift_card=False) == ()


def test_what_the_importer_writes_is_published_by_the_same_rule():
    spec = specs.ProductSpec("mug", "Mug", "", "", "Mugs", (), True, (), (), ())

    assert services.save_product(spec).product.published is False


def test_the_database_refuses_a_gift_card_on_sale_and_a_blank_sku():
    mug = a_mug()
    with pytest.raises(IntegrityError), transaction.atomic():
        Product.objects.update(gift_card=True)
    with pytest.raises(IntegrityError), transaction.atomic():
        Variant.objects.filter(pk=mug.pk).update(sku="")


# --- The admin ------------------------------------------------------------------------------------


def test_a_new_product_without_a_variant_is_not_published_and_nothing_typed_is_lost(staff):
    add = reverse("admin:catalog_product_add")
    typed = {"name": "Egg Timer", "slug": "egg-timer", "category": CategoryFactory().pk}

    answer = staff.post(add, {**form_of(staff, add), **typed})

    assert answer.status_code == 200
    shown = answer.content.decode()
    assert "it has no active variant with a SKU and a price" in shown
    assert 'value="Egg Timer"' in shown
    assert not Product.objects.exists()

    answer = staff.post(add, {**form_of(staff, add), **typed, "published": ""})
    assert answer.status_code == 302
    assert not Product.objects.get().published


def test_the_last_variant_of_a_published_product_is_not_switched_off(staff):
    mug = a_mug()

    answer = save(staff, page(mug.product), **{"variants-0-active": ""})

    assert answer.status_code == 200 and not errors(answer).get("variants-0-active")
    assert "cannot be published" in answer.content.decode()
    mug.refresh_from_db()
    assert mug.active


def test_a_variant_on_another_page_of_the_form_counts(staff):
    product = ProductFactory()
    for _ in range(21):
        VariantFactory(product=product)
    url = f"{page(product)}?variants-page=2"

    assert staff.post(url, {**form_of(staff, url), "variants-0-active": ""}).status_code == 302


def test_publishing_several_names_those_that_cannot_be(staff):
    mug = a_mug(published=False)
    empty = ProductFactory(name="Empty", published=False)
    card = a_mug(published=False, gift_card=True).product
    chosen = [mug.product_id, empty.pk, card.pk]

    answer = staff.post(LIST, {"action": "publish", "_selected_action": chosen})

    assert [p.pk for p in Product.objects.filter(published=True)] == [mug.product_id]
    said = " ".join(messages_of(answer))
    assert "Empty is not published: it has no active variant" in said
    assert "gift cards are not sold here" in said
    assert "1 products published" in said


def test_a_gift_card_is_not_published_by_its_form(staff):
    card = a_mug(published=False, gift_card=True).product

    answer = save(staff, page(card), published="on")

    assert "gift cards are not sold here" in answer.content.decode()


def test_an_unlisted_product_is_made_in_the_admin(staff):
    mug = a_mug()

    save(staff, page(mug.product), listed="")

    assert browse.product_detail(mug.product.slug) is not None
    assert not browse.products().exists()


@pytest.mark.parametrize("sku", ["KT/12 #5%", "'0081", "\u200bKT-1"])
def test_a_sku_is_cleaned_by_the_importers_rules(staff, sku):
    mug = a_mug()
    new = {
        "variants-TOTAL_FORMS": 2, "variants-1-sku": sku, "variants-1-price_amount": "9",
        "variants-1-weight_grams": 1, "variants-1-position": 1, "variants-1-active": "on",
    }  # fmt: skip

    answer = save(staff, page(mug.product), **new)

    assert answer.status_code == 302, errors(answer)
    made = Variant.objects.exclude(pk=mug.pk).get()
    assert made.sku == sku.strip("'\u200b")
    assert made.inventory_policy == Variant.InventoryPolicy.DENY


def test_an_address_that_differs_only_in_case_is_taken(staff):
    a_mug(slug="Mug")
    other = a_mug(slug="other").product

    answer = save(staff, page(other), slug="mug")

    assert list(errors(answer)) == ["slug"]
