"""What a list could be narrowed by, counted once for many requests."""

import pytest

from apps.catalog import browse
from apps.catalog.facets import CategoryFacet, Facets, facets
from tests.factories import CategoryFactory, a_kettle, a_mug, a_product, sold_out_mug

pytestmark = pytest.mark.django_db


def test_facets_count_what_is_listed():
    kitchen = CategoryFactory(name="Kitchen")
    mugs = CategoryFactory(name="Mugs", parent=kitchen)
    CategoryFactory(name="Empty")
    a_mug(category=mugs, price=1800)
    sold_out_mug(category=mugs, price=2000)
    a_kettle(category=kitchen, price=8900)
    a_product("Draft", category=mugs, published=False, price=1)

    everything = facets()

    assert everything == Facets(
        total=3,
        min_price=1800,
        max_price=8900,
        categories=(
            CategoryFacet(slug="kitchen", name="Kitchen", depth=1, count=3),
            CategoryFacet(slug="mugs", name="Mugs", depth=2, count=2),
        ),
    )
    assert (everything.in_category("mugs"), everything.in_category("empty")) == (2, 0)


@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"search": "mug"},
        {"search": "kettel"},
        {"search": "zeppelin"},
        {"category": "mugs"},
        {"category": "no-such-shelf"},
        {"min_price": 1900},
        {"max_price": 1900},
        {"in_stock": True},
        {"in_stock": False},
        {"search": "mug", "category": "mugs", "min_price": 1, "max_price": 2000, "in_stock": True},
    ],
    ids=str,
)
def test_facets_are_those_of_the_list(filters):
    mugs = CategoryFactory(name="Mugs")
    a_mug(category=mugs, price=1800)
    sold_out_mug(category=mugs, price=2000)
    a_kettle(category=CategoryFactory(name="Kettles"), price=8900)

    listed = list(browse.products(**filters))
    for counted in (facets(**filters), facets(**filters)):  # made, and remembered
        assert counted.total == len(listed)
        assert counted.min_price == min((p.price_amount for p in listed), default=None)
        assert counted.max_price == max((p.price_amount for p in listed), default=None)
        assert counted.in_category("mugs") == len([p for p in listed if p.category == mugs])


def test_a_crowd_counts_once(django_assert_num_queries):
    a_mug()
    counted = facets(search="mug")

    with django_assert_num_queries(0):
        assert facets(search="mug") == counted
        assert facets(search="  mug ") == counted
    assert facets(search="zeppelin").total == 0


def test_a_renamed_category_is_counted_again(django_capture_on_commit_callbacks):
    mugs = CategoryFactory(name="Mugs")
    a_mug(category=mugs)
    assert [one.name for one in facets().categories] == ["Mugs"]

    with django_capture_on_commit_callbacks(execute=True):
        mugs.name = "Cups"
        mugs.save()

    assert [one.name for one in facets().categories] == ["Cups"]
