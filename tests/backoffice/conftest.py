"""The back office's tests: who signs in, and orders in the states that staff meet.

Orders are built row by row with the factories, with consistent books. What is tested here is the
interface: each button calls the domain's function once, and it cannot be bypassed.
"""

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from apps.backoffice.actions import words_of
from apps.catalog.models import Variant
from apps.customers.models import User
from apps.inventory.models import Hold, StockItem, StockMovement
from apps.orders.models import Order, Saga
from apps.payments.models import Payment
from apps.shipping.models import Shipment
from tests.factories import (
    HoldFactory,
    OrderEventFactory,
    OrderFactory,
    OrderLineFactory,
    PaymentFactory,
    SagaFactory,
    SagaStepFactory,
    ShipmentFactory,
    StaffFactory,
    a_mug,
    make_clerk,
)

pytestmark = pytest.mark.django_db


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def clerk(db: None) -> User:
    """May do everything."""
    return make_clerk()


@pytest.fixture
def staff(clerk: User) -> Client:
    """The clerk's browser."""
    return signed_in(clerk)


@pytest.fixture
def looker(db: None) -> Client:
    """May look at everything and do nothing."""
    trainee = StaffFactory(email="trainee@kettleandpine.example", is_superuser=False)
    trainee.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    return signed_in(trainee)


def form_id(client: Client, url: str) -> str:
    """The id of a freshly rendered form."""
    page = client.get(url)
    assert page.status_code == 200, page.status_code
    found = re.search(r'name="form_id" value="([0-9a-f-]{36})"', page.content.decode())
    assert found, "the page shows no action"
    return found[1]


def do(client: Client, url: str, **fields: Any) -> Any:
    """Open an action's page and send its form."""
    return client.post(url, {"form_id": form_id(client, url), **fields})


def form_of(client: Client, url: str) -> dict[str, Any]:
    """What a browser sends when nothing was typed."""
    context = client.get(url).context
    sent: dict[str, Any] = {}
    forms = [context["adminform"].form]
    for inline in context["inline_admin_formsets"]:
        forms += [inline.formset.management_form, *inline.formset.initial_forms]
    for form in forms:
        for bound in form:
            value = bound.value()
            if value is True:
                sent[bound.html_name] = "on"
            elif isinstance(value, (list, tuple)) and hasattr(bound.field, "queryset"):
                sent[bound.html_name] = [getattr(v, "pk", v) for v in value]
            elif hasattr(bound.field.widget, "decompress"):
                for n, part in enumerate(bound.field.widget.decompress(value)):
                    sent[f"{bound.html_name}_{n}"] = "" if part is None else str(part)
            elif value is not None and value is not False:
                sent[bound.html_name] = value
    return sent


def save(client: Client, url: str, **changed: Any) -> Any:
    """Send the form with some entries changed."""
    return client.post(url, {**form_of(client, url), **changed})


def errors(answer: Any) -> dict[str, list[str]]:
    """The messages beside the fields of the form and of its inlines."""
    assert answer.status_code == 200
    found = dict(answer.context["adminform"].form.errors)
    for inline in answer.context["inline_admin_formsets"]:
        for form in inline.formset.forms:
            found |= {f"{form.prefix}-{name}": said for name, said in form.errors.items()}
    return found


def messages_of(response: Any) -> list[str]:
    """The messages that go with a response."""
    return [str(message) for message in get_messages(response.wsgi_request)]


def log() -> list[tuple[str, str]]:
    """(who, what) of the audit trail, oldest first."""
    entries = LogEntry.objects.select_related("user").order_by("id")
    return [(entry.user.email, words_of(entry)) for entry in entries]


def order_page(order: Order | UUID, action: str = "change") -> str:
    """The address of an order's page or of one of its actions."""
    pk = order.pk if isinstance(order, Order) else order
    change = reverse("admin:orders_order_change", args=[pk])
    return change if action == "change" else change.replace("/change/", f"/{action}/")


def an_order(
    status: str = Order.Status.CONFIRMED,
    *,
    mug: Variant | None = None,
    saga_state: str = Saga.State.DONE,
    step: str = "notify",
    captured: bool = True,
    **fields: Any,
) -> Order:
    """One mug for $18.00 and $5.99 shipping, paid, taken from stock and labelled."""
    mug = mug or a_mug()
    order = OrderFactory(status=status, **fields)
    OrderLineFactory(order=order, sku=mug.sku, name=str(mug))
    OrderEventFactory(order=order)
    saga = SagaFactory(order=order, state=saga_state, step=step, due_at=None)
    SagaStepFactory(saga=saga, step="authorize_payment", detail="pi_test")
    PaymentFactory(order_id=order.pk, captured=captured)
    item = StockItem.objects.get(variant=mug)
    HoldFactory(order_id=order.pk, stock_item=item, state=Hold.State.CONFIRMED)
    StockItem.objects.filter(pk=item.pk).update(on_hand=item.on_hand - 1)
    StockMovement.objects.create(
        stock_item=item, kind="confirmed", quantity=-1, order_id=order.pk, actor="saga"
    )
    ShipmentFactory(order_id=order.pk)
    return order


def in_review(**fields: Any) -> Order:
    """An order whose capture did not succeed."""
    order = an_order(
        Order.Status.PAYMENT_AUTHORIZED,
        saga_state=Saga.State.REVIEW,
        step="capture_payment",
        captured=False,
        **fields,
    )
    Payment.objects.filter(order_id=order.pk).update(
        status="authorized", intent_id=f"pi_{order.pk}"
    )
    Saga.objects.filter(order=order).update(
        review_reason="forward capture_payment did not succeed in 12 attempts",
        reviewed_from="forward",
        last_error="GatewayTransient: 503",
        attempts=12,
    )
    return order


def sold_in_review(**fields: Any) -> Order:
    """An order that is paid and sold, and whose confirmation cannot be written."""
    order = an_order(saga_state=Saga.State.REVIEW, **fields)
    Saga.objects.filter(order=order).update(
        review_reason="forward notify did not succeed in 12 attempts",
        reviewed_from="forward",
        attempts=12,
    )
    return order


def parcel(order: Order) -> Shipment:
    return Shipment.objects.get(order_id=order.pk)


def everything(order: Order) -> tuple[Any, ...]:
    """What a refused action must leave as it was."""
    order.refresh_from_db()
    return (
        order.status,
        order.seq,
        Saga.objects.filter(order=order).values_list().get(),
        Payment.objects.filter(order_id=order.pk).values_list().get(),
        Shipment.objects.filter(order_id=order.pk).values_list().get(),
        StockMovement.objects.count(),
        LogEntry.objects.count(),
    )


Counting = Callable[[str], int]


@pytest.fixture
def queries_of(staff: Client, django_assert_max_num_queries: Any) -> Counting:
    """How many queries a page takes."""

    def count(url: str) -> int:
        with django_assert_max_num_queries(200) as captured:
            response = staff.get(url)
        assert response.status_code == 200
        return len(captured)

    return count
