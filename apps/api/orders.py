"""Orders, for their owner or for whoever holds the order's token. Everybody else finds nothing."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api import bodies, documents, pagination, parameters
from apps.api.endpoint import ORDER_TOKEN, Endpoint, customer, sent, token_in
from apps.api.pagination import Column
from apps.api.shapes import read_body
from apps.orders import access, cancel, payloads, returns
from apps.orders.models import Order
from storefront import money

# UUIDv7: ids are in the order of time.
NEWEST_FIRST = (Column("id", descending=True),)


class OrderEndpoint(Endpoint):
    """Finds the order of the address for whoever may see it."""

    def order(self, request: Request, order_id: UUID) -> Order:
        token = token_in(request.META, ORDER_TOKEN)
        self.guess(token)
        return access.find_order(order_id, user=request.user, token=token)


class MyOrders(Endpoint):
    """The signed-in customer's orders, newest first."""

    permission_classes = [IsAuthenticated]

    @extend_schema(**documents.MY_ORDERS)
    def get(self, request: Request) -> Response:
        mine = Order.objects.filter(user=customer(request))
        return Response(pagination.page(mine, NEWEST_FIRST, request, order_summary))


class OneOrder(OrderEndpoint):
    """An order with its lines, totals and addresses."""

    @extend_schema(**documents.ORDER)
    def get(self, request: Request, order_id: UUID) -> Response:
        return Response(payloads.order(self.order(request, order_id)))


class OrderStatus(OrderEndpoint):
    """Where an order is: cheap to ask again and again."""

    @extend_schema(**documents.ORDER_STATUS)
    def get(self, request: Request, order_id: UUID) -> HttpResponseBase:
        order = self.order(request, order_id)
        etag = payloads.etag(order)
        headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
        unchanged = get_conditional_response(
            request._request, etag=etag, response=HttpResponse(headers=headers)
        )
        if unchanged is not None and unchanged.status_code != 200:
            return unchanged
        return Response(payloads.status(order), headers=headers)


class OrderEvents(OrderEndpoint):
    """The moves of an order after a `seq`."""

    @extend_schema(**documents.ORDER_EVENTS)
    def get(self, request: Request, order_id: UUID) -> Response:
        after_seq = parameters.seq(request.query_params, "after_seq")
        order = self.order(request, order_id)
        return Response(
            {"results": payloads.events_after(order, after_seq), "next": None, "previous": None}
        )


class CancelOrder(OrderEndpoint):
    """Ask for the order to be called off."""

    @extend_schema(**documents.CANCEL_ORDER)
    def post(self, request: Request, order_id: UUID) -> Response:
        order = self.order(request, order_id)
        cancel.request_cancellation(order.pk, actor=access.name_of(request.user))
        order.refresh_from_db()
        return Response(payloads.status(order), status=202)


class OrderReturns(OrderEndpoint):
    """Send delivered goods back."""

    @extend_schema(**documents.RETURN_ORDER)
    def post(self, request: Request, order_id: UUID) -> Response:
        body = read_body(bodies.RETURN, sent(request))
        order = self.order(request, order_id)
        made = returns.request_return(
            order.pk,
            lines=[(line["sku"], line["quantity"]) for line in body["lines"]],
            reason=body["reason"],
        )
        return Response(return_document(made), status=201)


def order_summary(order: Order) -> dict[str, Any]:
    """An order in a list."""
    return {
        "id": str(order.pk),
        "number": order.number,
        "status": order.status,
        "total": money.payload(order.total_amount, order.currency),
        "placed_at": moment(order.placed_at),
        "updated_at": moment(order.updated_at),
    }


def moment(at: datetime) -> str:
    """RFC 3339, in UTC."""
    return at.isoformat().replace("+00:00", "Z")


def return_document(made: Any) -> dict[str, Any]:
    """A return as it was asked for."""
    return {
        "id": str(made.pk),
        "order": str(made.order_id),
        "state": made.state,
        "reason": made.reason,
        "created_at": moment(made.created_at),
        "lines": [
            {"sku": line.line.sku, "quantity": line.quantity}
            for line in made.lines.select_related("line")
        ],
    }
