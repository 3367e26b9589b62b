"""The declarations of the contract: what bodies read as, and the exact codes and texts of errors.

The texts are the API's, not pydantic's: shoppers read them and programs compare the codes.
"""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import TypedDict

from apps.api.contract import json_schema
from apps.api.contract.cart import CartLineBody, PromoBody
from apps.api.contract.checkout import CheckoutBody
from apps.api.contract.checkout_reading import read_checkout
from apps.api.contract.customer import DefaultMark, LoginBody, ProfileBody, RegisterBody
from apps.api.contract.fields import Body
from apps.api.contract.order import ReturnBody
from apps.api.contract.reading import read_body
from apps.core.problems import Problem
from tests.factories import ADDRESS

CART = "0199a3c1-0d2e-7b55-8f0a-51b2a7d3c9ee"
LINE = {"sku": "MUG", "quantity": 1}


def buy_now(**changes: Any) -> dict[str, Any]:
    whole = {
        "lines": [LINE],
        "email": "alice@example.com",
        "shipping_address": dict(ADDRESS),
        "shipping_method": "standard",
        "payment_method": "pm_card_visa",
    } | changes
    return {name: value for name, value in whole.items() if value is not ...}


def errors_of(read: Any, *args: Any) -> list[tuple[str, str, str]]:
    with pytest.raises(Problem) as refused:
        read(*args)
    problem = refused.value
    assert (problem.status_code, problem.code) == (400, "invalid")
    assert problem.text == "Some fields are not valid."
    return [(found["field"], found["code"], found["message"]) for found in problem.errors or []]


@pytest.mark.parametrize(
    ("changes", "field", "code", "message"),
    [
        ({"email": ...}, "email", "required", "This field is required."),
        ({"email": None}, "email", "null", "This may not be null."),
        ({"email": 1}, "email", "invalid", "Expected a string."),
        ({"email": "alice"}, "email", "invalid", "Enter a valid e-mail address."),
        (
            {"email": "a" * 243 + "@example.com"},
            "email",
            "invalid",
            "Enter a valid e-mail address.",
        ),
        ({"lines": {}}, "lines", "invalid", "Expected a list."),
        ({"lines": []}, "lines", "empty", "This may not be empty."),
        ({"lines": [LINE] * 101}, "lines", "max_length", "At most 100 entries."),
        ({"lines": [None]}, "lines[0]", "invalid", "Expected an object."),
        (
            {"lines": [LINE, {"sku": "A"}]},
            "lines[1].quantity",
            "required",
            "This field is required.",
        ),
        ({"lines": [LINE | {"sku": None}]}, "lines[0].sku", "null", "This may not be null."),
        ({"lines": [LINE | {"sku": " "}]}, "lines[0].sku", "blank", "This may not be blank."),
        (
            {"lines": [LINE | {"sku": "x" * 256}]},
            "lines[0].sku",
            "max_length",
            "At most 255 characters.",
        ),
        (
            {"lines": [LINE | {"sku": "a\tb"}]},
            "lines[0].sku",
            "invalid",
            "Control characters are not allowed.",
        ),
        ({"lines": [LINE | {"quantity": 0}]}, "lines[0].quantity", "min_value", "At least 1."),
        ({"lines": [LINE | {"quantity": 1000}]}, "lines[0].quantity", "max_value", "At most 999."),
        ({"lines": [LINE | {"quantity": 600}] * 2}, "lines", "max_value", "At most 999 of MUG."),
        ({"lines": ...}, "cart", "required", "Send a cart, or lines to buy now."),
        ({"cart": CART}, "lines", "invalid", "Send a cart or lines, not both."),
        (
            {"cart": CART, "lines": None, "promo_code": "X"},
            "promo_code",
            "invalid",
            "Put the code into the cart first.",
        ),
        ({"cart": "x", "lines": ...}, "cart", "invalid", "Expected a UUID."),
        ({"cart": f"urn:uuid:{CART}", "lines": ...}, "cart", "invalid", "Expected a UUID."),
        ({"shipping_address": None}, "shipping_address", "null", "This may not be null."),
        ({"shipping_address": []}, "shipping_address", "invalid", "Expected an object."),
        (
            {"billing_address": dict(ADDRESS) | {"city": None}},
            "billing_address.city",
            "required",
            "This field is needed.",
        ),
        ({"shipping_method": "a b"}, "shipping_method", "invalid", "Expected a method's code."),
        (
            {"payment_method": "4242"},
            "payment_method",
            "invalid",
            "Expected the gateway's token of a payment method (pm_…).",
        ),
        (
            {"expected_total": "19.99"},
            "expected_total",
            "invalid",
            'Expected {"amount", "currency"}.',
        ),
        (
            {"expected_total": {"amount": "19.99", "currency": None}},
            "expected_total.currency",
            "invalid",
            "This shop sells in USD.",
        ),
        (
            {"expected_total": {"amount": 19.99, "currency": "USD"}},
            "expected_total.amount",
            "invalid",
            'Expected a decimal string such as "19.99".',
        ),
    ],
)
def test_checkout_names_what_is_wrong(changes, field, code, message):
    assert errors_of(read_checkout, buy_now(**changes)) == [(field, code, message)]


