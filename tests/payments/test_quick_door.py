"""A webhook in order does not pass through Django, and the gateway hears the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import OperationalError

from apps.payments import inbox, webhooks
from apps.payments.models import WebhookInbox
from apps.payments.quick_door import QuickDoor
from storefront.wsgi import application
from storefront.wsgi import shop as through_django
from tests import in_front
from tests.in_front import Behind, answer
from tests.orders.purchases import Shop, an_event, signed


@pytest.fixture
def behind() -> Behind:
    return Behind()


def request(to: str, event: dict[str, Any], **changes: str) -> dict[str, Any]:
    body = json.dumps(event).encode()
    return in_front.request(to, body, **({"HTTP_STRIPE_SIGNATURE": signed(body)} | changes))


def test_signed_event_is_kept_without_django_and_the_answer_is_the_same(
    shop: Shop, behind: Behind
) -> None:
    first, second = an_event("charge.succeeded", {}), an_event("charge.succeeded", {})

    quick = answer(QuickDoor(behind), request(shop.endpoint(), first))
    slow = answer(through_django, request(shop.endpoint(), second))

    assert behind.times == 0
    assert quick == slow
    assert quick[0] == "200 OK"
    kept = set(WebhookInbox.objects.values_list("event_id", flat=True))
    assert kept == {first["id"], second["id"]}


def test_known_event_is_one_row(shop: Shop, behind: Behind) -> None:
    event = an_event("charge.succeeded", {})
    for _ in range(3):
        assert answer(QuickDoor(behind), request(shop.endpoint(), event))[0] == "200 OK"

    assert WebhookInbox.objects.count() == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"HTTP_STRIPE_SIGNATURE": "t=1,v1=00"},
        {"HTTP_STRIPE_SIGNATURE": "absent"},
        {"CONTENT_LENGTH": str(webhooks.MOST_BYTES + 1)},
        {"CONTENT_LENGTH": "²"},
        {"HTTP_HOST": "evil.example"},
        {"REQUEST_METHOD": "GET"},
        {"PATH_INFO": "/stripe/webhook/01234567-89ab-4def-8123-456789abcdef/"},
        {"PATH_INFO": "/stripe/webhook/nobody/"},
    ],
    ids=str,
)
def test_whatever_is_not_in_order_is_left_to_django(
    shop: Shop, behind: Behind, changes: dict[str, str]
) -> None:
    event = an_event("charge.succeeded", {})

    through = answer(QuickDoor(behind), request(shop.endpoint(), event, **changes))

    assert behind.times == 1
    assert through[0] == answer(through_django, request(shop.endpoint(), event, **changes))[0]
    assert through[0][0] == "4"
    assert not WebhookInbox.objects.exists()


def test_database_that_is_away_is_no_200(
    shop: Shop, behind: Behind, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> bool:
        raise OperationalError("server closed the connection unexpectedly")

    event, to = an_event("charge.succeeded", {}), shop.endpoint()
    with monkeypatch.context() as patch:
        patch.setattr(inbox, "store", away)
        told = answer(QuickDoor(behind), request(to, event))

    assert told[0] == "503 Service Unavailable"
    assert "Retry-After" in told[1]
    assert answer(QuickDoor(behind), request(to, event))[0] == "200 OK"


def test_exchanged_secret_counts_after_a_moment(
    shop: Shop, behind: Behind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "REMEMBER_FOR", 0.0)
    event, to = an_event("charge.succeeded", {}), shop.endpoint()
    assert answer(QuickDoor(behind), request(to, event))[0] == "200 OK"
    webhooks.WebhookEndpoint.objects.update(secret="whsec_another")

    assert answer(QuickDoor(behind), request(to, event))[0] == "400 Bad Request"


def test_real_server_has_this_door(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(self: object, environ: object, start_response: object) -> None:
        raise AssertionError("this went through Django")

    monkeypatch.setattr("django.core.handlers.wsgi.WSGIHandler.__call__", nobody)

    event = an_event("charge.succeeded", {})
    assert answer(application, request(shop.endpoint(), event))[0] == "200 OK"
