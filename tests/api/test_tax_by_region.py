"""Sales tax is not avoided by spelling: a region that decides it is known, or refused."""

from collections.abc import Callable
from typing import Any

import pytest

from apps.catalog.models import Variant
from apps.orders.models import Order
from tests.api.conftest import Api, problem
from tests.factories import ADDRESS, a_mug, a_sales_tax

SAN_FRANCISCO = ADDRESS | {"city": "San Francisco", "region": "CA", "postal_code": "94105"}
Body = Callable[..., dict[str, Any]]


@pytest.fixture
def kettle(shop: None) -> Variant:
    """89.00, on which 7.25 % are 6.45."""
    a_sales_tax(rate_bp=725, region="CA")
    return a_mug(stock=50, price=8900, sku="KETTLE")


def order_to(api: Api, kettle: Variant, buy: Body, **address: str) -> Any:
    lines = [{"sku": kettle.sku, "quantity": 1}]
    return api.checkout(buy(lines=lines, shipping_address=SAN_FRANCISCO | address))


@pytest.mark.parametrize(
    "typed",
    ["CA", "Cali", "CA 94105", "State of California", "ＣＡ", "Ｃａｌｉｆｏｒｎｉａ", "Calif.",
     "California (CA)", "us-ca", "\u202aCA\u202c"],
)  # fmt: skip
def test_every_spelling_of_a_state_pays_its_tax(
    api: Api, kettle: Variant, buy: Body, typed: str
) -> None:
    answer = order_to(api, kettle, buy, region=typed)

    assert answer.status_code == 202, answer.content
    order = Order.objects.get()
    assert order.tax_amount == 645
    assert order.shipping_address["region"] == "CA"


@pytest.mark.parametrize("typed", ["Californa", "XX", "CА", "СА", "California (NY)"])
def test_unknown_state_is_refused(api: Api, kettle: Variant, buy: Body, typed: str) -> None:
    document = problem(order_to(api, kettle, buy, region=typed), 400, "region_unknown")

    (error,) = document["errors"]
    assert (error["field"], error["code"]) == ("shipping_address.region", "region_unknown")
    assert not Order.objects.exists()


def test_state_that_its_zip_code_contradicts_is_refused(
    api: Api, kettle: Variant, buy: Body
) -> None:
    document = problem(order_to(api, kettle, buy, region="OR"), 400, "invalid")

    (error,) = document["errors"]
    assert error["field"] == "shipping_address.postal_code"
    assert "California" in error["message"]
    assert not Order.objects.exists()


def test_unknown_state_beside_other_errors_is_one_of_them(
    api: Api, kettle: Variant, buy: Body
) -> None:
    document = problem(order_to(api, kettle, buy, region="XX", name=""), 400, "invalid")

    assert [error["code"] for error in document["errors"]] == ["required", "region_unknown"]


def test_unknown_state_is_refused_in_the_address_book(api: Api, alice: Any) -> None:
    api.as_user(alice)
    document = problem(
        api.post("/me/addresses/", ADDRESS | {"region": "XX"}), 400, "region_unknown"
    )
    assert document["errors"][0]["field"] == "region"

    kept = api.post("/me/addresses/", ADDRESS | {"region": "Ore."}).json()
    assert kept["region"] == "OR"


def test_billing_address_is_checked_alike(api: Api, kettle: Variant, buy: Body) -> None:
    lines = [{"sku": kettle.sku, "quantity": 1}]
    body = buy(lines=lines, billing_address=SAN_FRANCISCO | {"region": "Californa"})

    document = problem(api.checkout(body), 400, "region_unknown")
    assert document["errors"][0]["field"] == "billing_address.region"
