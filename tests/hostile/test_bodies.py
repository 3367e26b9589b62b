"""No input to the API, in a form or in a header leads to a 500."""

import json
from urllib.parse import quote

import pytest
from django.contrib import admin
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from apps.orders.models import Order
from tests.api.conftest import problem
from tests.factories import a_mug, make_alice
from tests.hostile import addresses

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


def test_format_parameter_is_unknown(api):
    assert api.get("/products/", {"format": "xml"}).status_code == 400


def test_errors_do_not_repeat_what_was_sent(api):
    answer = api.post("/auth/register/", {"email": "x", "password": "my-secret-pass-word"})

    assert b"my-secret" not in answer.content


def test_everything_says_what_it_is(api):
    a_mug()
    for path in ("/products/", "/categories/"):
        answer = api.get(path)
        assert answer["Content-Type"] == "application/json"
        assert answer["X-Content-Type-Options"] == "nosniff"


# --- Pages --------------------------------------------------------------------------------------

# Values that no form of the shop would send.
STRANGE = {
    "nul": b"a\x00b",
    "no utf-8": b"\xff\xfe\x80",
    "half a character": b"\xed\xa0\x80",
    "right to left": "\u202ea\u2066".encode(),
    "sql": b"' OR 1=1; DROP TABLE orders_order; --",
    "template": b"{{ settings.SECRET_KEY }}{% debug %}${7*7}",
    "long": b"9" * 20_000,
}
FIELDS = (
    *("q", "quantity", "code", "remove", "email", "password", "name", "next", "country", "region"),
    *("shipping_method", "payment_method", "key", "refresh", "saved", "expected_total", "token"),
    *("reason", "which", "old_password", "new_password1", "new_password2", "page", "sort", "city"),
    *("category", "min_price", "max_price", "in_stock", "before", "payment_intent", "line1"),
    *("line2", "phone", "postal_code", "variant", "csrfmiddlewaretoken", "make_default"),
)


@pytest.fixture
def unlimited(settings):
    settings.RATE_LIMITS = False


@pytest.mark.parametrize(
    ("who", "kind"),
    [("guest", "nul"), ("guest", "no utf-8"), *(("alice", kind) for kind in STRANGE)],
)
def test_no_page_fails_on_a_strange_form(visitor, mug, unlimited, who, kind):
    if who == "alice":
        visitor.force_login(make_alice())
    visitor.add(mug)
    query = b"&".join(name.encode() + b"=" + quote(STRANGE[kind]).encode() for name in FIELDS)

    for route in addresses.of_pages():
        path = addresses.filled(route, slug=mug.product.slug, path=mug.sku)
        if path == "/account/logout/":
            continue
        got = visitor.get(f"{path}?{query.decode()}")
        assert got.status_code < 500, path
        posted = visitor.post(path, query, content_type="application/x-www-form-urlencoded")
        assert posted.status_code < 500, path
        assert b"Traceback" not in got.getvalue() + posted.getvalue()  # some are streamed


@pytest.mark.parametrize("kind", ["nul", "no utf-8", "sql", "template"])
def test_no_page_of_the_office_fails_on_a_strange_query(office, kind):
    names = (
        "q",
        "o",
        "p",
        "e",
        "all",
        "id__exact",
        "_to_field",
        "_popup",
        "status",
        "next",
        "term",
    )
    query = "&".join(f"{name}={quote(STRANGE[kind])}" for name in names)

    for model in admin.site._registry:
        label = f"{model._meta.app_label}_{model._meta.model_name}"
        listing = reverse(f"admin:{label}_changelist")
        assert office.get(f"{listing}?{query}").status_code < 500, listing
        change = reverse(f"admin:{label}_change", args=["X"]).replace("X", quote(STRANGE[kind]))
        assert office.get(change).status_code in (302, 400, 403, 404), change


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"[" * 1000),
        ("application/x-www-form-urlencoded; charset=nonsense", b"email=a"),
        ("application/x-www-form-urlencoded; charset=utf-16", b"email=a"),
        ("multipart/form-data", b"email=a"),
        ("multipart/form-data; boundary=", b"--\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=a"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="email"; filename="a\x00b"\r\n'
            b"Content-Transfer-Encoding: base64\r\n\r\n!!!!!\r\n--x--\r\n",
        ),
        ("text/plain", b"\x00" * 1000),
        ("garbage", b"\xff"),
        ("", b""),
    ],
)
def test_form_in_another_shape_is_read_as_empty_or_refused(visitor, mug, kind, body):
    for path in ("/account/login/", "/cart/promo/", "/checkout/", "/admin/login/"):
        # `generic`, because `post` would read the charset itself.
        answer = visitor.generic("POST", path, body, content_type=kind)
        assert answer.status_code in (200, 302, 400, 403, 415), (path, answer.status_code)


