"""Messages of the outbox."""

import uuid

import factory
from factory.django import DjangoModelFactory

from apps.notifications.models import Notification


class NotificationFactory(DjangoModelFactory):
    class Meta:
        model = Notification

    order_id = factory.LazyFunction(uuid.uuid4)
    kind = "order-confirmed"
    to = "alice@example.com"
    subject = "Your order is confirmed"
    body = "Thank you."
