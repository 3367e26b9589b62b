"""All that is known about one order, in a number of queries that does not depend on its history.

Lists that can grow (steps, gateway calls) are cut to the newest entries. The page says how many
more there are; the full lists have pages of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType

from apps.backoffice import decision_log
from apps.backoffice.actions import words_of
from apps.backoffice.formatting import amount
from apps.backoffice.models import Decision
from apps.customers import printed_address
from apps.inventory.models import Hold
from apps.notifications.models import Notification
from apps.orders.models import (
    IdempotencyKey,
    Order,
    OrderEvent,
    OrderLine,
    Return,
    Saga,
    SagaStep,
)
from apps.orders.paid import LineAmounts, amounts_of
from apps.payments import refunds
from apps.payments.models import GatewayCall, Payment, Refund
from apps.promos.models import Redemption
from apps.shipping.models import Shipment

STEPS_SHOWN = 60
CALLS_SHOWN = 40
DECISIONS_SHOWN = 40


@dataclass(frozen=True, slots=True)
class StaffEntry:
    """What a member of staff did about this order, from the audit trail."""

    at: Any
    who: str
    text: str


@dataclass(frozen=True, slots=True)
class OrderDetail:
    """One order with everything that belongs to it. Logs are newest first."""

    order: Order
    lines: Sequence[tuple[OrderLine, LineAmounts]]
    totals: Sequence[tuple[str, str]]
    events: Sequence[OrderEvent]
    key: IdempotencyKey | None
    saga: Saga | None
    steps: Sequence[SagaStep]
    more_steps: int
    decisions: Sequence[Decision]
    payment: Payment | None
    tried_before: Sequence[Payment]
    refundable: int
    refunds: Sequence[Refund]
    calls: Sequence[GatewayCall]
    more_calls: int
    holds: Sequence[Hold]
    redemptions: Sequence[Redemption]
    shipment: Shipment | None
    mails: Sequence[Notification]
    returns: Sequence[Return]
    staff: Sequence[StaffEntry]

    @property
    def addresses(self) -> list[tuple[str, list[str]]]:
        """The shipping address, and the billing address if it is another one."""
        found = [("Ships to", _address(self.order.shipping_address))]
        billing = self.order.billing_address
        if billing and billing != self.order.shipping_address:
            found.append(("Bill to", _address(billing)))
        return found


def load_order_detail(order_id: UUID) -> OrderDetail | None:
    """Everything about an order; None when there is no order with that id."""
    order = Order.objects.select_related("user").filter(pk=order_id).first()
    if order is None:
        return None
    lines = list(order.lines.all())
    steps = list(SagaStep.objects.filter(saga=order_id).order_by("-id")[: STEPS_SHOWN + 1])
    payment = Payment.objects.filter(order_id=order_id, live=True).first()
    calls = list(payment.calls.order_by("-created_at", "-id")[: CALLS_SHOWN + 1]) if payment else []
    return OrderDetail(
        order=order,
        lines=list(zip(lines, amounts_of(order, lines), strict=True)),
        totals=_totals(order),
        events=list(order.events.order_by("-seq")),
        key=IdempotencyKey.objects.filter(order=order).defer("answer").first(),
        saga=Saga.objects.filter(order=order).first(),
        steps=steps[:STEPS_SHOWN],
        more_steps=SagaStep.objects.filter(saga=order_id).count() - STEPS_SHOWN
        if len(steps) > STEPS_SHOWN
        else 0,
        decisions=list(decision_log.about_order(order_id)[:DECISIONS_SHOWN]),
        payment=payment,
        tried_before=list(
            Payment.objects.filter(order_id=order_id, live=False).order_by("attempt")
        ),
        refundable=refunds.refundable(payment) if payment else 0,
        refunds=list(payment.refunds.order_by("-created_at", "-id")) if payment else [],
        calls=calls[:CALLS_SHOWN],
        more_calls=payment.calls.count() - CALLS_SHOWN
        if payment and len(calls) > CALLS_SHOWN
        else 0,
        holds=list(
            Hold.objects.filter(order_id=order_id)
            .select_related("stock_item__variant", "stock_item__warehouse")
            .order_by("id")
        ),
        redemptions=list(Redemption.objects.filter(order_id=order_id).select_related("promo")),
        shipment=Shipment.objects.filter(order_id=order_id).first(),
        mails=list(Notification.objects.filter(order_id=order_id).defer("body").order_by("id")),
        returns=list(order.returns.prefetch_related("lines__line").order_by("created_at", "id")),
        staff=_staff(order_id),
    )


def _totals(order: Order) -> list[tuple[str, str]]:
    rows = [("Subtotal", order.subtotal_amount)]
    if order.discount_amount:
        rows.append(("Discount", -order.discount_amount))
    of_shipping = order.shipping_tax_amount
    rows += [
        ("Shipping", order.shipping_amount),
        (
            f"Tax (shipping: {amount(of_shipping, order.currency)})" if of_shipping else "Tax",
            order.tax_amount,
        ),
        ("Total", order.total_amount),
    ]
    return [(name, amount(minor, order.currency)) for name, minor in rows]


def _address(address: dict[str, Any]) -> list[str]:
    phone = address.get("phone")
    return [*printed_address.lines(address), *([phone] if phone else [])]


def _staff(order_id: UUID) -> list[StaffEntry]:
    about_orders = ContentType.objects.get_for_model(Order)
    entries = (
        LogEntry.objects.filter(content_type=about_orders, object_id=str(order_id))
        .select_related("user")
        .order_by("-action_time", "-id")[:50]
    )
    return [StaffEntry(entry.action_time, str(entry.user), words_of(entry)) for entry in entries]
