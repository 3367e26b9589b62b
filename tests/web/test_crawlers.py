"""What programs ask for: robots.txt, the sitemap with its index, favicon.ico."""

from xml.etree import ElementTree

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client

from apps.catalog.models import Product
from apps.web.views import crawlers
from tests.factories import CategoryFactory, a_mug

pytestmark = pytest.mark.django_db


def body(answer: HttpResponse) -> str:
    return b"".join(answer).decode()


def addresses(answer: HttpResponse) -> list[str]:
    assert answer.status_code == 200
    root = ElementTree.fromstring(body(answer))
    return [
        str(found.text) for found in root.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")
    ]


def test_robots_keep_out_of_what_is_personal_and_find_the_sitemap(client: Client) -> None:
    text = body(client.get("/robots.txt"))

    assert "Disallow: /checkout/" in text
    assert "Disallow: /p/" not in text
    assert "/sitemap.xml" in text


def test_favicon_is_an_icon(client: Client) -> None:
    answer = client.get("/favicon.ico")

    assert answer["Content-Type"] == "image/x-icon"
    assert b"".join(answer)[:4] == b"\x00\x00\x01\x00"


def test_sitemap_lists_published_products_and_categories(client: Client, settings: object) -> None:
    mug, hidden = a_mug(), a_mug()
    Product.objects.filter(pk=hidden.product_id).update(published=False)
    shelf = CategoryFactory(name="Late Shelf")

    files = addresses(client.get("/sitemap.xml"))
    found = [
        place
        for file in files
        for place in addresses(client.get(file.replace("http://127.0.0.1:8000", "")))
    ]

    assert any(place.endswith(f"/p/{mug.product.slug}/") for place in found)
    assert any(place.endswith(f"/c/{shelf.slug}/") for place in found)
    assert not any(hidden.product.slug in place for place in found)


def test_index_has_a_file_for_every_part(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crawlers, "PRODUCTS_A_FILE", 2)
    slugs = [a_mug().product.slug for _ in range(5)]

    assert len(addresses(client.get("/sitemap.xml"))) == 1 + 3
    parts = [addresses(client.get(f"/sitemap-products-{part}.xml")) for part in (1, 2, 3)]
    assert [len(part) for part in parts] == [2, 2, 1]
    assert {place.split("/p/")[1].strip("/") for part in parts for place in part} == set(slugs)
    for absent in (0, 4, 10**15):
        assert client.get(f"/sitemap-products-{absent}.xml").status_code == 404


def test_second_request_is_answered_from_the_cache(
    client: Client, django_assert_num_queries: object
) -> None:
    a_mug()
    first = body(client.get("/sitemap-products-1.xml"))
    assert cache.get("web:sitemap:products-1")

    a_mug()

    assert body(client.get("/sitemap-products-1.xml")) == first


def test_lost_page_has_a_search(client: Client) -> None:
    answer = client.get("/p/nothing-of-the-kind/")

    assert answer.status_code == 404
    assert 'action="/search/"' in answer.content.decode()
