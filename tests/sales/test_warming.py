"""Before a sale its pages are in the cache; the first visitor of the crowd does not fill them."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.catalog import browse
from apps.sales.tasks import warm_pages
from tests.factories import a_flash_sale, a_mug

pytestmark = pytest.mark.django_db


def test_pages_of_an_open_sale_are_filled_before_anybody_looks() -> None:
    mug = a_mug()
    a_flash_sale(mug)

    assert warm_pages() == 1

    with CaptureQueriesContext(connection) as asked:
        assert browse.product_detail(mug.product.slug) is not None
    assert len(asked) == 0


def test_sale_whose_doors_are_shut_warms_nothing() -> None:
    later = timezone.now() + timedelta(hours=1)
    a_flash_sale(a_mug(), doors_at=later, starts_at=later, ends_at=later + timedelta(hours=1))

    assert warm_pages() == 0


def test_each_product_is_warmed_once_however_many_of_its_skus_are_on_sale() -> None:
    mug = a_mug()
    other = mug.product.variants.create(sku="MUG-MOSS", price_amount=1800)
    a_flash_sale(mug, other)

    assert warm_pages() == 1