@pytest.mark.parametrize("path", ["/account/login/", "/cart/promo/", "/checkout/", "/admin/login/"])
def test_ten_megabytes_of_form_are_refused(visitor, db, path):
    answer = visitor.post(
        path, b"email=" + b"x" * 10_000_000, content_type="application/x-www-form-urlencoded"
    )

    assert answer.status_code == 413
    assert "more than we can carry" in answer.content.decode()


@pytest.mark.parametrize("path", ["/account/login/", "/checkout/", "/admin/login/"])
def test_ten_thousand_fields_are_refused(visitor, db, path):
    answer = visitor.post(path, {f"field{number}": "x" for number in range(10_000)})

    assert answer.status_code in (400, 413)


def test_file_where_none_is_asked_for_is_refused_unread(visitor, db):
    """No form of the pages takes files: ten megabytes of one are not even written to disk."""
    file = SimpleUploadedFile("a.bin", b"x" * 10_000_000)

    assert visitor.post("/account/login/", {"email": file}).status_code == 413


# --- Headers ------------------------------------------------------------------------------------

# All values that a header can have: WSGI decodes its bytes as Latin-1.
JUNK = ["\x7f\xff", "'; DROP TABLE=,\"{}", "x" * 9000, "%00", "-1"]
HEADERS = [
    *("Cookie", "Authorization", "X-Cart-Token", "X-Order-Token", "X-Waiting-Ticket", "Referer"),
    *("If-None-Match", "If-Modified-Since", "X-Forwarded-For", "X-Forwarded-Host", "Range"),
    *("X-Forwarded-Proto", "Accept-Language", "Accept", "X-CSRFToken", "Origin", "User-Agent"),
    *("Idempotency-Key", "X-HTTP-Method-Override", "Content-Length"),
]


@pytest.mark.parametrize("text", JUNK, ids=lambda text: text[:12])
def test_no_header_causes_an_error(api, visitor, mug, buy, text, settings):
    settings.TRUSTED_PROXIES = 1
    order = "/orders/0198b2c4-1234-7123-8123-1234567890ab/status/"
    for header in HEADERS:
        sent = {header: text}
        if header == "Cookie":
            names = ("sessionid", "csrftoken", "messages", "ticket-x")
            sent = {header: "; ".join(f"{name}={text}" for name in names) + f"; {text}"}
        answers = [
            api.get(order, **sent),
            api.post("/checkouts/", buy(), **({"Idempotency-Key": "k"} | sent)),
            visitor.get("/cart/", headers=sent),
            visitor.post("/account/login/", {"email": "a"}, headers=sent),
            visitor.get("/admin/", headers=sent),
            visitor.get("/queue/x/", headers=sent),
        ]
        assert all(answer.status_code < 500 for answer in answers), header


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "\x7f", "x" * 256, "a\x00b"])
def test_invalid_key_makes_no_order(api, buy, key):
    answer = api.post("/checkouts/", buy(), Idempotency_Key=key)

    assert answer.status_code == 400
    assert not Order.objects.exists()
