"""Whatever comes in over the API, nothing of it is a 500."""

import json

import pytest

from tests.api.conftest import problem
from tests.factories import a_mug

pytestmark = pytest.mark.django_db

WRITES = [
    ("post", "/checkouts/"),
    ("post", "/auth/register/"),
    ("post", "/auth/token/"),
    ("post", "/auth/token/refresh/"),
]


@pytest.mark.parametrize(("method", "path"), WRITES)
@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'{"a": 1, "a": 2}',
        b'{"a": NaN}',
        b"{" * 5000,
        b'{"email": "\\u0000"}',
        b"\xff\xfe",
        b'{"email": "a\x00b"}',
    ],
)
def test_malformed_bodies(api, method, path, body):
    problem(api.raw(path, body, Idempotency_Key="k"), 400, "malformed_body")


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_ten_megabytes(api, method, path):
    body = b'{"email": "' + b"x" * 10_000_000 + b'"}'

    problem(api.raw(path, body, Idempotency_Key="k"), 413, "too_large")


@pytest.mark.parametrize(("method", "path"), WRITES)
@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/json-patch+json",
        "garbage",
        "",
    ],
)
def test_other_content_types(api, method, path, kind):
    answer = api.raw(path, b'{"email": "a"}', kind=kind, Idempotency_Key="k")

    problem(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON"])
def test_content_type_is_read_as_http_means_it(api, kind):
    answer = api.raw("/auth/token/", b'{"email": "a", "password": "b"}', kind=kind)

    assert answer.status_code == 401


@pytest.mark.parametrize(("method", "path"), WRITES)
@pytest.mark.parametrize("value", [None, True, 1, 1.5, "x", "", [], {}, [[]], "\ud800", "a\u202eb"])
def test_any_json_in_any_field(api, method, path, value):
    names = ["cart", "lines", "promo_code", "email", "password", "name", "shipping_address"]
    names += ["billing_address", "shipping_method", "payment_method", "expected_total", "refresh"]
    for name in names:
        answer = api.raw(path, json.dumps({name: value}).encode(), Idempotency_Key="k")
        assert answer.status_code in (400, 401, 429), (name, answer.content)
        assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("field", ["name", "line1", "line2", "city", "region", "phone"])
@pytest.mark.parametrize("value", [True, 5, [], {}, "x" * 300, "a\nb\x07", "\u202e"])
def test_any_json_in_an_address(api, field, value):
    body = {"shipping_address": {field: value}}

    answer = api.raw("/checkouts/", json.dumps(body).encode(), Idempotency_Key="k")

    problem(answer, 400, "invalid")


@pytest.mark.parametrize(
    "path",
    [
        "/products/%00/",
        "/orders/%00/",
        "/carts/0198b2c4-1234-7123-8123-1234567890ab/lines/a%00b/",
        "/nowhere/",
        "/orders/x/y/z/",
        "/",
    ],
)
def test_strange_addresses(api, path):
    answer = api.get(path)

    assert answer.status_code in (400, 404, 405), answer.content
    assert answer["Content-Type"] == "application/problem+json"


def test_nul_in_a_sku_is_refused(api):
    cart = api.new_cart()["id"]

    answer = api.put(f"/carts/{cart}/lines/a%00b/", {"quantity": 1})

    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"


def test_sku_of_any_length_is_not_found(api):
    cart = api.new_cart()["id"]

    for sku in ("x" * 2000, "ü", "' OR 1=1 --", "..", "%F0%9F%AB%96"):
        answer = api.put(f"/carts/{cart}/lines/{sku}/", {"quantity": 1})
        assert answer.status_code in (404, 405), (sku, answer.content)


@pytest.mark.parametrize(
    ("method", "path"), [("get", "/checkouts/"), ("delete", "/products/"), ("post", "/me/")]
)
def test_other_methods_are_a_405(api, method, path):
    answer = getattr(api, method)(path)

    assert answer.status_code in (401, 405)
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/*", "garbage", ""])
def test_any_accept_header_gets_json(api, accept):
    assert api.get("/products/", Accept=accept)["Content-Type"] == "application/json"


def test_forged_host_is_a_400(api):
    assert api.get("/products/", Host="evil.example").status_code == 400


def test_format_parameter_is_ignored(api):
    assert api.get("/products/", {"format": "xml"}).status_code == 200


def test_errors_do_not_repeat_what_was_sent(api):
    answer = api.post("/auth/register/", {"email": "x", "password": "my-secret-pass-word"})

    assert b"my-secret" not in answer.content


def test_everything_says_what_it_is(api):
    a_mug()
    for path in ("/products/", "/categories/"):
        answer = api.get(path)
        assert answer["Content-Type"] == "application/json"
        assert answer["X-Content-Type-Options"] == "nosniff"
