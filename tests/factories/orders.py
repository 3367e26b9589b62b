"""Orders, their lines, events and keys; sagas; returns."""

import hashlib
import uuid
from datetime import timedelta

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from apps.customers.mailbox import mailbox_of
from apps.orders.models import (
    IdempotencyKey,
    Order,
    OrderEvent,
    OrderLine,
    Return,
    ReturnLine,
    Saga,
    SagaStep,
)
from tests.factories.customers import ADDRESS


def a_fingerprint(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


class OrderFactory(DjangoModelFactory):
    """An order whose total adds up, without lines, saga, key, payment or hold."""

    class Meta:
        model = Order

    number = factory.Sequence("T{:07d}".format)
    email = "alice@example.com"
    mailbox = factory.LazyAttribute(lambda made: mailbox_of(made.email))
    currency = "USD"
    subtotal_amount = 1800
    discount_amount = 0
    shipping_amount = 599
    tax_amount = 0
    total_amount = factory.LazyAttribute(
        lambda made: (
            made.subtotal_amount - made.discount_amount + made.shipping_amount + made.tax_amount
        )
    )
    shipping_address = factory.LazyFunction(ADDRESS.copy)
    shipping_method = "standard"


class OrderLineFactory(DjangoModelFactory):
    class Meta:
        model = OrderLine

    order = factory.SubFactory(OrderFactory)
    sku = factory.Sequence("SKU-{:05d}".format)
    name = "Mug"
    quantity = 1
    unit_amount = 1800
    line_amount = factory.LazyAttribute(lambda made: made.quantity * made.unit_amount)


class OrderEventFactory(DjangoModelFactory):
    class Meta:
        model = OrderEvent

    order = factory.SubFactory(OrderFactory)
    seq = 1
    status = factory.SelfAttribute("order.status")
    message = "We have your order."


class IdempotencyKeyFactory(DjangoModelFactory):
    class Meta:
        model = IdempotencyKey

    order = factory.SubFactory(OrderFactory)
    scope = "guest"
    key = factory.LazyFunction(lambda: str(uuid.uuid4()))
    fingerprint = factory.LazyAttribute(lambda made: a_fingerprint(made.key))
    answer = factory.LazyFunction(dict)


class SagaFactory(DjangoModelFactory):
    class Meta:
        model = Saga

    order = factory.SubFactory(OrderFactory)
    step = "authorize_payment"
    due_at = factory.LazyFunction(timezone.now)
    deadline_at = factory.LazyFunction(lambda: timezone.now() + timedelta(minutes=15))


class SagaStepFactory(DjangoModelFactory):
    class Meta:
        model = SagaStep

    saga = factory.SubFactory(SagaFactory)
    step = factory.SelfAttribute("saga.step")
    direction = "do"
    outcome = "done"
    attempt = 1
    epoch = 1


class ReturnFactory(DjangoModelFactory):
    class Meta:
        model = Return

    order = factory.SubFactory(OrderFactory, status=Order.Status.DELIVERED)
    reason = "too large"


class ReturnLineFactory(DjangoModelFactory):
    class Meta:
        model = ReturnLine

    of_return = factory.SubFactory(ReturnFactory)
    line = factory.SubFactory(OrderLineFactory, order=factory.SelfAttribute("..of_return.order"))
    quantity = 1
