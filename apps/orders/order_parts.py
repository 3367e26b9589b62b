"""The lists in the document of an order: lines, payments, refunds, returns. One query or two each.

Everything here is read by shoppers: no purpose, no reason of staff, no name of a colleague.
"""

from datetime import datetime
from typing import Any

from apps.catalog import prices
from apps.core import money
from apps.inventory import back_orders
from apps.orders import paid, refund_words
from apps.orders.models import Order, Return
from apps.orders.return_instructions import instructions_for
from apps.orders.status import BEFORE_SHIPMENT
from apps.payments.models import Payment, Refund


def lines(placed: Order) -> list[dict[str, Any]]:
    """The lines, as bought; `slug` and `image` are of the SKU's product as it is sold today."""
    bought = list(placed.lines.all())
    offers = prices.offers(line.sku for line in bought)
    later = units_to_come(placed)
    return [
        {
            "sku": line.sku,
            "name": line.name,
            "quantity": line.quantity,
            "unit_price": money.payload(line.unit_amount, placed.currency),
            "line_total": money.payload(line.line_amount, placed.currency),
            "discount": money.payload(amounts.discount, placed.currency),
            "tax": money.payload(amounts.tax, placed.currency),
            "back_ordered": later.get(line.sku, 0),
            "slug": offer.product_slug if offer else None,
            "image": offer.image if offer else None,
        }
        for line, amounts in zip(bought, paid.amounts_of(placed, bought), strict=True)
        for offer in [offers.get(line.sku)]
    ]


def units_to_come(placed: Order) -> dict[str, int]:
    """Units of the order that are not there yet, by SKU; none once it left or was called off."""
    if placed.status not in BEFORE_SHIPMENT:
        return {}
    return {sku: units for (_order, sku), units in back_orders.owed([placed.pk]).items()}


def payments(placed: Order) -> list[dict[str, Any]]:
    """What was, or is to be, paid; `message` says why a payment failed."""
    made = Payment.objects.filter(order_id=placed.pk).order_by("created_at", "pk")
    return [
        {
            "status": payment.status,
            "amount": money.payload(payment.amount, payment.currency),
            "message": payment.message,
        }
        for payment in made
    ]


def refunds(placed: Order) -> list[dict[str, Any]]:
    """The money that went back, or is to. One that failed and was sent again is listed once."""
    made = list(
        Refund.objects.filter(payment__order_id=placed.pk)
        .select_related("payment")
        .order_by("created_at", "pk")
    )
    last = {refund_words.matter(refund.purpose): refund.pk for refund in made}
    return [
        {
            "amount": money.payload(refund.amount, refund.payment.currency),
            "reason": refund_words.for_shopper(refund.purpose),
            "status": refund.status,
            "created_at": moment(refund.created_at),
        }
        for refund in made
        if refund.status != Refund.Status.FAILED
        or last[refund_words.matter(refund.purpose)] == refund.pk
    ]


def returns(placed: Order) -> list[dict[str, Any]]:
    """The order's returns, oldest first."""
    announced = placed.returns.select_related("order").prefetch_related("lines__line")
    return [return_document(each) for each in announced.order_by("created_at", "pk")]


def return_document(announced: Return) -> dict[str, Any]:
    """One return. `refund` of a line: what its accepted units are worth, once they arrived.

    `message` is what staff wrote for the shopper: why it was refused, or accepted in part.
    """
    currency = announced.order.currency
    instructions = instructions_for(announced)
    return {
        "id": str(announced.pk),
        "order": str(announced.order_id),
        "number": instructions.number,
        "state": announced.state,
        "reason": announced.reason,
        "created_at": moment(announced.created_at),
        "received_at": moment(announced.received_at) if announced.received_at else None,
        "refused_at": moment(announced.refused_at) if announced.refused_at else None,
        "message": announced.answer,
        "lines": [
            {
                "sku": line.line.sku,
                "name": line.line.name,
                "quantity": line.quantity,
                "accepted": line.units_accepted,
                "refund": None
                if line.refund_amount is None
                else money.payload(line.refund_amount, currency),
            }
            for line in announced.lines.all()
        ],
        "send_to": list(instructions.address),
        "what_to_do": instructions.what_to_do,
    }


def moment(at: datetime) -> str:
    """RFC 3339, in UTC."""
    return at.isoformat().replace("+00:00", "Z")
