"""What the cases of the parity test ask for. Made when it is first named."""

import json
from datetime import timedelta
from functools import cached_property
from typing import Any

from django.utils import timezone
from djstripe.models import WebhookEndpoint

from apps.api.auth import tokens_for
from apps.catalog.models import Variant
from apps.core import rate_limits
from apps.customers.models import User
from tests.factories import ADDRESS, a_flash_sale, a_mug, make_alice
from tests.fastpath.wsgi_client import Environ, exchange, request
from tests.orders.purchases import WEBHOOK_SECRET, an_event, signed

HOST = "shop.example"
CLIENT = "203.0.113.9"  # as the proxy says it
THROUGH_PROXY = {
    "HTTP_HOST": HOST,
    "HTTP_X_FORWARDED_PROTO": "https",
    "HTTP_X_FORWARDED_FOR": CLIENT,
}


class World:
    """An open shop and its Django application."""

    def __init__(self, django: Any) -> None:
        self.django = django

    # --- Goods and people ------------------------------------------------------------------------

    @cached_property
    def mug(self) -> Variant:
        return a_mug(sku="MUG", stock=100)

    @cached_property
    def gone(self) -> Variant:
        """Sold out, in a flash sale with a stock gate."""
        gone = a_mug(sku="GONE", stock=0)
        a_flash_sale(gone)
        return gone

    @cached_property
    def on_sale(self) -> Variant:
        """Enough of it, in a flash sale with a stock gate."""
        on_sale = a_mug(sku="ON-SALE", stock=100)
        a_flash_sale(on_sale)
        return on_sale

    @cached_property
    def last_one(self) -> Variant:
        last_one = a_mug(sku="LAST", stock=1)
        a_flash_sale(last_one)
        return last_one

    @cached_property
    def queued(self) -> Variant:
        """Sold out, in a flash sale whose waiting room admits no one yet."""
        queued = a_mug(sku="QUEUED", stock=0)
        later = timezone.now() + timedelta(minutes=30)
        a_flash_sale(queued, waiting_room=True, starts_at=later)
        return queued

    @cached_property
    def alice(self) -> User:
        return make_alice()

    def bearer(self) -> str:
        return f"Bearer {tokens_for(self.alice)['access']}"

    # --- Requests --------------------------------------------------------------------------------

    def checkout(self, *skus: str, key: str = "k", body: Any = None, **changes: Any) -> Environ:
        """POST of a checkout of one unit each of `skus`; `body` are changes to it, or its bytes."""
        lines = [{"sku": getattr(self, sku).sku, "quantity": 1} for sku in skus or ("mug",)]
        plain = {
            "lines": lines,
            "email": "alice@example.com",
            "shipping_address": ADDRESS,
            "shipping_method": "standard",
            "payment_method": "pm_card_visa",
        }
        sent = body if isinstance(body, bytes) else plain | (body or {})
        given = THROUGH_PROXY | {"HTTP_IDEMPOTENCY_KEY": key} | changes
        return request("/api/v1/checkouts/", sent, **given)

    def order(self, *skus: str, **given: Any) -> None:
        """A checkout through Django that is accepted."""
        status, _, body = exchange(self.django, self.checkout(*skus, **given))
        assert status == "202 Accepted", body

    def use_up_rate_limit(self) -> None:
        """The address has begun all checkouts that it may begin in a minute."""
        for _ in range(rate_limits.CHECKOUTS_OF_ADDRESS.amount):
            rate_limits.count(rate_limits.CHECKOUTS_OF_ADDRESS, CLIENT)

    def page(self, **changes: Any) -> Environ:
        """GET of the mug's page."""
        plain = {"REQUEST_METHOD": "GET", "CONTENT_TYPE": "absent", "CONTENT_LENGTH": "absent"}
        return request(f"/p/{self.mug.product.slug}/", b"", **THROUGH_PROXY | plain | changes)

    def render_page(self) -> None:
        """The page is in the cache."""
        assert exchange(self.django, self.page())[0] == "200 OK"

    @cached_property
    def endpoint(self) -> str:
        made = WebhookEndpoint.objects.create(
            id="we_parity",
            secret=WEBHOOK_SECRET,
            livemode=False,
            url="https://shop.example/stripe/webhook/",
            enabled_events=["*"],
            status="enabled",
            api_version="2026-08-26.dahlia",
        )
        return f"/stripe/webhook/{made.djstripe_uuid}/"

    def webhook(self, body: bytes | None = None, **changes: Any) -> Environ:
        """POST of a signed event."""
        sent = json.dumps(an_event("charge.succeeded", {})).encode() if body is None else body
        given = THROUGH_PROXY | {"HTTP_STRIPE_SIGNATURE": signed(sent)} | changes
        return request(self.endpoint, sent, **given)
