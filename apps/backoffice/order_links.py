"""From an order's id to its page and its number.

Stock, payments, parcels and mail know orders by id only, because no domain app imports the orders.
Their pages in the back office show an order's number nevertheless: the order's model is looked up
by name when a page is requested, so that no import points from the domain to the orders.
"""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.apps import apps
from django.db.models import CharField, OuterRef, QuerySet, Subquery
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.decorators import display

from apps.backoffice.formatting import link


def order_url(order_id: UUID) -> str:
    """The URL of an order's page."""
    return reverse("admin:orders_order_change", args=[order_id])


def with_number(queryset: QuerySet) -> QuerySet:
    """Annotate rows that have an `order_id` with their order's number, as `order_number`."""
    orders = apps.get_model("orders", "Order").objects.filter(pk=OuterRef("order_id"))
    numbers = Subquery(orders.values("number")[:1], output_field=CharField())
    return queryset.annotate(order_number=numbers)


def with_holder(queryset: QuerySet) -> QuerySet:
    """As `with_number`, and with `order_mailbox`, `order_client` and `order_status`."""
    orders = apps.get_model("orders", "Order").objects.filter(pk=OuterRef("order_id"))
    return with_number(queryset).annotate(
        **{
            f"order_{name}": Subquery(orders.values(name)[:1], output_field=CharField())
            for name in ("mailbox", "client", "status")
        }
    )


def orders_url(search: str) -> str:
    """The list of orders that a search finds: a mailbox, a number, an address's digest."""
    return f"{reverse('admin:orders_order_changelist')}?{urlencode({'q': search})}"


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
