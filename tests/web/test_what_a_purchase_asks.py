"""What the pages of a purchase ask of the database, and what they write into the session."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.catalog.models import Variant
from tests.web.conftest import Visitor


def asked_for(visitor: Visitor, path: str) -> list[str]:
    with CaptureQueriesContext(connection) as asked:
        assert visitor.get(path).status_code == 200
    return [each["sql"] for each in asked]


@pytest.fixture
def shopper(visitor: Visitor, mug: Variant) -> Visitor:
    """With a mug in the cart, and nothing left to be told."""
    visitor.add(mug)
    visitor.get("/cart/")
    return visitor


def test_page_that_changes_nothing_writes_no_session(shopper: Visitor, mug: Variant) -> None:
    for path in ("/", f"/p/{mug.product.slug}/", "/cart/", "/checkout/"):
        assert not [sql for sql in asked_for(shopper, path) if "django_session" in sql], path


def test_checkout_reads_its_goods_once_for_all_that_it_quotes(shopper: Visitor) -> None:
    """However many ways there are to ship."""
    asked = asked_for(shopper, "/checkout/")

    assert len([sql for sql in asked if "FROM catalog_variant v" in sql]) == 1


def test_address_is_written_into_the_session_by_one_statement(shopper: Visitor) -> None:
    form = shopper.checkout_form()

    with CaptureQueriesContext(connection) as asked:
        shopper.post("/checkout/", form | {"refresh": "delivery"})

    assert len([each for each in asked if "django_session" in each["sql"]]) == 1


def test_same_address_again_is_not_written(shopper: Visitor) -> None:
    form = shopper.checkout_form() | {"refresh": "delivery"}
    shopper.post("/checkout/", form)

    with CaptureQueriesContext(connection) as asked:
        shopper.post("/checkout/", form)

    assert not [each for each in asked if "django_session" in each["sql"]]
