"""The API says for what it shows, when nothing has what was asked for."""

import pytest

from tests.factories import a_kettle, a_mug

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("query", "shown_for", "number"),
    [
        ({}, None, 2),
        ({"search": "kettle"}, None, 1),
        ({"search": "ketle"}, "kettle", 1),
        ({"search": "ketle", "ordering": "price"}, "kettle", 1),
        ({"search": "red kettle"}, "kettle", 1),
        ({"search": "zeppelin"}, None, 0),
    ],
    ids=str,
)
def test_page_says_for_what_it_is_shown(api, query, shown_for, number):
    a_kettle()
    a_mug()

    page = api.get("/products/", query).json()

    assert page["shown_for"] == shown_for
    assert len(page["results"]) == number


def test_article_number_finds_its_product(api):
    mug = a_mug(sku="KP-4711/b")
    a_kettle()

    for typed in ("KP-4711/b", "kp-4711/B", "kp-47"):
        (found,) = api.get("/products/", {"search": typed}).json()["results"]
        assert found["id"] == mug.product_id
