"""The waiting room by API and by page: queue, look, be admitted, order; survive a reload."""

import re
import time
from typing import Any

import pytest
import redis
from django.conf import settings
from django.test import Client
from django.urls import reverse

from apps.catalog.models import Variant
from apps.flash_sales import waiting_room
from apps.flash_sales.models import FlashSale
from apps.orders.models import Order
from tests.factories import ADDRESS, a_flash_sale, a_mug

pytestmark = pytest.mark.usefixtures("open_shop")

QUEUE = "/api/v1/waiting-rooms/winter-sale/"
JSON = {"content_type": "application/json"}


def set_pace(sale: FlashSale, seconds_ago: float) -> None:
    """Set when the last one was admitted; in the future: no one is admitted until then."""
    moment = int((time.time() - seconds_ago) * 1e6)
    waiting_room._redis.ask(lambda client: client.set(f"room:{sale.pk}:pace", moment))


@pytest.fixture
def mug(open_shop: None) -> Variant:
    return a_mug(stock=5)


@pytest.fixture
def sale(mug: Variant) -> FlashSale:
    made = a_flash_sale(mug, slug="winter-sale", waiting_room=True, admit_per_second=1)
    set_pace(made, -3600)
    return made


def order(client: Client, mug: Variant, *, key: str = "k", ticket: str = "") -> Any:
    body = {
        "lines": [{"sku": mug.sku, "quantity": 1}],
        "email": "alice@example.com",
        "shipping_address": ADDRESS,
        "shipping_method": "standard",
        "payment_method": "pm_card_visa",
    }
    headers = {"Idempotency-Key": key} | ({"X-Waiting-Ticket": ticket} if ticket else {})
    return client.post("/api/v1/checkouts/", body, content_type="application/json", headers=headers)


def test_app_queues_is_admitted_and_orders(client: Client, sale: FlashSale, mug: Variant) -> None:
    refused = order(client, mug)
    assert (refused.status_code, refused.json()["code"]) == (429, "waiting_room")
    place = refused.json()["waiting_room"]
    assert (place["position"], place["admitted"], int(refused["Retry-After"])) == (1, False, 3)
    behind = client.post(QUEUE, **JSON)
    assert (behind.status_code, behind.json()["position"]) == (201, 2)
    ticket = {"X-Waiting-Ticket": place["ticket"]}
    assert client.get(QUEUE, headers=ticket).json() == place

    set_pace(sale, 1.01)
    looked = client.get(QUEUE, headers=ticket)
    set_pace(sale, -3600)

    assert (looked.json()["admitted"], looked.json()["position"]) == (True, 0)
    assert order(client, mug, ticket=place["ticket"]).status_code == 202
    assert order(client, mug, key="other", ticket=behind.json()["ticket"]).status_code == 429
    assert Order.objects.count() == 1


def test_looking_without_a_ticket_or_for_an_unknown_sale_is_404(
    client: Client, sale: FlashSale
) -> None:
    assert client.get(QUEUE).status_code == 404
    assert client.get(QUEUE, headers={"X-Waiting-Ticket": "made-up"}).status_code == 404
    assert client.post("/api/v1/waiting-rooms/no-such-sale/", **JSON).status_code == 404


def page_position(client: Client) -> int:
    page = client.get(reverse("web:waiting-room", args=["winter-sale"]))
    assert page.status_code == 200
    found = re.search(r"data-position>(\d+)<", page.content.decode())
    assert found is not None
    return int(found[1])


def add_to_cart(client: Client, mug: Variant) -> None:
    address = reverse("web:product", args=[mug.product.slug])
    assert client.post(address, {"quantity": 1}).status_code in (302, 303)


def test_checkout_page_leads_to_the_queue_and_the_queue_back_to_it(
    client: Client, sale: FlashSale, mug: Variant
) -> None:
    add_to_cart(client, mug)

    sent = client.get(reverse("web:checkout"))
    assert sent["Location"] == "/queue/winter-sale/?next=/checkout/"
    assert page_position(client) == 1
    assert page_position(Client()) == 2
    assert page_position(client) == 1, "a reload keeps the place"

    set_pace(sale, 1.01)
    onward = client.get("/queue/winter-sale/?next=/checkout/")

    assert (onward.status_code, onward["Location"]) == (302, "/checkout/")
    assert client.get(reverse("web:checkout")).status_code == 200


def test_queue_page_leads_nowhere_else(client: Client, sale: FlashSale) -> None:
    page_position(client)
    set_pace(sale, 1.01)

    for evil in ("//evil.example", "https:evil", "\\evil", "javascript:alert(1)"):
        answer = client.get("/queue/winter-sale/", {"next": evil})
        assert answer["Location"] == "/checkout/"


def test_script_of_the_page_looks_by_cookie(client: Client, sale: FlashSale) -> None:
    page_position(client)

    place = client.get("/queue/winter-sale/place/").json()

    assert place == {
        "admitted": False,
        "position": 1,
        "estimated_wait_seconds": 1,
        "look_again_in": 3,
    }
    assert Client().get("/queue/winter-sale/place/").status_code == 404


def test_form_sent_before_admission_comes_back_with_what_was_typed(
    client: Client, sale: FlashSale, mug: Variant
) -> None:
    add_to_cart(client, mug)
    typed = {
        **ADDRESS,
        "email": "alice@example.com",
        "shipping_method": "standard",
        "payment_method": "pm_card_visa",
        "key": "a-key",
    }

    answer = client.post(reverse("web:checkout"), typed)

    text = answer.content.decode()
    assert answer.status_code == 429
    assert "There is a queue for Winter Sale." in text and "You are number 1." in text
    assert "alice@example.com" in text
    assert not Order.objects.exists()
    assert page_position(client) == 1


def test_number_of_tickets_for_one_address_is_limited(
    client: Client, sale: FlashSale, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.core import rate_limits
    from apps.core.rate_limits import Limit

    monkeypatch.setattr(rate_limits, "TICKETS_OF_ADDRESS", Limit("tickets-test", 2, 60))

    assert [Client().get("/queue/winter-sale/").status_code for _ in range(3)] == [200, 200, 429]


def test_emptied_redis_keeps_all_places(
    client: Client, sale: FlashSale, redis_of_tests: "redis.Redis"
) -> None:
    other = Client()
    page_position(client)
    page_position(other)
    with redis.Redis.from_url(settings.FLASH_SALES_REDIS_URL) as rooms:
        rooms.flushdb()

    set_pace(sale, -3600)
    page_position(other)

    assert (page_position(client), page_position(other)) == (1, 2)
