"""A shop with goods, and purchases carried through it step by step.

    def test_…(shop):
        order_id = shop.place()                    # one mug, a good card; accepted by the intake
        shop.run()                                 # the saga, in this process, until nothing is due
        shop.assert_confirmed(order_id)

The gateway is the sandbox process, over HTTP. Nothing here sleeps: backoffs, leases and deadlines
are ended by writing their columns (`hurry`, `end_leases`, `pass_deadline`), because the database's
clock is the only one that decides.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from unittest import mock
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test import Client
from djstripe.models import WebhookEndpoint

from apps.catalog.models import Variant
from apps.inventory.models import Hold, StockItem, StockMovement
from apps.notifications.models import Notification
from apps.orders import audit
from apps.orders.audit import Finding
from apps.orders.fulfilment import shipping
from apps.orders.intake import CheckoutRequest, queue
from apps.orders.models import Order, OrderEvent, Saga, SagaStep
from apps.orders.saga import engine, pay_again, placement
from apps.orders.saga.placement import SagaUpdate
from apps.payments import gateway as gateways
from apps.payments import inbox
from apps.payments.models import Payment
from apps.payments.stripe_gateway import StripeGateway
from apps.promos.models import Promo, Redemption
from apps.shipping import rates as shipping_rates
from apps.shipping.models import Shipment
from apps.taxes import rates as tax_rates
from tests.factories import ADDRESS, a_mug, a_sales_tax, ship_everywhere
from tests.payments.patience import patience_of
from tests.payments.sandbox_process import KEY, SandboxProcess
from tests.threads import at_once as at_once

MUG_PRICE, SHIPPING, TAX = 1800, 599, 149  # minor units; 8.25 % of 1800, half up
TOTAL = MUG_PRICE + SHIPPING + TAX
WEBHOOK_SECRET = "whsec_" + "s" * 32


@pytest.fixture
def committed_database(transactional_db: None) -> Iterator[None]:
    """Real commits, because the intake and the threads of these tests have their own connections.

    Also, the audit's snapshot cannot be taken inside a test's transaction.
    """
    yield
    queue.drain()


@pytest.fixture
def shop(
    committed_database: None,
    sandbox: SandboxProcess,
    settings: Any,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Shop]:
    """An open shop: ten mugs, shipping anywhere, sales tax, the sandbox as its gateway."""
    settings.STRIPE_API_HOST = sandbox.url
    shipping_rates.forget()
    tax_rates.forget()
    ship_everywhere(price=SHIPPING)
    a_sales_tax()
    gateways._gateway = StripeGateway(
        secret_key=KEY, api_host=sandbox.url, read_timeout_s=patience_of(request)
    )
    # A backoff ends when the test says so (`hurry`), however slow the machine is.
    monkeypatch.setattr(placement, "BACKOFF_FIRST", 3600.0)
    monkeypatch.setattr(placement, "BACKOFF_CAP", 3600.0)
    yield Shop(sandbox, a_mug(stock=10, price=MUG_PRICE), Client(raise_request_exception=False))
    gateways._forget_after_fork()
    shipping_rates.forget()
    tax_rates.forget()


@pytest.fixture
def declines_are_final(settings: Any) -> None:
    """A declined order is undone at once: for tests whose subject is the undo."""
    settings.PAYMENT_RETRY_TIME = timedelta(0)


class Shop:
    """What a test does to the shop, and what it looks at. Orders are named by their id."""

    def __init__(self, sandbox: SandboxProcess, mug: Variant, browser: Client) -> None:
        self.sandbox = sandbox
        self.mug = mug
        self.browser = browser

    # --- what people do --------------------------------------------------------------------------

    def place(
        self,
        *lines: tuple[Variant, int],
        card: str = "pm_card_visa",
        promo: Promo | tuple[Promo, ...] = (),
        email: str = "alice@example.com",
    ) -> UUID:
        """Order `lines` (one mug, unless said); accepted, and nothing further."""
        lines = lines or ((self.mug, 1),)
        key = str(uuid4())
        promos = promo if isinstance(promo, tuple) else (promo,)
        return queue.place_order(
            CheckoutRequest(
                scope="guest",
                key=key,
                fingerprint=hashlib.sha256(key.encode()).digest(),
                lines=tuple((variant.sku, quantity) for variant, quantity in lines),
                email=email,
                shipping_address=ADDRESS.copy(),
                shipping_method="standard",
                payment_method=card,
                promo_codes=tuple(each.code for each in promos),
            )
        ).order_id

    def place_confirmed(self, *lines: tuple[Variant, int], **given: Any) -> UUID:
        order_id = self.place(*lines, **given)
        self.run()
        self.assert_confirmed(order_id)
        return order_id

    def place_delivered(self, *lines: tuple[Variant, int], **given: Any) -> UUID:
        order_id = self.place_confirmed(*lines, **given)
        shipping.hand_to_carrier(order_id, actor="clerk")
        shipping.mark_delivered(order_id, actor="clerk")
        return order_id

    def pay_again(self, order_id: UUID, card: str = "pm_card_visa") -> None:
        """Pay with another card; accepted, and nothing further."""
        pay_again.pay_again(order_id, payment_method=card)

    def answer_challenge(self, order_id: UUID, decision: str) -> None:
        """Press `approve` or `refuse` on the bank's page."""
        page = urlsplit(self.payment(order_id).next_action_url).path
        assert self.sandbox.raw("POST", page, f"decision={decision}", key="").status == 303

    # --- what time does --------------------------------------------------------------------------

    def run(self, *, rounds: int = 60) -> int:
        """The saga until nothing is due; how many were claimed."""
        claimed = 0
        for _ in range(rounds):
            count = engine.advance()
            if not count:
                return claimed
            claimed += count
        raise AssertionError(f"sagas are still due after {rounds} rounds")

    def run_hurried(self, *order_ids: UUID, rounds: int = 60) -> None:
        """The saga until these orders are over, every backoff cut short."""
        for _ in range(rounds):
            self.run()
            under_way = Saga.objects.filter(
                order_id__in=order_ids, state__in=["forward", "undoing"]
            )
            if not under_way.exists():
                return
            self.hurry()
        raise AssertionError(f"{[str(s) for s in under_way]} after {rounds} rounds")

    def run_until_step(self, order_id: UUID, step: str) -> None:
        """Run forward until `step` is the next one; the saga is released after each step."""
        with mock.patch.object(SagaUpdate, "goes_on", False):
            while self.saga(order_id).step != step:
                assert engine.advance() > 0

    def hurry(self) -> None:
        """End every backoff; sagas that wait for a webhook go on waiting."""
        Saga.objects.filter(
            state__in=["forward", "undoing"], lease_until__isnull=True, waiting_for=""
        ).update(due_at="2020-01-01T00:00Z")

    def wake(self, order_id: UUID) -> None:
        """Make it due now, as after a webhook."""
        Saga.objects.filter(order_id=order_id).update(due_at="2020-01-01T00:00Z")

    def end_leases(self) -> None:
        """End the leases of dead workers."""
        Saga.objects.filter(lease_until__isnull=False).update(
            lease_until="2020-01-01T00:00Z", due_at="2020-01-01T00:00Z"
        )

    def pass_deadline(self, order_id: UUID) -> None:
        """The hold and the saga's deadline are over."""
        past = "2020-01-01T00:00Z"
        Hold.objects.filter(order_id=order_id).update(expires_at=past)
        Saga.objects.filter(order_id=order_id).update(deadline_at=past)
        Saga.objects.filter(order_id=order_id, lease_until__isnull=True).update(due_at=past)

    # --- webhooks --------------------------------------------------------------------------------

    def endpoint(self, *, secret: str = WEBHOOK_SECRET, livemode: bool = False) -> str:
        """The address of a webhook endpoint of this shop, made on first use."""
        made, _ = WebhookEndpoint.objects.get_or_create(
            id="we_" + hashlib.sha256(secret.encode()).hexdigest()[:24],
            defaults={
                "secret": secret,
                "livemode": livemode,
                "url": "http://shop.test/stripe/webhook/",
                "enabled_events": ["*"],
                "status": "enabled",
                "api_version": "2026-08-26.dahlia",
            },
        )
        return f"/stripe/webhook/{made.djstripe_uuid}/"

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """The gateway's events, oldest first; only those of `kinds` when given."""
        listed = self.sandbox.client().raw_request("get", "/v1/events", limit=100).data["data"]
        return [event for event in reversed(listed) if not kinds or event["type"] in kinds]

    def post_webhook(self, event: Any, **given: Any) -> int:
        """POST `event` (a dict, or raw bytes) as the gateway would; the answer's status."""
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        headers = {"HTTP_STRIPE_SIGNATURE": given.pop("signature", None) or signed(body)} | given
        headers = {name: value for name, value in headers.items() if value != ""}
        to = headers.pop("to", None) or self.endpoint()
        answer = self.browser.post(to, body, content_type="application/json", **headers)
        return int(answer.status_code)

    def hear(self, *kinds: str) -> None:
        """Every event of the gateway so far arrives and is applied."""
        for event in self.events(*kinds):
            assert self.post_webhook(event) == 200
        while inbox.apply_due():
            pass

    # --- what is there ---------------------------------------------------------------------------

    def order(self, order_id: UUID) -> Order:
        return Order.objects.get(pk=order_id)

    def saga(self, order_id: UUID) -> Saga:
        return Saga.objects.get(pk=order_id)

    def payment(self, order_id: UUID) -> Payment:
        """The live attempt."""
        return Payment.objects.get(order_id=order_id, live=True)

    def attempts(self, order_id: UUID) -> list[tuple[str, bool]]:
        """(status, live) of each attempt to pay, the first one first."""
        tried = Payment.objects.filter(order_id=order_id).order_by("attempt")
        return list(tried.values_list("status", "live"))

    def statuses(self, order_id: UUID) -> list[str]:
        """The order's moves; that `seq` counts them without a gap is asserted on the way."""
        events = list(OrderEvent.objects.filter(order_id=order_id).order_by("seq"))
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        order = self.order(order_id)
        assert (order.seq, order.status) == (len(events), events[-1].status)
        return [event.status for event in events]

    def log(self, order_id: UUID, *outcomes: str) -> list[str]:
        """`"do capture_payment: done"` … in order; only those of `outcomes` when given."""
        steps = SagaStep.objects.filter(saga_id=order_id).order_by("id")
        return [str(step) for step in steps if not outcomes or step.outcome in outcomes]

    def stock(self, variant: Variant | None = None) -> tuple[int, int]:
        """(on hand, reserved)."""
        item = StockItem.objects.get(variant=variant or self.mug)
        return item.on_hand, item.reserved

    def movements(self, variant: Variant | None = None) -> list[tuple[str, int]]:
        moved = StockMovement.objects.filter(stock_item__variant=variant or self.mug)
        return list(moved.order_by("created_at").values_list("kind", "quantity"))

    def holds(self, order_id: UUID) -> list[str]:
        return list(Hold.objects.filter(order_id=order_id).values_list("state", flat=True))

    def mails(self, order_id: UUID) -> list[str]:
        found = Notification.objects.filter(order_id=order_id).order_by("id")
        return list(found.values_list("kind", flat=True))

    def intents(self, order_id: UUID | None = None) -> list[dict[str, Any]]:
        """Payments as the gateway has them."""
        return [
            intent
            for intent in self.sandbox.intents()
            if order_id is None or intent["metadata"].get("order_id") == str(order_id)
        ]

    def at_gateway(self, order_id: UUID) -> list[tuple[str, int, int]]:
        """(status, received, refunded) of each of the order's payments at the gateway."""
        return [
            (intent["status"], intent["amount_received"], intent["amount_refunded"])
            for intent in self.intents(order_id)
        ]

    # --- what must hold --------------------------------------------------------------------------

    def assert_confirmed(self, order_id: UUID) -> None:
        """Paid once, sold once, labelled, and one mail."""
        order = self.order(order_id)
        assert order.status == "CONFIRMED", self.log(order_id)
        payment = self.payment(order_id)
        assert (payment.status, payment.captured_amount, payment.refunded_amount) == (
            "captured",
            order.total_amount,
            0,
        )
        # Of earlier cards nothing can be taken any more.
        charged = [found for found in self.at_gateway(order_id) if found != ("canceled", 0, 0)]
        assert charged == [("succeeded", order.total_amount, 0)]
        tried = set(Payment.objects.filter(order_id=order_id).values_list("status", flat=True))
        assert tried <= {"captured", "voided", "refunded"}
        assert set(self.holds(order_id)) == {"confirmed"}
        told = [kind for kind in self.mails(order_id) if kind != "payment_declined"]
        assert told == ["order_confirmed"]
        assert Shipment.objects.get(order_id=order_id).state == "labelled"
        assert (self.saga(order_id).state, self.saga(order_id).due_at) == ("done", None)
        self.assert_audit_clean()

    def assert_cancelled(self, order_id: UUID) -> None:
        """Nothing is held, no money is kept, and the shopper got a mail."""
        assert self.order(order_id).status == "CANCELLED", self.log(order_id)
        assert (self.saga(order_id).state, self.saga(order_id).due_at) == ("undone", None)
        payment = self.payment(order_id)
        assert payment.status in ("voided", "refunded")
        assert payment.captured_amount == payment.refunded_amount
        for tried in Payment.objects.filter(order_id=order_id):
            assert tried.status in ("voided", "refunded")
        for status, received, refunded in self.at_gateway(order_id):
            assert status in ("canceled", "succeeded", "requires_payment_method")
            assert received == refunded
        assert set(self.holds(order_id)) <= {"released", "restocked"}
        assert not Redemption.objects.filter(order_id=order_id, live=True).exists()
        assert self.mails(order_id).count("order_cancelled") == 1
        parcels = Shipment.objects.filter(order_id=order_id)
        assert set(parcels.values_list("state", flat=True)) <= {"cancelled"}
        self.assert_audit_clean()

    def violations(self, *, liveness: bool = True) -> dict[int, Finding]:
        """What the audit finds wrong, the gateway's books included; by invariant."""
        findings = [
            *audit.check(liveness=liveness),
            audit.check_gateway(gateways.get_gateway(), second_look_after=audit.NO_TIME),
        ]
        return {finding.number: finding for finding in findings if not finding.holds}

    def assert_audit_clean(self) -> None:
        found = self.violations()
        assert not found, "\n".join(x for finding in found.values() for x in finding.examples)


class Killed(BaseException):
    """Stands for SIGKILL: nothing after it runs, no handler catches it."""


def signed(body: bytes, *, secret: str = WEBHOOK_SECRET, at: float | None = None) -> str:
    """The `Stripe-Signature` header of a body."""
    moment = int(time.time() if at is None else at)
    mac = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256)
    return f"t={moment},v1={mac.hexdigest()}"


def sql(statement: str, *given: Any) -> int:
    """Write to the database directly; how many rows. Triggers do not fire."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(statement, given)
        count: int = cursor.rowcount
        cursor.execute("RESET session_replication_role")
    return count


_numbers = itertools.count(1)


def an_event(kind: str, shown: dict[str, Any], **given: Any) -> dict[str, Any]:
    """An event as the gateway sends it, about the object `shown`."""
    return {
        "id": f"evt_test_{next(_numbers)}_{uuid4().hex[:8]}",
        "object": "event",
        "api_version": "2026-08-26.dahlia",
        "created": int(time.time()),
        "livemode": False,
        "type": kind,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "data": {"object": shown},
    } | given
