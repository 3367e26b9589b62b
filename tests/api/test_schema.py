"""The OpenAPI schema is valid, complete, and what the API really answers."""

import re
from io import StringIO

import pytest
import yaml
from django.core.management import call_command
from django.urls import get_resolver
from jsonschema import Draft4Validator

from apps.api.checkouts import read_checkout
from apps.api.contract.address import POSTAL_ADDRESS
from apps.api.urls import v1
from apps.customers.addresses import FIELDS
from apps.inventory.models import StockItem
from apps.orders.models import Order
from tests.api.conftest import Api
from tests.factories import (
    ADDRESS,
    AddressFactory,
    PromoFactory,
    a_flash_sale,
    a_mug,
    ship_everywhere,
)
from tests.orders.declined import decline


@pytest.fixture(scope="module")
def schema():
    out = StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=out)
    return yaml.safe_load(out.getvalue())


def test_schema_is_valid_without_a_warning(schema):
    assert schema["openapi"].startswith("3.")


def test_every_address_is_described(schema):
    described = {re.sub(r"\{\w+\}", "{}", path) for path in schema["paths"]}
    served = {
        "/api/v1/" + re.sub(r"<\w+:\w+>", "{}", str(pattern.pattern))
        for pattern in v1
        if "<" in str(pattern.pattern) or not str(pattern.pattern).startswith("^")
    }

    assert described == served


def test_every_call_has_a_summary_and_its_problems(schema):
    for path, calls in schema["paths"].items():
        for method, call in calls.items():
            assert call["summary"], (method, path)
            assert "429" in call["responses"], (method, path)
            if "requestBody" in call:
                assert {"400", "413", "415"} <= call["responses"].keys(), (method, path)


def test_checkout_has_examples(schema):
    call = schema["paths"]["/api/v1/checkouts/"]["post"]

    sent = call["requestBody"]["content"]["application/json"]["examples"]
    assert {"BuyNow", "FromACart"} == set(sent)
    assert call["responses"]["202"]["content"]["application/json"]["examples"]
    assert set(call["responses"]) >= {"202", "400", "404", "409", "422", "429", "503"}


def test_examples_of_the_checkout_are_what_it_takes(schema):
    call = schema["paths"]["/api/v1/checkouts/"]["post"]
    for example in call["requestBody"]["content"]["application/json"]["examples"].values():
        read = read_checkout(example["value"])
        assert read["email"] == "alice@example.com"
        assert read["cart"] or read["lines"]


def test_address_shape_has_the_fields_of_an_address():
    assert tuple(POSTAL_ADDRESS["properties"]) == FIELDS


def test_docs_need_no_cdn(client, db):
    page = client.get("/api/docs/")

    assert page.status_code == 200
    assert b"drf_spectacular_sidecar" in page.content
    assert not re.search(rb'(src|href)="(https?:)?//', page.content)


def test_schema_is_served(client, db):
    assert client.get("/api/schema/").status_code == 200


def test_resolver_names(db):
    assert get_resolver().reverse_dict.getlist("api-docs")


# --- Real answers against the schema ------------------------------------------------------------


