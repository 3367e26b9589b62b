"""A body of the wrong type is a 415 at every address, in the format of pages and of the API.

Read from the URLconf, so that a new address is tested too.
"""

import json
from typing import Any

import pytest
from django.test import Client

from apps.catalog.models import Variant
from apps.core.content_types import JSON, TAKES
from apps.fastpath.checkout import CheckoutShortcut
from apps.orders.models import Order
from storefront.wsgi import application
from storefront.wsgi import shop as through_django
from tests.api.conftest import problem
from tests.factories import ADDRESS, a_flash_sale, a_mug
from tests.fastpath import wsgi_client
from tests.fastpath.wsgi_client import answer
from tests.hostile.addresses import filled, patterns

pytestmark = pytest.mark.django_db

FORM = "application/x-www-form-urlencoded"
NEVER = ("text/plain", "application/xml", "application/json-patch+json", "garbage", "")


def wrong_for(route: str) -> tuple[str, ...]:
    taken = next(taken for start, taken in TAKES if route.startswith(start))
    return (*NEVER, FORM, "multipart/form-data") if taken == JSON else (*NEVER, "application/json")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_body_of_another_type_is_refused_at_every_address(method: str) -> None:
    client = Client(raise_request_exception=False)
    for route in sorted(set(patterns())):
        for kind in wrong_for(route):
            got = client.generic(method, filled(route), b"a=1", content_type=kind)
            assert got.status_code == 415, (method, route, kind, got.status_code)
            if route.startswith("/api/"):
                problem(got, 415, "unsupported_media_type")
            elif route.startswith("/stripe/"):
                assert got.content == b"not JSON"
            else:
                assert b"We cannot read that." in got.content


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_the_right_type_is_refused_at_none(method: str) -> None:
    client = Client(raise_request_exception=False)
    for route in sorted(set(patterns())):
        taken = next(taken for start, taken in TAKES if route.startswith(start))
        for kind in (taken[0].upper(), f"{taken[0]} ; charset=utf-8"):
            got = client.generic(method, filled(route), b"{}", content_type=kind)
            assert got.status_code != 415, (method, route, kind)


def test_a_body_of_unknown_length_is_a_body() -> None:
    got = Client().generic("POST", "/account/login/", b"", HTTP_TRANSFER_ENCODING="chunked")

    assert got.status_code == 415


def test_nothing_at_all_needs_no_type() -> None:
    assert Client().generic("POST", "/account/logout/", b"").status_code == 302
    assert Client().generic("GET", "/account/login/", b"{}", content_type="x/y").status_code == 200


# --- What is answered before Django -------------------------------------------------------------


def a_checkout(mug: Variant, kind: str) -> dict[str, Any]:
    body = {
        "lines": [{"sku": mug.sku, "quantity": 1}],
        "email": "alice@example.com",
        "shipping_address": ADDRESS,
        "shipping_method": "standard",
        "payment_method": "pm_card_visa",
    }
    changes = {"HTTP_IDEMPOTENCY_KEY": "k", "CONTENT_TYPE": kind}
    return wsgi_client.request("/api/v1/checkouts/", body, **changes)


@pytest.mark.parametrize("kind", ["text/plain", FORM, "absent", "application/json, text/plain"])
def test_a_checkout_of_another_type_gets_the_same_answer_before_django(
    mug: Variant, kind: str
) -> None:
    quick = answer(application, a_checkout(mug, kind))

    assert quick[0].startswith("415")
    assert quick == answer(through_django, a_checkout(mug, kind))
    assert not Order.objects.exists()


@pytest.mark.parametrize("kind", ["text/plain", FORM, "absent"])
def test_sold_out_is_an_answer_to_json_only(mug: Variant, kind: str) -> None:
    gone = a_mug(stock=0)
    a_flash_sale(gone)
    sold_out = answer(CheckoutShortcut(through_django), a_checkout(gone, "application/json"))
    assert sold_out[0].startswith("409")

    got = answer(CheckoutShortcut(through_django), a_checkout(gone, kind))

    assert got[0].startswith("415")
    assert json.loads(got[2])["code"] == "unsupported_media_type"
