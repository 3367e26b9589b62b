"""A client of the API as an app is one: JSON bodies, tokens in headers, problem documents."""

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from django.http import HttpResponse
from django.test import Client

from apps.api.auth import tokens_for
from apps.catalog.models import Variant
from apps.customers.models import User
from apps.inventory.models import StockItem
from apps.orders.intake import queue
from apps.shipping import rates as shipping_rates
from apps.taxes import rates as tax_rates
from tests.factories import ADDRESS, a_mug, ship_everywhere

V1 = "/api/v1"


class Api:
    """One client of the API; `headers` are sent with each request (tokens of a guest, a JWT)."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self._client = Client(REMOTE_ADDR=address, raise_request_exception=False)
        self.headers: dict[str, str] = {}

    def as_user(self, user: User) -> "Api":
        self.headers["Authorization"] = f"Bearer {tokens_for(user)['access']}"
        return self

    def get(self, path: str, query: dict[str, str] | None = None, **headers: str) -> HttpResponse:
        return self._send("get", path, headers, data=query or {})

    def post(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        return self._write("post", path, body, headers)

    def put(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        return self._write("put", path, body, headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        return self._write("patch", path, body, headers)

    def delete(self, path: str, **headers: str) -> HttpResponse:
        return self._send("delete", path, headers)

    def raw(
        self, path: str, body: bytes, *, kind: str = "application/json", **headers: str
    ) -> HttpResponse:
        return self._send("post", path, headers, data=body, content_type=kind)

    def checkout(self, body: dict[str, Any], *, key: str | None = None, **headers: str):
        key = uuid.uuid4().hex if key is None else key
        return self.post(
            "/checkouts/", body, **({"Idempotency-Key": key} if key else {}), **headers
        )

    def new_cart(self) -> dict[str, Any]:
        made = self.post("/carts/")
        assert made.status_code == 201, made.content
        if made.json()["token"]:
            self.headers["X-Cart-Token"] = made.json()["token"]
        return made.json()

    def _write(self, method: str, path: str, body: Any, headers: dict[str, str]) -> HttpResponse:
        # Without a body Django's client would send an empty form.
        data = b"" if body is None else json.dumps(body)
        return self._send(method, path, headers, data=data, content_type="application/json")

    def _send(self, method: str, path: str, headers: dict[str, str], **more: Any) -> HttpResponse:
        address = path if path.startswith(("/api", "http")) else V1 + path
        sent = {name.replace("_", "-"): text for name, text in headers.items()}
        return getattr(self._client, method)(address, headers=self.headers | sent, **more)


@pytest.fixture
def api() -> Api:
    """A guest."""
    return Api()


@pytest.fixture
def other() -> Api:
    """Another client, at another address."""
    return Api("198.51.100.7")


@pytest.fixture(autouse=True)
def fresh_tables() -> None:
    """Rates are cached for seconds, longer than a test takes."""
    shipping_rates.forget()
    tax_rates.forget()


@pytest.fixture
def carts_redis(settings, redis_of_tests: None) -> Iterator[redis.Redis]:
    """The Redis that keeps guests' carts."""
    with redis.Redis.from_url(settings.CARTS_REDIS_URL, decode_responses=True) as client:
        yield client


@pytest.fixture
def intake_drained() -> Iterator[None]:
    """The committing thread ends with the test, before its tables are emptied."""
    yield
    queue.drain()


@pytest.fixture
def shop(transactional_db: None, intake_drained: None) -> Iterator[None]:
    """A shop that takes orders: committed rows, since the intake has a connection of its own."""
    ship_everywhere(price=599)
    yield


@pytest.fixture
def mug(shop: None) -> Variant:
    return a_mug(stock=3, price=1800)


@pytest.fixture
def buy(mug: Variant) -> Callable[..., dict[str, Any]]:
    """The body of a checkout for one mug, with changes."""

    def body(**changes: Any) -> dict[str, Any]:
        whole = {
            "lines": [{"sku": mug.sku, "quantity": 1}],
            "email": "alice@example.com",
            "shipping_address": dict(ADDRESS),
            "shipping_method": "standard",
            "payment_method": "pm_card_visa",
        } | changes
        return {name: value for name, value in whole.items() if value is not ...}

    return body


def held(variant: Variant) -> int:
    """How many units open orders hold."""
    return StockItem.objects.get(variant=variant).reserved


def problem(response: HttpResponse, status: int, code: str) -> dict[str, Any]:
    """The problem document of a refusal, which must be this one."""
    found = response.content[:400]
    assert response.status_code == status, found
    assert response["Content-Type"] == "application/problem+json", found
    document = response.json()
    assert document["code"] == code, found
    assert document["status"] == status
    assert {"type", "title", "detail"} <= document.keys()
    return document
