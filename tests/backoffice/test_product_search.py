"""Staff search products as shoppers do, and also find what the shop does not show."""

import pytest
from django.test import Client
from django.urls import reverse

from apps.catalog.models import Product, Variant
from tests.factories import a_kettle, a_product

pytestmark = pytest.mark.django_db

LIST = reverse("admin:catalog_product_changelist")


def found(staff: Client, typed: str) -> list[str]:
    return [product.name for product in staff.get(LIST, {"q": typed}).context["cl"].result_list]


@pytest.fixture
def shelf() -> None:
    a_product("Teekännchen", sku="TK-0815", vendor="Höganäs")
    a_product("Pour-over Stand", sku="PO-1")
    draft = a_product("Winter Blanket", sku="BL-77", published=False)
    Variant.objects.filter(pk=draft.pk).update(barcode="4006381333931", active=False)
    hidden = a_product("Santa Mug", sku="SM-2")
    Product.objects.filter(pk=hidden.product_id).update(listed=False)
    a_kettle()


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("teekannchen", "Teekännchen"),
        ("TEEKAENNCHEN", "Teekännchen"),
        ("kännchen", "Teekännchen"),
        ("hoganas", "Teekännchen"),
        ("tk-08", "Teekännchen"),
        ("pourover", "Pour-over Stand"),
        ("po-1", "Pour-over Stand"),
        ("winter", "Winter Blanket"),  # a draft
        ("bl-7", "Winter Blanket"),  # the SKU of a variant that is switched off
        ("4 006381 333931", "Winter Blanket"),
        ("400638", "Winter Blanket"),
        ("mugs", "Santa Mug"),  # not listed
        ("ketle", "Gooseneck Kettle"),  # misspelt
        ("gooseneck-kettle-", "Gooseneck Kettle"),  # the beginning of its address
    ],
)
def test_products_are_found_in_every_spelling(
    staff: Client, shelf: None, typed: str, name: str
) -> None:
    assert found(staff, typed) == [name]


@pytest.mark.parametrize("typed", ["", "   ", "\u200b"])
def test_nothing_to_look_for_shows_all(staff: Client, shelf: None, typed: str) -> None:
    assert len(found(staff, typed)) == 5


@pytest.mark.parametrize("typed", ["zeppelin", "' OR 1=1 --", '"', "\x00", "%", "x" * 5000])
def test_what_no_product_has_finds_nothing_and_is_no_error(
    staff: Client, shelf: None, typed: str
) -> None:
    assert len(found(staff, typed)) in (0, 5)


def test_choice_of_a_promos_products_is_searched_alike(staff: Client, shelf: None) -> None:
    answer = staff.get(
        reverse("admin:autocomplete"),
        {
            "term": "teekannchen",
            "app_label": "promos",
            "model_name": "promo",
            "field_name": "products",
        },
    )

    assert [each["text"] for each in answer.json()["results"]] == ["Teekännchen"]
