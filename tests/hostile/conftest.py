"""Clients of an attacker, and a shop to attack."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from apps.catalog.models import Variant
from apps.orders.intake import queue
from apps.shipping import rates as shipping_rates
from apps.taxes import rates as tax_rates
from tests.api.conftest import Api
from tests.factories import ADDRESS, a_mug, make_clerk, ship_everywhere
from tests.web.conftest import Visitor

JSON = "application/json"


@pytest.fixture(autouse=True)
def fresh_tables() -> None:
    """Rates are cached for seconds; tests are shorter than that."""
    shipping_rates.forget()
    tax_rates.forget()


@pytest.fixture
def api() -> Api:
    """An app of a guest."""
    return Api()


@pytest.fixture
def visitor() -> Visitor:
    """A browser of a guest."""
    return Visitor(raise_request_exception=False)


@pytest.fixture
def mallory() -> Visitor:
    """Another browser at another address."""
    return Visitor(raise_request_exception=False, REMOTE_ADDR="198.51.100.66")


@pytest.fixture
def office(db: None) -> Client:
    """The browser of a superuser."""
    client = Client(raise_request_exception=False)
    client.force_login(make_clerk())
    return client


@pytest.fixture
def mug(transactional_db: None) -> Iterator[Variant]:
    """Three mugs in a shop that takes orders; committed: the intake has its own connection."""
    ship_everywhere(price=599)
    yield a_mug(stock=3, price=1800)
    queue.drain()


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
