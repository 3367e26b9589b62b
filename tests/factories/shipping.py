"""Zones, methods, rates, parcels."""

import uuid
from datetime import timedelta
from typing import Any

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from apps.shipping.models import Method, Rate, Shipment, Zone


class ZoneFactory(DjangoModelFactory):
    class Meta:
        model = Zone
        django_get_or_create = ("name",)

    name = "Everywhere"
    countries = factory.LazyFunction(lambda: ["*"])


class MethodFactory(DjangoModelFactory):
    class Meta:
        model = Method
        django_get_or_create = ("code",)

    code = "standard"
    name = "Standard"


class RateFactory(DjangoModelFactory):
    class Meta:
        model = Rate

    zone = factory.SubFactory(ZoneFactory)
    method = factory.SubFactory(MethodFactory)
    price_amount = 599


class ShipmentFactory(DjangoModelFactory):
    class Meta:
        model = Shipment

    order_id = factory.LazyFunction(uuid.uuid4)
    carrier = "local"
    service = "standard"
    tracking_number = factory.Sequence("KP{:010d}".format)
    estimated_from = factory.LazyFunction(lambda: timezone.now().date() + timedelta(days=2))
    estimated_to = factory.LazyFunction(lambda: timezone.now().date() + timedelta(days=5))


def ship_everywhere(*, price: int = 599, code: str = "standard", **fields: Any) -> Method:
    """A shipping method to any country at one price."""
    method = MethodFactory(code=code, name=code.title(), **fields)
    RateFactory(method=method, price_amount=price)
    return method