def test_every_error_of_a_body_comes_at_once_in_the_order_of_its_fields():
    body = buy_now(lines=[{"sku": "", "quantity": "2"}], shipping_method="*", email=...)
    body["shipping_address"] |= {"country": "XX"}

    assert errors_of(read_checkout, body) == [
        ("lines[0].sku", "blank", "This may not be blank."),
        ("lines[0].quantity", "invalid", "Expected a whole number."),
        ("email", "required", "This field is required."),
        ("shipping_address.country", "unknown_country", "Choose a country."),
        ("shipping_method", "invalid", "Expected a method's code."),
    ]


def test_a_wrong_field_does_not_hide_that_cart_and_lines_are_missing():
    fields = [field for field, _, _ in errors_of(read_checkout, buy_now(email=1, lines=...))]

    assert fields == ["email", "cart"]


def test_checkout_reads_as_clean_values():
    body = read_checkout(
        buy_now(
            lines=[LINE, {"sku": " MUG\n", "quantity": 2}, {"sku": "BOWL", "quantity": 1}],
            email=" alice@example.com ",
            expected_total={"amount": "19.99", "currency": "USD"},
            price="0.01",
        )
    )

    assert body == {
        "cart": None,
        "lines": (("MUG", 3), ("BOWL", 1)),
        "promo_code": None,
        "email": "alice@example.com",
        "shipping_address": dict(ADDRESS),
        "billing_address": None,
        "shipping_method": "standard",
        "payment_method": "pm_card_visa",
        "expected_total": (1999, "USD"),
    }


def test_checkout_of_a_cart_has_no_lines():
    body = read_checkout(buy_now(cart=CART, lines=..., promo_code=" "))

    assert (body["cart"], body["lines"], body["promo_code"]) == (UUID(CART), (), "")


@pytest.mark.parametrize("quantity", ["2", 2.0, True, [2], None])
def test_a_quantity_is_a_json_integer(quantity):
    expected = (
        ("quantity", "null", "This may not be null.")
        if quantity is None
        else ("quantity", "invalid", "Expected a whole number.")
    )

    assert errors_of(read_body, CartLineBody, {"quantity": quantity}) == [expected]


def test_a_quantity_beyond_64_bits_is_too_much():
    assert errors_of(read_body, CartLineBody, {"quantity": 2**70}) == [
        ("quantity", "max_value", "At most 999.")
    ]


def test_a_flag_is_true_or_false():
    assert read_body(DefaultMark, {}).is_default is None
    assert read_body(DefaultMark, {"is_default": True}).is_default is True
    assert errors_of(read_body, DefaultMark, {"is_default": 1}) == [
        ("is_default", "invalid", "Expected true or false.")
    ]


@pytest.mark.parametrize("blank", [" ", "\t", "\n", "\x1c", "\x1f", "\x85", "\xa0", "\u2028"])
def test_white_space_at_the_ends_of_a_text_is_removed(blank):
    assert read_body(PromoBody, {"code": f"{blank}MORNING{blank}"}).code == "MORNING"


def test_white_space_of_a_password_is_kept():
    body = read_body(LoginBody, {"email": " alice@example.com ", "password": " slow "})

    assert (body.email, body.password) == ("alice@example.com", " slow ")


@pytest.mark.parametrize(
    ("password", "code", "message"),
    [
        (None, "null", "This may not be null."),
        (1, "invalid", "Expected a string."),
        ("", "blank", "This may not be blank."),
        ("x" * 1001, "max_length", "At most 1000 characters."),
    ],
)
def test_password_names_what_is_wrong(password, code, message):
    body = {"email": "alice@example.com", "password": password}

    assert errors_of(read_body, RegisterBody, body) == [("password", code, message)]


def test_a_reason_may_have_several_lines_and_a_name_may_not():
    reason = read_body(ReturnBody, {"lines": [LINE], "reason": "too\r\nsmall"}).reason
    assert reason == "too\r\nsmall"
    assert errors_of(read_body, ProfileBody, {"name": "Alice\nArcher"}) == [
        ("name", "invalid", "Control characters are not allowed.")
    ]


def test_an_optional_field_may_be_null():
    body = {"email": "alice@example.com", "password": "x"}

    assert read_body(RegisterBody, body | {"name": None}).name is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["sku", "quantity", "amount", "currency", "city"]), inner)
    ),
    max_leaves=6,
)
CODES = {"required", "null", "invalid", "blank", "empty"}
CODES |= {"max_length", "min_value", "max_value", "unknown_country"}


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(CheckoutBody.model_fields)), JSON)
def test_whatever_stands_in_a_field_the_codes_are_the_apis_own(field, value):
    try:
        read_checkout(buy_now(**{field: value}))
    except Problem as problem:
        assert {found["code"] for found in problem.errors or []} <= CODES


# --- The schema ---------------------------------------------------------------------------------


class Part(TypedDict):
    name: str


class Whole(TypedDict):
    part: Part | None
    note: str | None


class Small(Body):
    title: str | None = None


def test_null_is_nullable_as_openapi_3_0_says_it():
    properties = json_schema.schema_of(Whole)["properties"]

    assert properties["note"] == {"type": "string", "nullable": True}
    assert properties["part"] == {
        "allOf": [{"$ref": "#/components/schemas/Part"}],
        "nullable": True,
    }


def test_a_field_named_title_stays_in_the_schema():
    assert json_schema.of_body(Small) == {
        "type": "object",
        "properties": {"title": {"type": "string", "nullable": True}},
    }
