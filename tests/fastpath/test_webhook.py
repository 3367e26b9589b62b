"""A signed webhook is stored without Django, and the gateway gets the same answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import OperationalError
from djstripe.models import WebhookEndpoint

from apps.fastpath.webhook import WebhookShortcut
from apps.payments import inbox, webhooks
from apps.payments.models import WebhookInbox
from storefront.wsgi import application
from storefront.wsgi import shop as through_django
from tests.fastpath import wsgi_client
from tests.fastpath.wsgi_client import Behind, answer
from tests.orders.purchases import Shop, an_event, signed


def request(to: str, event: dict[str, Any], **changes: str) -> dict[str, Any]:
    body = json.dumps(event).encode()
    return wsgi_client.request(to, body, **({"HTTP_STRIPE_SIGNATURE": signed(body)} | changes))


def test_signed_event_is_stored_without_django_and_the_answer_is_the_same(
    shop: Shop, behind: Behind
) -> None:
    first, second = an_event("charge.succeeded", {}), an_event("charge.succeeded", {})

    quick = answer(WebhookShortcut(behind), request(shop.endpoint(), first))
    slow = answer(through_django, request(shop.endpoint(), second))

    assert behind.times == 0
    assert quick == slow
    assert quick[0] == "200 OK"
    kept = set(WebhookInbox.objects.values_list("event_id", flat=True))
    assert kept == {first["id"], second["id"]}


def test_known_event_is_one_row(shop: Shop, behind: Behind) -> None:
    event = an_event("charge.succeeded", {})
    for _ in range(3):
        assert answer(WebhookShortcut(behind), request(shop.endpoint(), event))[0] == "200 OK"

    assert WebhookInbox.objects.count() == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"HTTP_STRIPE_SIGNATURE": "t=1,v1=00"},
        {"HTTP_STRIPE_SIGNATURE": "absent"},
        {"CONTENT_LENGTH": str(webhooks.MOST_BYTES + 1)},
        {"CONTENT_LENGTH": "²"},
        {"CONTENT_TYPE": "text/plain"},
        {"CONTENT_TYPE": "application/x-www-form-urlencoded"},
        {"CONTENT_TYPE": "absent"},
        {"HTTP_HOST": "evil.example"},
        {"REQUEST_METHOD": "GET"},
        {"PATH_INFO": "/stripe/webhook/01234567-89ab-4def-8123-456789abcdef/"},
        {"PATH_INFO": "/stripe/webhook/nobody/"},
    ],
    ids=str,
)
def test_webhook_that_cannot_be_stored_is_left_to_django(
    shop: Shop, behind: Behind, changes: dict[str, str]
) -> None:
    event = an_event("charge.succeeded", {})

    through = answer(WebhookShortcut(behind), request(shop.endpoint(), event, **changes))

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
        told = answer(WebhookShortcut(behind), request(to, event))

    assert told[0] == "503 Service Unavailable"
    assert "Retry-After" in told[1]
    assert answer(WebhookShortcut(behind), request(to, event))[0] == "200 OK"


def test_exchanged_secret_counts_after_a_moment(
    shop: Shop, behind: Behind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "REMEMBER_FOR", 0.0)
    event, to = an_event("charge.succeeded", {}), shop.endpoint()
    assert answer(WebhookShortcut(behind), request(to, event))[0] == "200 OK"
    WebhookEndpoint.objects.update(secret="whsec_another")

    assert answer(WebhookShortcut(behind), request(to, event))[0] == "400 Bad Request"


def test_server_has_this_shortcut(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_application(self: object, environ: object, start_response: object) -> None:
        raise AssertionError("this went through Django")

    monkeypatch.setattr("django.core.handlers.wsgi.WSGIHandler.__call__", no_application)

    event = an_event("charge.succeeded", {})
    assert answer(application, request(shop.endpoint(), event))[0] == "200 OK"
