"""The shop of the shortcuts' tests: as of the orders', payments' and API's tests; and one body."""

from typing import Any

import pytest

from apps.catalog.models import Variant
from tests.factories import ADDRESS, a_mug
from tests.fastpath.wsgi_client import Behind
from tests.orders.checkouts import open_shop
from tests.orders.purchases import committed_database, shop
from tests.payments.conftest import sandbox, sandbox_process

__all__ = ["committed_database", "open_shop", "sandbox", "sandbox_process", "shop"]


@pytest.fixture
def behind() -> Behind:
    return Behind()


@pytest.fixture
def mug(open_shop: None) -> Variant:
    return a_mug(stock=100)


@pytest.fixture
def body(mug: Variant) -> dict[str, Any]:
    return {
        "lines": [{"sku": mug.sku, "quantity": 1}],
        "email": "alice@example.com",
        "shipping_address": ADDRESS,
        "shipping_method": "standard",
        "payment_method": "pm_card_visa",
    }
