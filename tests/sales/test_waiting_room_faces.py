"""The waiting room as an app and as a page: queue, look, be let on, order; survive a reload."""

import re
import time
from typing import Any

import pytest
import redis
from django.conf import settings
from django.test import Client
from django.urls import reverse

from apps.catalog.models import Variant
from apps.orders.models import Order
from apps.sales import waiting_room
from apps.sales.models import FlashSale
from tests.factories import ADDRESS, a_flash_sale, a_mug

pytestmark = pytest.mark.usefixtures("open_shop")

QUEUE = "/api/v1/waiting-rooms/winter-sale/"


def set_pace(sale: FlashSale, seconds_ago: float) -> None:
    """Who was let on last, and when; in the future: nobody is let on."""
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


def test_app_queues_up_is_let_on_and_orders(client: Client, sale: FlashSale, mug: Variant) -> None:
    refused = order(client, mug)
    assert (refused.status_code, refused.json()["code"]) == (429, "waiting_room")
    place = refused.json()["waiting_room"]
    assert (place["position"], place["admitted"], int(refused["Retry-After"])) == (1, False, 3)
    behind = client.post(QUEUE)
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


def test_looking_without_a_ticket_or_for_a_sale_that_is_none_is_404(
    client: Client, sale: FlashSale
) -> None:
    assert client.get(QUEUE).status_code == 404
    assert client.get(QUEUE, headers={"X-Waiting-Ticket": "made-up"}).status_code == 404
    assert client.post("/api/v1/waiting-rooms/no-such-sale/").status_code == 404


def page_position(client: Client) -> int:
    page = client.get(reverse("shop:waiting-room", args=["winter-sale"]))
    assert page.status_code == 200
    found = re.search(r"data-position>(\d+)<", page.content.decode())
    assert found is not None
    return int(found[1])


def add_to_cart(client: Client, mug: Variant) -> None:
    address = reverse("shop:product", args=[mug.product.slug])
    assert client.post(address, {"quantity": 1}).status_code in (302, 303)


def test_checkout_page_leads_to_the_queue_and_the_queue_back_to_it(
    client: Client, sale: FlashSale, mug: Variant
) -> None:
    add_to_cart(client, mug)

    sent = client.get(reverse("shop:checkout"))
    assert sent["Location"] == "/queue/winter-sale/?next=/checkout/"
    assert page_position(client) == 1
    assert page_position(Client()) == 2
    assert page_position(client) == 1, "a reload keeps the place"

    set_pace(sale, 1.01)
    onward = client.get("/queue/winter-sale/?next=/checkout/")

    assert (onward.status_code, onward["Location"]) == (302, "/checkout/")
    assert client.get(reverse("shop:checkout")).status_code == 200


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


def test_form_sent_before_ones_turn_comes_back_with_what_was_typed(
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

    answer = client.post(reverse("shop:checkout"), typed)

    text = answer.content.decode()
    assert answer.status_code == 429
    assert "There is a queue for Winter Sale." in text and "You are number 1." in text
    assert "alice@example.com" in text
    assert not Order.objects.exists()
    assert page_position(client) == 1


def test_tickets_are_not_given_out_without_end(
    client: Client, sale: FlashSale, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from storefront import rate_limits
    from storefront.rate_limits import Limit

    monkeypatch.setattr(rate_limits, "TICKETS_OF_ADDRESS", Limit("tickets-test", 2, 60))

    assert [Client().get("/queue/winter-sale/").status_code for _ in range(3)] == [200, 200, 429]


def test_emptied_redis_keeps_everybodys_place(
    client: Client, sale: FlashSale, redis_of_tests: "redis.Redis"
) -> None:
    other = Client()
    page_position(client)
    page_position(other)
    with redis.Redis.from_url(settings.SALES_REDIS_URL) as rooms:
        rooms.flushdb()

    set_pace(sale, -3600)
    page_position(other)

    assert (page_position(client), page_position(other)) == (1, 2)
