"""What a cart shows of its goods: price and stock, as the catalog and the inventory say each."""

import pytest

from apps.cart import goods
from apps.catalog import prices
from apps.inventory import stock
from tests.factories import a_kettle, a_mug, held_mug, sold_out_mug

pytestmark = pytest.mark.django_db


def test_goods_are_what_catalog_and_inventory_say() -> None:
    skus = [each.sku for each in (a_mug(stock=3), a_kettle(), held_mug(stock=2), sold_out_mug())]

    found = goods.of([*skus, "NO-SUCH"])

    assert found.offers == prices.offers(skus)
    assert found.levels == stock.levels(skus)
    assert found.cover([*skus, "NO-SUCH"])
    assert not found.cover(["ANOTHER"])


def test_texts_that_are_no_sku_are_asked_for_and_not_sold() -> None:
    found = goods.of(["a\x00b", "\ud800"])

    assert (found.offers, found.levels) == ({}, {})
    assert found.cover(["a\x00b"])


def test_price_and_stock_are_one_query(django_assert_num_queries) -> None:
    mug = a_mug()

    with django_assert_num_queries(1):
        goods.of([mug.sku])
    with django_assert_num_queries(0):
        goods.of([])
