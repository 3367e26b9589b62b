"""Codes that are used and totals that are too small are refused alike on both ways."""

from typing import Any

import pytest

from apps.orders.models import Order
from tests.factories import PromoFactory, RedemptionFactory, a_product
from tests.fastpath.checkouts import both, request
from tests.fastpath.wsgi_client import Behind

pytestmark = pytest.mark.usefixtures("open_shop")


def test_used_code_is_the_same(behind: Behind, body: dict[str, Any]) -> None:
    promo = PromoFactory(code="WELCOME", customer_limit=1)
    RedemptionFactory(promo=promo, customer_key="alice@example.com", paid=True)

    quick, slow = both(behind, lambda key: request(body | {"promo_code": "WELCOME"}, key=key))

    assert quick == slow
    assert (quick[0], quick[2]["code"]) == ("409 Conflict", "promo_used")
    assert not Order.objects.exists()


def test_total_below_the_minimum_is_the_same(behind: Behind, body: dict[str, Any]) -> None:
    cheap = a_product("Download", price=30, requires_shipping=False)
    body["lines"] = [{"sku": cheap.sku, "quantity": 1}]

    quick, slow = both(behind, lambda key: request(body, key=key))

    assert quick == slow
    assert (quick[0], quick[2]["code"]) == ("409 Conflict", "below_minimum")
    assert quick[2]["minimum"] == {"amount": "0.50", "currency": "USD"}
    assert not Order.objects.exists()
