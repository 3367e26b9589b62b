"""Markup in any text that strangers type or a supplier sends is shown as text, everywhere.

In a real browser: test_in_chromium.py.
"""

import asyncio
import csv
import gc
import io
import json

import pytest
from django.apps import apps
from django.contrib import admin
from django.core import mail
from django.urls import reverse

from apps.notifications import delivery, messages, outbox
from apps.orders.fulfilment import returns
from apps.orders.tokens import order_token
from apps.realtime.routing import application
from tests.factories import (
    ADDRESS,
    AddressFactory,
    CategoryFactory,
    OrderEventFactory,
    OrderFactory,
    OrderLineFactory,
    ProductFactory,
    SagaFactory,
    ShipmentFactory,
    UserFactory,
    VariantFactory,
    ship_everywhere,
)
from tests.realtime.websocket import WebsocketCommunicator

pytestmark = pytest.mark.django_db

ALERT = """<img src=x onerror="alert(1)"><script>alert('2')</script>"""
# No tag of the shop's pages begins like these two.
RAW = (b"<img src=x", b"<script>alert")


def assert_harmless(answer, path):
    assert answer.status_code == 200, (path, answer.status_code)
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    for raw in RAW:
        assert raw not in body, path
    return body


@pytest.fixture
def product(db):
    ship_everywhere()
    made = ProductFactory(
        name=ALERT, slug="markup", description=ALERT, vendor=ALERT,
        category=CategoryFactory(name=ALERT[:100], slug="shelf"),
    )  # fmt: skip
    VariantFactory(product=made, sku="MARKUP", stock=5)
    return made


@pytest.fixture
def order(db):
    placed = OrderFactory(
        status="DELIVERED", shipping_address=dict.fromkeys(ADDRESS, ALERT) | {"country": "US"},
        email="a@example.com",
    )  # fmt: skip
    OrderLineFactory(order=placed, sku="MUG", name=ALERT, quantity=2)
    OrderEventFactory(order=placed, message=ALERT)
    SagaFactory(order=placed)
    ShipmentFactory(order_id=placed.pk, tracking_number=ALERT[:60], state="delivered")
    returns.request_return(placed.pk, lines=[("MUG", 1)], reason=ALERT)
    return placed


def test_in_a_products_name_and_text(visitor, product):
    for path in ("/", "/c/shelf/", f"/p/{product.slug}/", "/search/?q=img"):
        body = assert_harmless(visitor.get(path), path)
    assert b"&lt;img src=x" in body


def test_in_a_search(visitor, product):
    for query in (ALERT, '"><svg onload=alert(1)>', "'-alert(1)-'"):
        body = assert_harmless(visitor.get("/search/", {"q": query}), query)
        assert b"<svg onload" not in body


def test_in_the_cart_and_at_the_checkout(visitor, product):
    visitor.add(product.variants.get())

    assert_harmless(visitor.get("/cart/"), "cart")
    assert_harmless(visitor.get("/checkout/"), "checkout")
    typed = visitor.checkout_form(name=ALERT, city=ALERT[:100], email=ALERT, phone="")
    refused = visitor.post("/checkout/", typed)
    assert refused.status_code == 400
    for raw in RAW:
        assert raw not in refused.content


def test_in_an_address_of_an_order(visitor, order):
    path = f"/orders/{order.pk}/?token={order_token(order.pk)}"

    body = assert_harmless(visitor.get(path), path)

    assert b"&lt;img src=x" in body


def test_in_an_address_book_and_a_name(visitor):
    customer = UserFactory(email="eve@example.com", name=ALERT[:120])
    entry = AddressFactory(user=customer, name=ALERT[:120], line1=ALERT, city=ALERT[:100])
    visitor.force_login(customer)

    for path in (
        "/account/", "/account/orders/", "/account/profile/", "/account/addresses/",
        f"/account/addresses/{entry.pk}/",
    ):  # fmt: skip
        assert_harmless(visitor.get(path), path)


