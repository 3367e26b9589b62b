"""The pages of an open sale are in the cache before the first shopper opens them."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.catalog import browse
from apps.flash_sales.tasks import warm_pages
from tests.factories import a_flash_sale, a_mug

pytestmark = pytest.mark.django_db


def test_pages_of_an_open_sale_are_cached_in_advance() -> None:
    mug = a_mug()
    a_flash_sale(mug)

    assert warm_pages() == 1

    with CaptureQueriesContext(connection) as queries:
        assert browse.product_detail(mug.product.slug) is not None
    assert len(queries) == 0


def test_sale_whose_queue_is_closed_warms_nothing() -> None:
    later = timezone.now() + timedelta(hours=1)
    a_flash_sale(a_mug(), queue_opens_at=later, starts_at=later, ends_at=later + timedelta(hours=1))

    assert warm_pages() == 0


def test_each_product_is_warmed_once_however_many_of_its_skus_are_on_sale() -> None:
    mug = a_mug()
    other = mug.product.variants.create(sku="MUG-MOSS", price_amount=1800)
    a_flash_sale(mug, other)

    assert warm_pages() == 1
