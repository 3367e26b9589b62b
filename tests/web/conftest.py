"""A client that behaves as a browser: keeps cookies, submits the form that the page shows."""

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from apps.catalog.models import Variant
from apps.orders.intake import queue
from apps.shipping import rates as shipping_rates
from apps.taxes import rates as tax_rates
from tests.factories import ADDRESS, a_mug, ship_everywhere


class _Form(HTMLParser):
    """The values that a browser would send with the first form of a page that posts to `action`."""

    def __init__(self, action: str) -> None:
        super().__init__()
        self.action, self.inside, self.fields, self.select = action, False, {}, ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        given = dict(attrs)
        if tag == "form":
            self.inside = given.get("action") == self.action and not self.fields
        if not self.inside or ("name" not in given and tag != "option"):
            return
        if tag == "input":
            if given.get("type") in ("radio", "checkbox") and "checked" not in given:
                return
            self.fields[given["name"]] = given.get("value") or ""
        elif tag == "select":
            self.select = given["name"]
        elif tag == "option" and "selected" in given:
            self.fields[self.select] = given.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.inside = False


def form_of(response: HttpResponse, action: str) -> dict[str, str]:
    """The fields of the page's form with their values."""
    reader = _Form(action)
    reader.feed(response.content.decode())
    reader.fields.pop("csrfmiddlewaretoken", None)
    return reader.fields


class Visitor(Client):
    """One browser."""

    def add(self, variant: Variant, quantity: int | str = 1) -> HttpResponse:
        return self.post(f"/p/{variant.product.slug}/", {"quantity": quantity})

    def checkout_form(self, **changes: str) -> dict[str, str]:
        """The checkout's form, filled in."""
        page = self.get("/checkout/")
        assert page.status_code == 200, page
        filled = {"email": "alice@example.com", **ADDRESS}
        return form_of(page, "/checkout/") | filled | changes

    def buy(self, variant: Variant, quantity: int = 1, **changes: str) -> HttpResponse:
        """Add to the cart and order; the answer to "place order"."""
        self.add(variant, quantity)
        return self.post("/checkout/", self.checkout_form(**changes))


@pytest.fixture
def visitor() -> Visitor:
    return Visitor(raise_request_exception=False)


@pytest.fixture
def other_visitor() -> Visitor:
    return Visitor(raise_request_exception=False, REMOTE_ADDR="198.51.100.7")


@pytest.fixture(autouse=True)
def fresh_tables() -> None:
    """Rates are cached for seconds; tests are shorter than that."""
    shipping_rates.forget()
    tax_rates.forget()


@pytest.fixture
def shop(transactional_db: None) -> Iterator[None]:
    """A shop that takes orders; rows are committed, because the intake has its own connection."""
    ship_everywhere(price=599)
    yield
    queue.drain()


@pytest.fixture
def mug(shop: None) -> Variant:
    return a_mug(stock=3, price=1800)