def test_in_the_back_office(office, product, order):
    UserFactory(email="eve@example.com", name=ALERT[:120])
    assert_harmless(office.get("/admin/"), "today")
    seen = 0
    for model in admin.site._registry:
        label = f"{model._meta.app_label}_{model._meta.model_name}"
        listing = reverse(f"admin:{label}_changelist")
        assert_harmless(office.get(listing), listing)
        row = model.objects.first()
        if row is not None:
            change = office.get(reverse(f"admin:{label}_change", args=[row.pk]), follow=True)
            seen += b"&lt;img src=x" in assert_harmless(change, label)
    assert seen >= 4, "the pages do show what was typed"


def test_over_the_api_it_is_json_and_nothing_else(api, product, order):
    token = {"X_Order_Token": order_token(order.pk)}
    for answer in (
        api.get("/products/"), api.get(f"/products/{product.slug}/"), api.get("/categories/"),
        api.get(f"/orders/{order.pk}/", **token), api.get(f"/orders/{order.pk}/events/", **token),
    ):  # fmt: skip
        assert answer["Content-Type"] == "application/json"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Content-Security-Policy"].startswith("default-src 'none'")
    # The one field that is HTML by contract is cleaned.
    assert "<script" not in api.get(f"/products/{product.slug}/").json()["description"]
    assert "onerror" not in api.get(f"/products/{product.slug}/").json()["description"]


@pytest.mark.django_db(transaction=True)
def test_over_the_websocket_it_is_a_json_string():
    order = OrderFactory()
    OrderEventFactory(order=order, message=ALERT)
    received = []

    async def scenario():
        socket = WebsocketCommunicator(
            application, f"/ws/orders/{order.pk}/?token={order_token(order.pk)}"
        )
        await socket.connect(timeout=60)
        received.append(json.loads(await socket.receive_from(timeout=60)))
        await socket.disconnect()

    asyncio.run(scenario())
    gc.collect()
    assert received[0]["message"] == ALERT


def test_in_a_mail_it_is_plain_text_and_adds_no_header(order):
    evil = f"Eve\r\nBcc: everybody@example.com\n\n{ALERT}"
    line = {"name": evil, "quantity": 1, "amount": "$1.00"}
    sent = [
        messages.compose(
            kind,
            dict.fromkeys(needs, evil) | {"lines": [line], "address": [evil]},
            order_id=order.pk,
            to="a@example.com",
        )
        for kind, needs in messages.NEEDS.items()
    ]
    delivery.deliver_due()  # of the return that the order has
    mail.outbox.clear()
    outbox.put(sent)
    delivery.deliver_due()

    assert len(mail.outbox) == len(messages.NEEDS)
    for message in mail.outbox:
        assert message.content_subtype == "plain"
        assert not message.attachments
        assert not message.message().is_multipart()
        assert message.recipients() == ["a@example.com"]
        assert "bcc" not in {name.lower() for name in message.message().keys()}  # noqa: SIM118


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r"])
@pytest.mark.parametrize("name", ["orders.Order", "catalog.Product", "inventory.StockItem"])
def test_cell_of_an_export_is_text_to_a_spreadsheet(office, name, sign):
    evil = f"{sign}HYPERLINK(1)"
    variant = VariantFactory(product=ProductFactory(name=evil, vendor=evil), sku=evil, stock=5)
    placed = OrderFactory(email=evil, shipping_address=ADDRESS | {"name": evil, "city": evil})
    OrderLineFactory(order=placed, sku=variant.sku, name=evil)
    OrderEventFactory(order=placed)
    chosen = [str(pk) for pk in apps.get_model(name).objects.values_list("pk", flat=True)]

    answer = office.post(
        reverse(f"admin:{name.replace('.', '_').lower()}_changelist"),
        {"action": "export_selected", "_selected_action": chosen},
    )

    assert answer["Content-Type"].startswith("text/csv"), answer.content[:300]
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
    assert any("HYPERLINK" in cell for cell in cells)
    assert not [cell for cell in cells if cell.startswith(sign) and "HYPERLINK" in cell]
