"""The account's start page and its list of orders."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.customers import addresses
from apps.orders.models import Order
from apps.web.order_endings import shown_of

ORDERS_PER_PAGE = 20
LATEST = 3


@login_required
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    book = addresses.list_addresses(request.user)
    return render(
        request,
        "web/account/overview.html",
        {
            "here": "account",
            "orders": _with_status_text(list(_orders_of(request)[:LATEST])),
            "address": book[0] if book else None,
        },
    )


@login_required
@require_safe
def orders(request: HttpRequest) -> HttpResponse:
    found = _orders_of(request)
    if before := request.GET.get("before"):
        try:
            found = found.filter(pk__lt=UUID(before))  # UUIDv7: ids are ordered by time
        except ValueError:
            raise Http404 from None
    page = list(found[: ORDERS_PER_PAGE + 1])
    return render(
        request,
        "web/account/orders.html",
        {
            "here": "orders",
            "orders": _with_status_text(page[:ORDERS_PER_PAGE]),
            "older": page[ORDERS_PER_PAGE - 1].pk if len(page) > ORDERS_PER_PAGE else None,
        },
    )


def _orders_of(request: HttpRequest) -> QuerySet[Order]:
    return Order.objects.filter(user=request.user).select_related("saga")


def _with_status_text(orders: list[Order]) -> list[Order]:
    """The orders, each with the `label` and `tone` that the templates show."""
    for order in orders:
        shown = shown_of(order)
        order.label, order.tone = shown.short, shown.tone  # type: ignore[attr-defined]
    return orders
