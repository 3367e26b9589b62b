"""Erasing a buyer: nothing in the database names them, and the books are as they were."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.backends.cached_db import SessionStore
from django.contrib.sessions.models import Session
from django.db import connection
from djstripe.models import Event, WebhookEndpoint, WebhookEventTrigger

from apps.api.models import KeptAnswer
from apps.backoffice import decision_log
from apps.backoffice.models import Decision
from apps.core.erased_person import is_erased
from apps.customers import addresses, tokens
from apps.customers.models import User
from apps.notifications import outbox
from apps.notifications.models import Notification
from apps.orders.erasure import NotErasable, erase_account, erase_guest
from apps.orders.fulfilment import shipping
from apps.orders.fulfilment.cancellation import request_cancellation
from apps.orders.fulfilment.returns import receive_return, request_return
from apps.orders.intake import CheckoutRequest, queue
from apps.orders.models import IdempotencyKey, Order, OrderEvent, OrderLine
from apps.payments.models import Discrepancy, GatewayCall, Payment, Refund, WebhookInbox
from apps.payments.refunds import request_refund, send_due
from apps.promos.models import Redemption
from tests.factories import CartLineFactory, PromoFactory, StaffFactory, UserFactory
from tests.orders.purchases import Shop, an_event

NAME, EMAIL, STREET = "Zoë Quillfeather", "zoe.quillfeather@example.com", "77 Nutmeg Crescent"
PHONE = "+15035550142"
PERSON = (NAME, EMAIL, STREET, PHONE, "Quillfeather")
HOME = {
    "name": NAME, "line1": STREET, "line2": "", "city": "Portland", "region": "OR",
    "postal_code": "97201", "country": "US", "phone": PHONE,
}  # fmt: skip


def found(words: Iterable[str]) -> dict[str, list[str]]:
    """By table and column of text or JSON, the words that stand in it."""
    where: dict[str, list[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute("""
            SELECT table_name, column_name FROM information_schema.columns
            JOIN information_schema.tables USING (table_schema, table_name)
            WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
              AND data_type IN ('text', 'character varying', 'json', 'jsonb', 'ARRAY')
        """)
        for table, column in cursor.fetchall():
            for word in words:
                forms = {word, json.dumps(word)[1:-1]}
                for form in forms:
                    pattern = "%" + form.replace("\\", "\\\\") + "%"
                    cursor.execute(
                        f'SELECT count(*) FROM "{table}" WHERE "{column}"::text ILIKE %s',
                        [pattern],
                    )
                    if cursor.fetchone()[0]:
                        where.setdefault(f"{table}.{column}", []).append(word)
    return where


def order_of(shop: Shop, *, user: User | None, email: str = EMAIL, **given: Any) -> UUID:
    return queue.place_order(
        CheckoutRequest(
            scope=f"user:{user.pk}" if user else "guest",
            key=f"{email}/{uuid4()}",
            fingerprint=hashlib.sha256(email.encode()).digest(),
            lines=((shop.mug.sku, 1),),
            email=email,
            shipping_address=HOME.copy(),
            billing_address=HOME | {"line2": "The attic"},
            shipping_method="standard",
            payment_method="pm_card_visa",
            user_id=user.pk if user else None,
            **given,
        )
    ).order_id


def delivered(shop: Shop, order_id: UUID) -> UUID:
    shop.run()
    shipping.hand_to_carrier(order_id, actor="clerk")
    shipping.mark_delivered(order_id, actor="clerk")
    return order_id


@pytest.fixture
def zoe(db: None) -> User:
    return UserFactory(email=EMAIL, name=NAME)


@pytest.fixture
def everywhere(shop: Shop, zoe: User) -> tuple[UUID, ...]:
    """Zoë in every table that may name a buyer; her orders, all of them over."""
    promo = PromoFactory(code="ZOES", customer_limit=2)
    bought = delivered(shop, order_of(shop, user=zoe, promo_codes=(promo.code,)))
    as_guest = delivered(shop, order_of(shop, user=None, email="Zoe.Quillfeather+1@example.com"))
    called_off = order_of(shop, user=zoe)
    shop.run()
    request_cancellation(called_off, actor=zoe.email)
    shop.run_hurried(called_off)
    back = request_return(bought, lines=[(shop.mug.sku, 1)], reason=f"{NAME} has no use for it")
    receive_return(back.pk, actor="clerk")
    send_due()
    addresses.create(zoe, HOME)
    CartLineFactory(cart__user=zoe, sku=shop.mug.sku)
    tokens.issue(zoe)
    session = SessionStore()
    session["checkout_form"] = HOME | {"email": EMAIL}
    session.create()
    signed_in = SessionStore()
    signed_in["_auth_user_id"] = str(zoe.pk)
    signed_in.create()
    outbox.put_account("password_reset", to=EMAIL, subject=f"For {NAME}", body=f"Dear {NAME}")
    KeptAnswer.objects.create(name="a" * 64, fingerprint=b"x", status=201, body=json.dumps(HOME))
    clerk = StaffFactory()
    for record, text in (
        (zoe, json.dumps([{"added": {"name": "address", "object": f"{NAME}, {STREET}"}}])),
        (Order.objects.get(pk=bought), f"Refund of $1.00 asked for. {NAME} called from {PHONE}"),
    ):
        LogEntry.objects.create(
            user=clerk, content_type=ContentType.objects.get_for_model(record),
            object_id=str(record.pk), object_repr=str(record), action_flag=CHANGE,
            change_message=text,
        )  # fmt: skip
    decision_log.record(
        "refund", "r-1", "retry", actor="clerk", reason=f"{EMAIL} asked", order_id=bought
    )
    payment = Payment.objects.get(order_id=bought)
    GatewayCall.objects.create(
        payment=payment, purpose="x", outcome="answered", detail=f"for {EMAIL}"
    )
    intent = {
        "object": "payment_intent", "id": payment.intent_id, "receipt_email": EMAIL,
        "description": f"Mugs for {NAME}", "amount": 2547,
        "latest_charge": {"billing_details": {"name": NAME, "phone": PHONE},
                          "payment_method_details": {"card": {"brand": "visa", "last4": "4242"}}},
    }  # fmt: skip
    event = an_event("payment_intent.succeeded", intent)
    WebhookInbox.objects.create(
        event_id=event["id"], type=event["type"], payload=event, state="applied"
    )
    Event.objects.create(id=event["id"], data=event["data"], stripe_data=event, livemode=False)
    shop.endpoint()
    WebhookEventTrigger.objects.create(
        remote_ip="127.0.0.1", headers={}, body=json.dumps(event), valid=True,
        webhook_endpoint=WebhookEndpoint.objects.get(),
    )  # fmt: skip
    Discrepancy.objects.create(
        kind="disputed", subject=str(payment.intent_id), payment=payment, why=f"{NAME} disputes it",
        evidence={"there": intent}, state="resolved", resolution=f"settled with {NAME}",
        resolved_by="clerk", resolved_at="2026-01-01T00:00Z",
    )  # fmt: skip
    return bought, as_guest, called_off


def books() -> tuple[Any, ...]:
    """What bookkeeping needs, of all orders."""
    return (
        list(
            Order.objects.order_by("pk").values_list(
                "number", "status", "seq", "currency", "subtotal_amount", "discount_amount",
                "shipping_amount", "shipping_tax_amount", "tax_amount", "total_amount",
                "shipping_address__country", "shipping_address__region", "promo_codes",
            )
        ),
        list(OrderLine.objects.order_by("pk").values_list()),
        list(
            Payment.objects.order_by("pk").values_list(
                "pk", "status", "amount", "captured_amount", "refunded_amount", "intent_id"
            )
        ),
        list(Refund.objects.order_by("pk").values_list("pk", "amount", "status", "purpose")),
        list(OrderEvent.objects.order_by("pk").values_list("order", "seq", "status", "created_at")),
        list(Redemption.objects.order_by("pk").values_list("promo", "order_id", "use_number")),
    )  # fmt: skip


def test_nothing_names_an_erased_buyer_and_the_books_stay(
    shop: Shop, zoe: User, everywhere: tuple[UUID, ...]
) -> None:
    before = found(PERSON)
    assert len(before) > 20, "the person stands in every kind of table"
    kept = books()

    erase_account(zoe.pk, actor="clerk", reason=f"{NAME} asked by mail")

    assert found(PERSON) == {}
    assert not [s for s in Session.objects.all() if "Quill" in json.dumps(s.get_decoded())]
    assert Session.objects.count() == 0
    assert books() == kept
    shop.assert_audit_clean()


def test_account_is_closed_and_its_address_free_again(
    shop: Shop, zoe: User, everywhere: tuple[UUID, ...]
) -> None:
    erase_account(zoe.pk, actor="clerk", reason="asked by mail")

    zoe.refresh_from_db()
    assert is_erased(zoe.email) and zoe.name == "" and not zoe.is_active
    assert not zoe.has_usable_password() and not zoe.addresses.exists() and not zoe.carts.exists()
    assert UserFactory(email=EMAIL).pk != zoe.pk
    assert Decision.objects.filter(kind="erasure", actor="clerk").count() == 1


def test_orders_keep_country_and_region_only(
    shop: Shop, zoe: User, everywhere: tuple[UUID, ...]
) -> None:
    erase_account(zoe.pk, actor="clerk", reason="asked by mail")

    for order in Order.objects.filter(pk__in=everywhere):
        told = {part: said for part, said in order.shipping_address.items() if said}
        assert told == {"name": "Erased", "region": "OR", "country": "US"}
        assert is_erased(order.email) and is_erased(order.mailbox)
    assert {bytes(key.fingerprint) for key in IdempotencyKey.objects.all()} == {bytes(32)}


def test_second_erasure_changes_nothing(
    shop: Shop, zoe: User, everywhere: tuple[UUID, ...]
) -> None:
    erase_account(zoe.pk, actor="clerk", reason="asked by mail")
    orders = list(Order.objects.order_by("pk").values_list())
    account = User.objects.filter(pk=zoe.pk).values_list().get()

    erase_account(zoe.pk, actor="clerk", reason="pressed twice")

    assert list(Order.objects.order_by("pk").values_list()) == orders
    assert User.objects.filter(pk=zoe.pk).values_list().get() == account


def test_late_webhook_is_cleaned_by_another_erasure(shop: Shop, zoe: User) -> None:
    order_id = delivered(shop, order_of(shop, user=zoe))
    erase_account(zoe.pk, actor="clerk", reason="asked by mail")
    intent = Payment.objects.get(order_id=order_id).intent_id
    late = an_event("charge.dispute.created", {
        "object": "dispute", "id": "dp_1", "payment_intent": intent,
        "evidence": {"customer_email_address": EMAIL, "customer_name": "Z. Q."},
        "billing_details": {"name": NAME},
    })  # fmt: skip
    WebhookInbox.objects.create(event_id=late["id"], type=late["type"], payload=late)
    assert found(PERSON)

    erase_account(zoe.pk, actor="clerk", reason="a dispute came in")

    assert found((*PERSON, "Z. Q.")) == {}


@pytest.mark.parametrize("stage", ["placed", "confirmed", "shipped", "return announced", "refund"])
def test_buyer_of_an_order_under_way_is_not_erased(shop: Shop, zoe: User, stage: str) -> None:
    order_id = order_of(shop, user=zoe)
    if stage != "placed":
        shop.run()
    if stage in ("shipped", "return announced", "refund"):
        shipping.hand_to_carrier(order_id, actor="clerk")
    if stage in ("return announced", "refund"):
        shipping.mark_delivered(order_id, actor="clerk")
    if stage == "return announced":
        request_return(order_id, lines=[(shop.mug.sku, 1)], reason="too large")
    if stage == "refund":
        request_refund(order_id, amount=100, purpose="admin:1", reason="x", actor="clerk")
    before = found(PERSON)

    with pytest.raises(NotErasable) as refused:
        erase_account(zoe.pk, actor="clerk", reason="asked by mail")

    named = "refund" if stage == "refund" else shop.order(order_id).number
    assert named in str(refused.value)
    assert found(PERSON) == before


def test_staff_is_not_erased(db: None) -> None:
    clerk = StaffFactory()
    with pytest.raises(NotErasable, match="rights"):
        erase_account(clerk.pk, actor="admin", reason="left us")


def test_guest_is_erased_with_all_orders_of_the_mailbox_and_nobody_else(shop: Shop) -> None:
    first = delivered(shop, order_of(shop, user=None))
    second = delivered(shop, order_of(shop, user=None, email="zoe.quillfeather+2@example.com"))
    other = shop.place_delivered(email="bob@example.com")

    erase_guest(first, actor="clerk", reason="asked by mail")

    assert found(PERSON) == {}
    assert is_erased(shop.order(second).email)
    assert shop.order(other).email == "bob@example.com"
    assert Notification.objects.filter(to="bob@example.com", body__contains="Alice").exists()
    shop.assert_audit_clean()


def test_order_of_an_account_is_not_erased_as_a_guests(shop: Shop, zoe: User) -> None:
    order_id = delivered(shop, order_of(shop, user=zoe))
    with pytest.raises(NotErasable, match="account"):
        erase_guest(order_id, actor="clerk", reason="asked by mail")


def test_mail_to_an_erased_buyer_is_written_and_not_sent(shop: Shop) -> None:
    order_id = delivered(shop, order_of(shop, user=None))
    erase_guest(order_id, actor="clerk", reason="asked by mail")

    request_refund(order_id, amount=100, purpose="admin:1", reason="x", actor="clerk")
    send_due()

    mail = Notification.objects.get(order_id=order_id, kind="refund_sent")
    assert (mail.state, mail.last_error) == ("suppressed", "the buyer was erased")


def test_append_only_rows_change_in_nothing_but_their_texts(shop: Shop) -> None:
    order_id = shop.place()
    with pytest.raises(Exception, match="append-only"), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('storefront.erasing', 'on', false)")
        try:
            cursor.execute(
                "UPDATE orders_orderevent SET status = 'SHIPPED' WHERE order_id = %s", [order_id]
            )
        finally:
            cursor.execute("SELECT set_config('storefront.erasing', 'off', false)")
