"""The schema says all that the server insists on: a generated client cannot be wrong in form."""

from io import StringIO
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import call_command

from apps.api.contract.fields import COUNTRIES

JSON = "application/json"
PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    out = StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=out)
    return yaml.safe_load(out.getvalue())


@pytest.fixture(scope="module")
def calls(schema) -> dict[str, dict[str, Any]]:
    """By operationId."""
    return {
        call["operationId"]: call for path in schema["paths"].values() for call in path.values()
    }


def test_bodies_with_a_required_field_are_required(calls):
    for name, call in calls.items():
        if (body := call.get("requestBody")) is not None:
            assert body["required"] is bool(body["content"][JSON]["schema"].get("required")), name
    assert calls["place_order"]["requestBody"]["required"] is True
    assert calls["change_address"]["requestBody"]["required"] is False


def test_open_calls_say_so_and_others_say_who_may_call(calls):
    assert all(isinstance(call["security"], list) for call in calls.values())
    assert calls["products"]["security"] == calls["token"]["security"] == []
    assert {} in calls["cart"]["security"]
    assert {"jwtAuth": []} in calls["cart"]["security"]
    assert calls["me"]["security"] == [{"jwtAuth": []}, {"cookieAuth": []}]


def test_servers_are_named(schema):
    assert [server["url"] for server in schema["servers"]] == ["/", settings.SHOP_URL]


@pytest.mark.parametrize(
    ("status", "header"),
    [("429", "Retry-After"), ("503", "Retry-After"), ("401", "WWW-Authenticate")],
)
def test_refusals_have_their_headers(calls, status, header):
    for name, call in calls.items():
        if status in call["responses"]:
            assert call["responses"][status]["headers"][header]["required"] is True, name


def test_headers_of_answers_are_described(calls):
    accepted = calls["place_order"]["responses"]["202"]["headers"]
    assert accepted["Location"]["required"] is True
    assert accepted["Idempotent-Replayed"]["schema"]["enum"] == ["true"]
    assert "ETag" in calls["order_status"]["responses"]["200"]["headers"]
    assert "ETag" in calls["order_status"]["responses"]["304"]["headers"]
    assert "RateLimit-Limit" in calls["products"]["responses"]["429"]["headers"]


def test_problems_have_what_they_bring(schema, calls):
    def kind(name: str, status: str) -> dict[str, Any]:
        found = calls[name]["responses"][status]["content"][PROBLEM]["schema"]["$ref"]
        return schema["components"]["schemas"][found.rpartition("/")[2]]

    conflict = kind("place_order", "409")["properties"]
    assert conflict["quote"]["allOf"][0]["$ref"].endswith("/Quote")
    assert {"order", "minimum", "errors", "code"} <= conflict.keys()
    assert "waiting_room" in kind("place_order", "429")["properties"]
    assert "available" in kind("set_cart_line", "409")["properties"]


def test_parameters_have_their_limits(calls):
    def parameter(name: str, of: str) -> dict[str, Any]:
        return next(one["schema"] for one in calls[of]["parameters"] if one["name"] == name)

    assert set(parameter("country", "shipping_methods")["enum"]) == COUNTRIES
    assert parameter("page_size", "products") == {"type": "integer", "minimum": 1, "maximum": 100}
    assert parameter("after_seq", "order_events")["minimum"] == 0
    assert parameter("in_stock", "products") == {"type": "boolean"}
    key = parameter("Idempotency-Key", "place_order")
    assert (key["minLength"], key["maxLength"]) == (1, 255)
    assert "relevance" in parameter("ordering", "products")["enum"]