def as_json_schema(node):
    """OpenAPI 3.0's `nullable` in JSON Schema's words."""
    if isinstance(node, list):
        return [as_json_schema(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    inner = {name: as_json_schema(value) for name, value in node.items() if name != "nullable"}
    return {"anyOf": [inner, {"type": "null"}]} if node.get("nullable") is True else inner


class Witness:
    """Compares each answer with what the schema says of that call."""

    def __init__(self, schema):
        self.schema = schema
        self.seen = set()

    def __call__(self, answer, template, method="get"):
        call = self.schema["paths"][f"/api/v1{template}"][method]
        described = call["responses"].get(str(answer.status_code))
        assert described is not None, (template, answer.status_code, answer.content)
        self.seen.add((template, method))
        if answer.status_code in (204, 304):
            return None
        content = described["content"][answer["Content-Type"]]["schema"]
        validator = Draft4Validator(
            as_json_schema({**content, "components": self.schema["components"]})
        )
        errors = [f"{list(e.path)}: {e.message}" for e in validator.iter_errors(answer.json())]
        assert not errors, (template, errors)
        return answer.json()


def test_answers_are_what_the_schema_says(schema, shop, alice):
    witness = Witness(schema)
    mug = a_mug(stock=5)
    ship_everywhere(code="express", price=1200)
    PromoFactory(code="MORNING")
    AddressFactory(user=alice)
    api = Api().as_user(alice)

    witness(api.get("/products/"), "/products/")
    witness(api.get("/products/", {"ordering": "x"}), "/products/")
    witness(api.get(f"/products/{mug.product.slug}/"), "/products/{slug}/")
    witness(api.get("/products/none/"), "/products/{slug}/")
    witness(api.get("/categories/"), "/categories/")

    cart = witness(api.post("/carts/"), "/carts/", "post")["id"]
    line = f"/carts/{cart}/lines/{mug.sku}/"
    template = "/carts/{cart_id}/lines/{sku}/"
    witness(api.put(line, {"quantity": 2}), template, "put")
    witness(api.put(line, {"quantity": 9}), template, "put")
    witness(api.put(line, {"quantity": "9"}), template, "put")
    promo, template = f"/carts/{cart}/promo/", "/carts/{cart_id}/promo/"
    witness(api.put(promo, {"code": "MORNING"}), template, "put")
    witness(api.put(promo, {"code": "NOPE"}), template, "put")
    witness(api.get(f"/carts/{cart}/"), "/carts/{cart_id}/")
    witness(api.delete(promo), template, "delete")
    template = "/carts/{cart_id}/shipping-methods/"
    witness(api.get(f"/carts/{cart}/shipping-methods/", {"country": "US"}), template)

    body = {
        "cart": cart,
        "email": "alice@example.com",
        "shipping_address": ADDRESS,
        "shipping_method": "standard",
        "payment_method": "pm_card_visa",
    }
    witness(api.checkout(body, key=""), "/checkouts/", "post")
    other_total = {"expected_total": {"amount": "1.00", "currency": "USD"}}
    witness(api.checkout(body | other_total), "/checkouts/", "post")
    placed = witness(api.checkout(body, key="k"), "/checkouts/", "post")["order"]
    witness(api.checkout(body | {"email": "x@example.com"}, key="k"), "/checkouts/", "post")
    witness(api.checkout(body), "/checkouts/", "post")

    path = f"/orders/{placed['id']}/"
    witness(api.get("/orders/"), "/orders/")
    witness(api.get(path), "/orders/{order_id}/")
    status = api.get(f"{path}status/")
    witness(status, "/orders/{order_id}/status/")
    witness(api.get(f"{path}status/", If_None_Match=status["ETag"]), "/orders/{order_id}/status/")
    witness(api.get(f"{path}events/"), "/orders/{order_id}/events/")
    card, payments = {"payment_method": "pm_card_visa"}, "/orders/{order_id}/payments/"
    witness(api.post(f"{path}payments/", card), payments, "post")
    decline(Order.objects.get(pk=placed["id"]))
    witness(api.get(f"{path}status/"), "/orders/{order_id}/status/")
    witness(api.post(f"{path}payments/", card), payments, "post")
    witness(api.post(f"{path}cancel/"), "/orders/{order_id}/cancel/", "post")
    returned = {"lines": [{"sku": mug.sku, "quantity": 1}], "reason": "too small"}
    witness(api.post(f"{path}returns/", returned), "/orders/{order_id}/returns/", "post")
    Order.objects.update(status="DELIVERED")
    witness(api.post(f"{path}returns/", returned), "/orders/{order_id}/returns/", "post")

    a_flash_sale(a_mug(), slug="sale", waiting_room=True)
    room, template = "/waiting-rooms/sale/", "/waiting-rooms/{slug}/"
    ticket = witness(api.post(room), template, "post")["ticket"]
    witness(api.get(room, X_Waiting_Ticket=ticket), template)
    witness(api.get(room), template)

    new = {"email": "carol@example.com", "password": "slow-morning-9"}
    tokens = witness(api.post("/auth/register/", new), "/auth/register/", "post")
    witness(api.post("/auth/token/", new), "/auth/token/", "post")
    witness(api.post("/auth/token/", new | {"password": "x"}), "/auth/token/", "post")
    refresh = {"refresh": tokens["refresh"]}
    refresh = witness(api.post("/auth/token/refresh/", refresh), "/auth/token/refresh/", "post")
    revoked = {"refresh": refresh["refresh"]}
    witness(api.post("/auth/token/revoke/", revoked), "/auth/token/revoke/", "post")
    witness(api.get("/me/"), "/me/")
    witness(api.patch("/me/", {"name": "Alice"}), "/me/", "patch")
    witness(Api().get("/me/"), "/me/")
    witness(api.get("/me/addresses/"), "/me/addresses/")
    entry = witness(api.post("/me/addresses/", ADDRESS), "/me/addresses/", "post")
    path, template = f"/me/addresses/{entry['id']}/", "/me/addresses/{address_id}/"
    witness(api.get(path), template)
    witness(api.put(path, ADDRESS), template, "put")
    witness(api.patch(path, {"city": "Salem"}), template, "patch")
    witness(api.delete(path), template, "delete")
    witness(api.get(path), template)

    described = {
        (path.removeprefix("/api/v1"), method)
        for path, calls in schema["paths"].items()
        for method in calls
    }
    assert witness.seen == described
    assert StockItem.objects.get(variant=mug).reserved == 2
