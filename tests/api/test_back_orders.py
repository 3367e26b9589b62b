"""The API sells what goes on selling, and says what of it ships later."""

import pytest

from tests.api.conftest import held, problem
from tests.factories import a_kettle, a_mug

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("policy", "units", "available", "availability"),
    [
        *[("continue", 0, 1_000_000, "backorder"), ("continue", 1, 1_000_000, "in_stock")],
        *[("untracked", 0, 1_000_000, "in_stock"), ("deny", 0, 0, "out_of_stock")],
        ("deny", 4, 4, "in_stock"),
    ],
)
def test_variant_says_how_it_is_to_be_had(api, policy, units, available, availability):
    mug = a_mug(stock=units, inventory_policy=policy)

    document = api.get(f"/products/{mug.product.slug}/").json()

    (variant,) = document["variants"]
    assert (variant["available"], variant["availability"]) == (available, availability)
    assert document["in_stock"] is (available > 0)


@pytest.mark.parametrize("policy", ["continue", "untracked"])
def test_what_sells_on_is_in_the_list_of_what_can_be_bought(api, policy):
    mug = a_mug(stock=0, inventory_policy=policy)
    a_kettle(stock=0)

    found = api.get("/products/", {"in_stock": "true"}).json()["results"]
    others = api.get("/products/", {"in_stock": "false"}).json()["results"]

    assert [(p["slug"], p["in_stock"]) for p in found] == [(mug.product.slug, True)]
    assert [p["name"] for p in others] == ["Gooseneck Kettle"]


def test_cart_takes_more_than_there_is_and_says_what_ships_later(api):
    mug, kettle = a_mug(stock=2, inventory_policy="continue"), a_kettle(stock=2)
    cart = f"/carts/{api.new_cart()['id']}/"

    document = api.put(f"{cart}lines/{mug.sku}/", {"quantity": 5}).json()

    (line,) = document["lines"]
    assert (line["quantity"], line["available"], line["back_ordered"]) == (5, 1_000_000, 3)
    assert document["problems"] == []
    short = api.put(f"{cart}lines/{kettle.sku}/", {"quantity": 3})
    assert problem(short, 409, "insufficient_stock")["available"] == 2


@pytest.mark.parametrize("policy", ["continue", "untracked"])
def test_checkout_accepts_more_than_there_is(api, shop, buy, policy):
    mug = a_mug(stock=1, inventory_policy=policy)

    answer = api.checkout(buy(lines=[{"sku": mug.sku, "quantity": 4}]))

    assert answer.status_code == 202, answer.content
    assert held(mug) == 4


def test_checkout_of_what_is_sold_out_by_its_count_is_refused_as_ever(api, shop, buy):
    mug, kettle = a_mug(stock=0, inventory_policy="continue"), a_kettle(stock=1)
    lines = [{"sku": mug.sku, "quantity": 4}, {"sku": kettle.sku, "quantity": 2}]

    errors = problem(api.checkout(buy(lines=lines)), 409, "out_of_stock")["errors"]

    assert [(error["field"], error["available"]) for error in errors] == [(kettle.sku, 1)]
    assert (held(mug), held(kettle)) == (0, 0)
