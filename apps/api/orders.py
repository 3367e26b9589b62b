"""Orders, for their owner or for the holder of the order's token; 404 for a stranger."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api import pagination, parameters
from apps.api.contract.money import price
from apps.api.contract.order import OrderSummary, PaymentBody, ReturnBody
from apps.api.contract.reading import read_body
from apps.api.endpoint import ORDER_TOKEN, Endpoint, customer, sent, token_in
from apps.api.idempotency import idempotent
from apps.api.openapi import orders as calls
from apps.api.openapi.call import described
from apps.api.pagination import Column
from apps.orders import access, order_parts, payloads
from apps.orders.fulfilment import cancellation, returns
from apps.orders.models import Order
from apps.orders.saga.pay_again import pay_again

# UUIDv7: ids are in the order of time.
NEWEST_FIRST = (Column("id", descending=True),)


class OrderEndpoint(Endpoint):
    """Finds the order of the URL for a caller who may see it."""

    def order(self, request: Request, order_id: UUID) -> Order:
        token = token_in(request.META, ORDER_TOKEN)
        return access.find_order(order_id, user=request.user, token=token)


class MyOrders(Endpoint):
    """The signed-in customer's orders, newest first."""

    permission_classes = [IsAuthenticated]

    @described(calls.MY_ORDERS)
    def get(self, request: Request) -> Response:
        mine = Order.objects.filter(user=customer(request))
        return Response(pagination.page(mine, NEWEST_FIRST, request, order_summary))


class OneOrder(OrderEndpoint):
    """An order with its lines, totals and addresses."""

    @described(calls.ORDER)
    def get(self, request: Request, order_id: UUID) -> Response:
        return Response(order_document(self.order(request, order_id)))


class OrderStatus(OrderEndpoint):
    """The status of an order, with an ETag: cheap to poll."""

    @described(calls.ORDER_STATUS)
    def get(self, request: Request, order_id: UUID) -> HttpResponseBase:
        order = self.order(request, order_id)
        etag = payloads.etag(order)
        headers = {"ETag": etag}
        unchanged = get_conditional_response(
            request._request, etag=etag, response=HttpResponse(headers=headers)
        )
        if unchanged is not None and unchanged.status_code != 200:
            return unchanged
        return Response(payloads.status(order), headers=headers)


class OrderEvents(OrderEndpoint):
    """The transitions of an order after a `seq`."""

    @described(calls.ORDER_EVENTS)
    def get(self, request: Request, order_id: UUID) -> Response:
        after_seq = parameters.seq(request.query_params, "after_seq")
        order = self.order(request, order_id)
        return Response(
            {"results": payloads.events_after(order, after_seq), "next": None, "previous": None}
        )


@idempotent()
class OrderPayments(OrderEndpoint):
    """Another card, after one was declined."""

    @described(calls.PAY_AGAIN)
    def post(self, request: Request, order_id: UUID) -> Response:
        body = read_body(PaymentBody, sent(request))
        order = self.order(request, order_id)
        pay_again(order.pk, payment_method=body.payment_method, actor=access.name_of(request.user))
        order.refresh_from_db()
        return Response(order_document(order), status=202)


@idempotent()
class CancelOrder(OrderEndpoint):
    """Request the cancellation of an order."""

    @described(calls.CANCEL_ORDER)
    def post(self, request: Request, order_id: UUID) -> Response:
        order = self.order(request, order_id)
        cancellation.request_cancellation(order.pk, actor=access.name_of(request.user))
        order.refresh_from_db()
        return Response(order_document(order), status=202)


@idempotent()
class OrderReturns(OrderEndpoint):
    """Send delivered goods back."""

    @described(calls.RETURN_ORDER)
    def post(self, request: Request, order_id: UUID) -> Response:
        body = read_body(ReturnBody, sent(request))
        order = self.order(request, order_id)
        made = returns.request_return(
            order.pk,
            lines=[(line["sku"], line["quantity"]) for line in body.lines],
            reason=body.reason,
        )
        return Response(order_parts.return_document(made), status=201)


def order_document(order: Order) -> dict[str, Any]:
    """The whole order, and whether it is being cancelled: nothing of its status says so."""
    return payloads.order(order) | {"cancel_requested": cancellation.is_requested(order)}


def order_summary(order: Order) -> OrderSummary:
    """An order in a list."""
    return {
        "id": str(order.pk),
        "number": order.number,
        "status": order.status,
        "total": price(order.total_amount, order.currency),
        "placed_at": moment(order.placed_at),
        "updated_at": moment(order.updated_at),
    }


def moment(at: datetime) -> str:
    """RFC 3339, in UTC."""
    return at.isoformat().replace("+00:00", "Z")
