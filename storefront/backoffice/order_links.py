"""From a bare order id to the order's page.

Stock, payments, parcels and mail know orders by id only, because nothing below the orders imports
them. Their pages in the back office show an order's number all the same; the order's model is
looked up by name when a page is asked for, so that the arrow of imports still points down.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db.models import CharField, OuterRef, QuerySet, Subquery
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.decorators import display

from storefront.backoffice.looks import link


def order_url(order_id: UUID) -> str:
    """Where an order's page is."""
    return reverse("admin:orders_order_change", args=[order_id])


def with_number(queryset: QuerySet) -> QuerySet:
    """Rows that have an `order_id`, each with its order's number as `order_number`."""
    orders = apps.get_model("orders", "Order").objects.filter(pk=OuterRef("order_id"))
    numbers = Subquery(orders.values("number")[:1], output_field=CharField())
    return queryset.annotate(order_number=numbers)


def ids_by_number(text: str) -> Iterable[UUID]:
    """Ids of the orders whose number begins with `text`, at most a few."""
    orders = apps.get_model("orders", "Order").objects
    return orders.filter(number__startswith=text.upper()).values_list("pk", flat=True)[:50]


def numbers_of(order_ids: Iterable[UUID]) -> dict[UUID | None, str]:
    """The numbers of these orders, by id."""
    orders = apps.get_model("orders", "Order").objects
    return dict(orders.filter(pk__in=list(order_ids)).values_list("pk", "number"))


class LinksToOrder:
    """For an admin or an inline over rows with an `order_id`: the column `order`."""

    def get_queryset(self, request: Any) -> QuerySet:
        return with_number(super().get_queryset(request))  # type: ignore[misc]

    @display(description="order")
    def order(self, row: Any) -> SafeString | str:
        if row.order_id is None:
            return "–"
        if row.order_number is None:
            return str(row.order_id)
        return link(order_url(row.order_id), row.order_number)
