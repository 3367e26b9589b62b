"""The checkout and the order's page speak of no delivery where nothing is delivered."""

import json
import re

import pytest

from apps.catalog.models import Variant
from apps.orders.models import Order
from tests.api.conftest import Api
from tests.factories import PromoFactory, a_mug
from tests.web.conftest import Visitor, form_of


@pytest.fixture
def voucher(shop: None) -> Variant:
    return a_mug(stock=5, price=5000, sku="VOUCHER", requires_shipping=False)


def test_checkout_asks_nothing_about_delivery(visitor: Visitor, voucher: Variant) -> None:
    visitor.add(voucher)
    page = visitor.get("/checkout/")
    assert "nothing of this is shipped" in page.content.decode()
    assert "shipping_method" not in form_of(page, "/checkout/")

    placed = visitor.post("/checkout/", visitor.checkout_form())

    assert placed.status_code == 302
    assert Order.objects.get().shipping_method == ""
    shown = visitor.get(placed.url).content.decode()
    for word in ("Packing", "packing", "On its way", "Delivery", "Parcel", "Expected"):
        assert word not in shown, word


def test_script_of_the_page_has_the_words_of_such_an_order(
    visitor: Visitor, voucher: Variant
) -> None:
    page = visitor.get(visitor.buy(voucher).url).content.decode()
    display = json.loads(re.search(r'id="status-display"[^>]*>(.*?)</script>', page)[1])
    assert display["CONFIRMED"] == {
        "label": "It is yours.", "stages": ["done", "done", "done"],
    }  # fmt: skip
    assert len(re.findall("data-stage=", page)) == 3


def test_cart_has_no_ways_to_ship_and_takes_no_code_for_it(voucher: Variant) -> None:
    PromoFactory(code="SHIP", free_shipping=True)
    api = Api()
    cart = api.new_cart()["id"]
    api.put(f"/carts/{cart}/lines/{voucher.sku}/", {"quantity": 1})

    assert api.get(f"/carts/{cart}/shipping-methods/", {"country": "US"}).json() == []
    refused = api.put(f"/carts/{cart}/promo/", {"code": "SHIP"})
    assert (refused.status_code, refused.json()["code"]) == (400, "promo_not_applicable")
