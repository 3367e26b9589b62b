"""Who attacks, and what there is to attack. The rows of the tests' files say what must come out."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from apps.catalog.models import Variant
from apps.customers.models import User
from apps.orders import intake
from apps.shipping import rates as shipping_rates
from apps.taxes import rates as tax_rates
from tests.api.conftest import Api
from tests.factories import ADDRESS, a_mug, make_alice, make_clerk, ship_everywhere
from tests.shop.conftest import Visitor

JSON = "application/json"


@pytest.fixture(autouse=True)
def fresh_tables() -> None:
    """Rates are remembered for seconds, tests are shorter."""
    shipping_rates.forget()
    tax_rates.forget()


@pytest.fixture
def alice(db: None) -> User:
    return make_alice()


@pytest.fixture
def api() -> Api:
    """An app, a guest's."""
    return Api()


@pytest.fixture
def visitor() -> Visitor:
    """A browser, a guest's."""
    return Visitor(raise_request_exception=False)


@pytest.fixture
def mallory() -> Visitor:
    """Another browser at another address."""
    return Visitor(raise_request_exception=False, REMOTE_ADDR="198.51.100.66")


@pytest.fixture
def office(db: None) -> Client:
    """The browser of somebody who may do everything in the back office."""
    client = Client(raise_request_exception=False)
    client.force_login(make_clerk())
    return client


@pytest.fixture
def mug(transactional_db: None) -> Iterator[Variant]:
    """Three mugs in a shop that takes orders: committed, for the intake's own connection."""
    ship_everywhere(price=599)
    yield a_mug(stock=3, price=1800)
    intake.drain()


@pytest.fixture
def buy(mug: Variant) -> Callable[..., dict[str, Any]]:
    """The body of a checkout for one mug, with changes."""

    def body(**changes: Any) -> dict[str, Any]:
        return {
            "lines": [{"sku": mug.sku, "quantity": 1}],
            "email": "alice@example.com",
            "shipping_address": dict(ADDRESS),
            "shipping_method": "standard",
            "payment_method": "pm_card_visa",
        } | changes

    return body
