"""A product that is not listed: whoever has its address may buy it; nothing leads there."""

from dataclasses import asdict
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from apps.catalog import browse
from apps.catalog.browse import ProductDetail
from apps.catalog.models import Product
from tests.factories import a_mug, a_product

pytestmark = pytest.mark.django_db

NOINDEX = '<meta name="robots" content="noindex">'


@pytest.fixture
def gift() -> Product:
    """Featured and scarce, so that every list of the shop would like to show it."""
    cache.clear()
    gift = a_product("Secret Santa Mug", stock=1).product
    Product.objects.filter(pk=gift.pk).update(listed=False, featured=True)
    return gift


def test_its_page_asks_search_engines_to_leave_it_out(client: Client, gift: Product) -> None:
    for _ in ("rendered", "from the cache"):
        answer = client.get(f"/p/{gift.slug}/")
        assert answer.status_code == 200
        assert NOINDEX in answer.content.decode()


def test_page_of_a_listed_product_does_not(client: Client) -> None:
    mug = a_mug()

    assert "noindex" not in client.get(f"/p/{mug.product.slug}/").content.decode()


def test_page_says_so_as_soon_as_the_product_is_unlisted(
    client: Client, django_capture_on_commit_callbacks: Any
) -> None:
    product = a_mug().product
    client.get(f"/p/{product.slug}/")

    with django_capture_on_commit_callbacks(execute=True):
        product.listed = False
        product.save()

    assert NOINDEX in client.get(f"/p/{product.slug}/").content.decode()


@pytest.mark.parametrize(
    "address",
    [
        "/",
        "/search/?q=santa",
        "/search/?q=mug",
        "/search/?q={sku}",
        "/c/{category}/",
        "/p/{neighbour}/",
        "/sitemap-products-1.xml",
        "/api/v1/products/",
        "/api/v1/products/?search=santa",
        "/api/v1/products/?category={category}",
    ],
)
def test_nothing_leads_to_it(client: Client, gift: Product, address: str) -> None:
    neighbour = a_product("Plain Mug", category=gift.category).product
    variant = gift.variants.get()
    path = address.format(sku=variant.sku, category=gift.category.slug, neighbour=neighbour.slug)

    answer = client.get(path)

    assert answer.status_code == 200
    assert gift.slug not in b"".join(answer).decode()


def test_pages_kept_by_another_release_are_read(gift: Product) -> None:
    detail = browse.product_detail(gift.slug)
    assert detail is not None
    kept = asdict(detail)
    older = {name: value for name, value in kept.items() if name != "listed"}

    assert ProductDetail.from_json(older).listed
    assert not ProductDetail.from_json({**kept, "added_later": 1}).listed
