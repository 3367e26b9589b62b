"""What an order's page shows."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Sum
from django.utils import timezone

from apps.catalog import prices
from apps.customers import printed_address
from apps.orders import order_parts, paid, payloads, unshipped
from apps.orders.fulfilment import cancellation
from apps.orders.models import Order, OrderLine, ReturnLine
from apps.orders.return_instructions import instructions_for
from apps.orders.saga import pay_again
from apps.orders.status import STATUSES
from apps.payments.gateway_amounts import to_gateway
from apps.shipping.models import Shipment
from apps.web import order_endings, product_cards, status_display
from apps.web.sandbox_cards import CARDS, stripe_key

CARRIERS = {"local": "our own van"}


@dataclass(frozen=True)
class ReturnForm:
    """A return as typed, by SKU, and what is wrong with it, by SKU, "reason" or ""."""

    typed: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    reason: str = ""


def context_of(
    order: Order,
    *,
    token: str,
    base_url: str,
    can_reorder: bool,
    form: ReturnForm,
    card_error: str = "",
) -> dict[str, Any]:
    """For web/order.html. `base_url`: scheme and host by which the shopper reached the page."""
    events = payloads.events_after(order, 0)
    last = events[-1]
    action = last["next_action"] or {}
    shipment = Shipment.objects.filter(order_id=order.pk).exclude(state="cancelled").first()
    lines = list(order.lines.all())
    shown = order_endings.shown_of(order)
    settled = unshipped.statuses_of(order)[order.status].settled
    asks_bank = bool(action.get("url")) and order.status == "REQUIRES_ACTION"
    can_pay_again = pay_again.is_payable(order)
    until = _moment(action.get("until")) if asks_bank or can_pay_again else None
    unpaid = order_endings.is_payment_failure(order)
    return {
        "order": order,
        "token": token,
        "status": last,
        "label": shown.headline,
        "stages": status_display.stages_of(order, shown),
        "status_display": status_display.for_script(order),
        "events": [event | {"at": datetime.fromisoformat(event["updated_at"])} for event in events],
        "settled": settled,
        "asks_bank": asks_bank,
        "can_pay_again": can_pay_again,
        "until": until,
        "seconds_left": max(0, int((until - timezone.now()).total_seconds())) if until else 0,
        "card_error": card_error,
        "cards": CARDS,
        "stripe_key": stripe_key(),
        "stripe_amount": to_gateway(order.total_amount, order.currency),
        # Nothing moves by itself while the shopper chooses a card, and the page would lose it.
        "looks_again": not settled and not can_pay_again,
        "can_cancel": cancellation.is_cancellable(order),
        "can_reorder": can_reorder and not unpaid,
        "can_pay_another_way": unpaid,
        "lines": _lines(order, lines),
        "returns": _returns(order),
        "return_lines": _return_lines(order, lines, form),
        "return_error": form.errors.get("", ""),
        "reason": form.reason,
        "reason_error": form.errors.get("reason", ""),
        "shipment": shipment,
        "carrier": CARRIERS.get(shipment.carrier, shipment.carrier) if shipment else "",
        "address_lines": printed_address.lines(order.shipping_address),
        "websocket_url": f"{payloads.live_url(base_url)}/ws/orders/{order.pk}/",
        "status_url": f"/api/v1/orders/{order.pk}/status/",
    }


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _returns(order: Order) -> list[dict[str, Any]]:
    """The order's returns, the first one first, each with what the shopper has to do."""
    found = order.returns.select_related("order").prefetch_related("lines__line")
    return [
        {
            "received": made.state == made.State.RECEIVED,
            "refused": made.state == made.State.REFUSED,
            "answer": made.answer,
            "not_accepted": [
                (line.line.name, line.quantity - line.accepted)
                for line in made.lines.all()
                if line.accepted is not None and line.accepted < line.quantity
            ],
            "told": instructions_for(made),
        }
        for made in found.order_by("created_at")
    ]


def _lines(order: Order, lines: list[OrderLine]) -> list[dict[str, Any]]:
    offers = prices.offers(line.sku for line in lines)
    later = order_parts.units_to_come(order)
    pictures = {sku: offer.image for sku, offer in offers.items()}
    slugs = {sku: offer.product_slug for sku, offer in offers.items()}
    return [
        {
            "name": line.name,
            "slug": slugs.get(line.sku, ""),
            "quantity": line.quantity,
            "line_amount": line.line_amount,
            "discount": amounts.discount,
            "tax": amounts.tax,
            "back_order": product_cards.back_order_words(later.get(line.sku, 0), line.quantity),
            "image": pictures.get(line.sku) or product_cards.placeholder(),
        }
        for line, amounts in zip(lines, paid.amounts_of(order, lines), strict=True)
    ]


def _return_lines(order: Order, lines: list[OrderLine], form: ReturnForm) -> list[dict[str, Any]]:
    """The lines that may still be returned; empty before delivery, and when all are announced."""
    if not STATUSES[order.status].returnable:
        return []
    announced = dict(
        ReturnLine.objects.filter(of_return__order=order)
        .values_list("line__sku")
        .annotate(units=Sum("quantity"))
    )
    return [
        {
            "sku": line.sku,
            "name": line.name,
            "quantity": line.quantity,
            "returnable": line.quantity - announced.get(line.sku, 0),
            "place": place,
            "typed": form.typed.get(line.sku, "0")[:10],
            "error": form.errors.get(line.sku, ""),
        }
        for place, line in enumerate(lines, start=1)
        if line.quantity > announced.get(line.sku, 0)
    ]
