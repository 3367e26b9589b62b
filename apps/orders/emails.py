"""The mails about an order: what they contain.

email_moments.py says from which moment on each may be sent; those about returns and refunds are in
return_emails.py.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F, Sum

from apps.core import money
from apps.customers import printed_address
from apps.inventory import back_orders
from apps.notifications.messages import Message, compose
from apps.orders import paid, payloads
from apps.orders.email_moments import withheld
from apps.orders.models import Order, OrderLine
from apps.payments.models import Refund
from apps.payments.refunds import CANCELLATION
from apps.shipping import carriers
from apps.shipping.models import Shipment

SHOWN = (
    *("number", "email", "currency", "shipping_address", "subtotal_amount", "discount_amount"),
    *("shipping_amount", "shipping_tax_amount", "tax_amount", "total_amount", "shipping_method"),
)
LINE = ("sku", "name", "quantity", "line_amount", "discount_amount", "tax_amount")


def confirmations(order_ids: Iterable[UUID]) -> list[Message]:
    """“Your order is confirmed”, one per order."""
    wanted = list(order_ids)
    # Hundreds a second: only columns that the mail shows are read, and lines are not made models.
    orders = Order.objects.filter(pk__in=wanted).only(*SHOWN)
    lines: dict[UUID, list[Any]] = defaultdict(list)
    bought = OrderLine.objects.filter(order_id__in=wanted)
    for line in bought.values_list("order_id", *LINE, named=True):
        lines[line.order_id].append(line)
    later = back_orders.owed(wanted)
    labelled = Shipment.objects.filter(order_id__in=wanted)
    shipments = {s.order_id: s for s in labelled.only("order_id", "estimated_from", "estimated_to")}
    return [
        compose(
            "order_confirmed",
            common(order)
            | _amounts(order)
            | {
                "lines": _lines(order, lines[order.pk], later),
                "ships_later": "yes"
                if any((order.pk, x.sku) in later for x in lines[order.pk])
                else "",
                "address": _address(order),
                "estimate": _estimate(shipments.get(order.pk)),
                "unshipped": "" if order.shipping_method else "yes",
            },
            order_id=order.pk,
            to=order.email,
        )
        for order in orders
    ]


def cancellations(
    messages: Mapping[UUID, str],
    *,
    charged: set[UUID],
    always_mailed: Collection[UUID] = (),
    unpaid: Collection[UUID] = (),
) -> list[Message]:
    """“Your order was cancelled”, with the reason and what becomes of the money.

    messages: the reason by order id, as the mail shows it.
    charged: orders whose money was taken, so that the mail names the refund: what goes back now,
        without what had gone back before, of which the shopper has a mail.
    unpaid: orders whose payment failed; their mail says that and not “cancelled”.
    always_mailed: orders whose mail is not withheld (CancelReason.always_mailed).
    """
    orders = list(Order.objects.filter(pk__in=list(messages)).select_related("user"))
    before = _refunded_before(charged)
    too_early = withheld("order_cancelled", [o for o in orders if o.pk not in always_mailed])
    return [
        compose(
            "order_cancelled",
            common(order)
            | {
                "reason": messages[order.pk],
                "refund": money.for_people(
                    order.total_amount - before.get(order.pk, 0), order.currency
                )
                if order.pk in charged
                else "",
                "unpaid": order.pk in unpaid,
            },
            order_id=order.pk,
            to=order.email,
            withheld=too_early.get(order.pk, ""),
        )
        for order in orders
    ]


def _refunded_before(order_ids: Collection[UUID]) -> dict[UUID, int]:
    """Minor units that had gone back before the order was cancelled, where that was not all."""
    before = (
        Refund.objects.filter(payment__order_id__in=order_ids, status=Refund.Status.SUCCEEDED)
        .exclude(purpose__startswith=CANCELLATION)
        .values("payment__order_id")
        .annotate(sum=Sum("amount"))
        .filter(sum__lt=F("payment__captured_amount"))
    )
    return dict(before.values_list("payment__order_id", "sum")) if order_ids else {}


def declined(until: Mapping[UUID, datetime]) -> list[Message]:
    """“Your card was declined”, one an order however many cards are tried.

    until: by order id, how long it can be paid with another card.
    """
    orders = list(Order.objects.filter(pk__in=list(until)).select_related("user"))
    too_early = withheld("payment_declined", orders)
    return [
        compose(
            "payment_declined",
            common(order)
            | {
                "total": money.for_people(order.total_amount, order.currency),
                "until": f"{until[order.pk]:%H:%M} UTC",
            },
            order_id=order.pk,
            to=order.email,
            withheld=too_early.get(order.pk, ""),
        )
        for order in orders
    ]


def shipped(order: Order, shipment: Shipment) -> Message:
    """“Your order is on its way”."""
    data = common(order) | {
        "tracking_number": shipment.tracking_number,
        "carrier": carriers.by_code(shipment.carrier).name,
        "estimate": _estimate(shipment),
        "address": _address(order),
    }
    return compose("order_shipped", data, order_id=order.pk, to=order.email)


def common(order: Order) -> dict[str, Any]:
    """What every mail about an order needs."""
    return {
        "number": order.number,
        "name": order.shipping_address.get("name", ""),
        "url": payloads.page_url(order.pk),
    }


def _lines(
    order: Order, lines: list[Any], later: Mapping[tuple[UUID, str], int]
) -> list[dict[str, Any]]:
    """Each line with its discount and its tax; "" for one that is nothing.

    later: units that are not there yet, as `back_orders.owed` tells them.
    """
    return [
        {
            "name": line.name,
            "quantity": line.quantity,
            "amount": money.for_people(line.line_amount, order.currency),
            "discount": _unless_zero(-amounts.discount, order.currency),
            "tax": _unless_zero(amounts.tax, order.currency),
            "later": later.get((order.pk, line.sku), 0),
        }
        for line, amounts in zip(lines, paid.amounts_of(order, lines), strict=True)
    ]


def _amounts(order: Order) -> dict[str, str]:
    return {
        "subtotal": money.for_people(order.subtotal_amount, order.currency),
        "discount": _unless_zero(-order.discount_amount, order.currency),
        "shipping": money.for_people(order.shipping_amount, order.currency),
        "shipping_tax": _unless_zero(order.shipping_tax_amount or 0, order.currency),
        "tax": money.for_people(order.tax_amount, order.currency),
        "total": money.for_people(order.total_amount, order.currency),
    }


def _unless_zero(minor: int, currency: str) -> str:
    return money.for_people(minor, currency) if minor else ""


def _address(order: Order) -> list[str]:
    return printed_address.lines(order.shipping_address)


def _estimate(shipment: Shipment | None) -> str:
    if shipment is None:
        return ""
    return f"{shipment.estimated_from:%-d %B} to {shipment.estimated_to:%-d %B %Y}"
