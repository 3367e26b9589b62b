"""Which mail an order gives rise to, and what stands in it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from apps.notifications.messages import Message, compose
from apps.orders import payloads
from apps.orders.models import Order, OrderLine, Return
from apps.shipping import carriers
from apps.shipping.models import Shipment
from storefront import money

SHOWN = (
    *("number", "email", "currency", "shipping_address", "subtotal_amount", "discount_amount"),
    *("shipping_amount", "tax_amount", "total_amount"),
)


def confirmations(order_ids: Iterable[UUID]) -> list[Message]:
    """“Your order is confirmed”, one per order."""
    wanted = list(order_ids)
    # Hundreds a second: what no mail shows is not read, and lines are not made into models.
    orders = Order.objects.filter(pk__in=wanted).only(*SHOWN)
    lines: dict[UUID, list[Any]] = defaultdict(list)
    bought = OrderLine.objects.filter(order_id__in=wanted)
    for order_id, *line in bought.values_list("order_id", "name", "quantity", "line_amount"):
        lines[order_id].append(line)
    labelled = Shipment.objects.filter(order_id__in=wanted)
    shipments = {s.order_id: s for s in labelled.only("order_id", "estimated_from", "estimated_to")}
    return [
        compose(
            "order_confirmed",
            _common(order)
            | _amounts(order)
            | {
                "lines": [
                    {
                        "name": name,
                        "quantity": quantity,
                        "amount": money.for_people(amount, order.currency),
                    }
                    for name, quantity, amount in lines[order.pk]
                ],
                "address": _address(order),
                "estimate": _estimate(shipments.get(order.pk)),
            },
            order_id=order.pk,
            to=order.email,
        )
        for order in orders
    ]


def cancellations(words: Mapping[UUID, str], *, charged: set[UUID]) -> list[Message]:
    """“Your order was cancelled”, with the reason and what becomes of the money."""
    return [
        compose(
            "order_cancelled",
            _common(order)
            | {
                "reason": words[order.pk],
                "refund": money.for_people(order.total_amount, order.currency)
                if order.pk in charged
                else "",
            },
            order_id=order.pk,
            to=order.email,
        )
        for order in Order.objects.filter(pk__in=list(words))
    ]


def shipped(order: Order, shipment: Shipment) -> Message:
    """“Your order is on its way”."""
    data = _common(order) | {
        "tracking_number": shipment.tracking_number,
        "carrier": carriers.by_code(shipment.carrier).name,
        "estimate": _estimate(shipment),
        "address": _address(order),
    }
    return compose("order_shipped", data, order_id=order.pk, to=order.email)


def return_received(returned: Return, *, refund_amount: int) -> Message:
    """“Your return has arrived”."""
    order = returned.order
    data = _common(order) | {
        "lines": [
            {"name": line.line.name, "quantity": line.quantity, "amount": ""}
            for line in returned.lines.select_related("line")
        ],
        "refund": money.for_people(refund_amount, order.currency),
    }
    # An order may have several returns, and each gets its mail.
    return compose(
        "return_received", data, order_id=order.pk, to=order.email, about=str(returned.pk)
    )


def _common(order: Order) -> dict[str, Any]:
    return {
        "number": order.number,
        "name": order.shipping_address.get("name", ""),
        "url": payloads.page_url(order.pk),
    }


def _amounts(order: Order) -> dict[str, str]:
    return {
        "subtotal": money.for_people(order.subtotal_amount, order.currency),
        "discount": money.for_people(-order.discount_amount, order.currency)
        if order.discount_amount
        else "",
        "shipping": money.for_people(order.shipping_amount, order.currency),
        "tax": money.for_people(order.tax_amount, order.currency),
        "total": money.for_people(order.total_amount, order.currency),
    }


def _address(order: Order) -> list[str]:
    a = order.shipping_address
    place = " ".join(part for part in (a.get("postal_code"), a.get("city")) if part)
    lines = (a.get("name"), a.get("line1"), a.get("line2"), place, a.get("region"))
    return [str(line) for line in (*lines, a.get("country")) if line]


def _estimate(shipment: Shipment | None) -> str:
    if shipment is None:
        return ""
    return f"{shipment.estimated_from:%-d %B} to {shipment.estimated_to:%-d %B %Y}"
